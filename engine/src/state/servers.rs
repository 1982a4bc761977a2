//! Stores on servers, Redis and PostgreSQL: reached from the control thread.

use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use quark_storage::provider::{Provider, RecordKey, StoreError, WallTime};
use quark_storage::remote::{Control, Options, Remote, RemoteStore, Share, UrlError};

use super::opening::{Opened, Opening, Prepared};
use super::store::StoreCx;

/// A store on a server.
pub(super) struct Server {
    place: &'static str,
    connect: Box<Connect>,
    /// Made by the first shard; taken from here at launch only.
    way: Mutex<Option<Remote>>,
}

type Connect = dyn Fn(&Control, Options) -> Result<Remote, UrlError> + Send + Sync;

impl Server {
    #[cfg(feature = "redis")]
    pub(super) fn redis(url: String) -> Self {
        use quark_storage::redis::{RedisConfig, redis};

        Server::new("redis", move |control, options| {
            Ok(redis(control, RedisConfig::from_url(&url)?, options))
        })
    }

    #[cfg(feature = "postgres")]
    pub(super) fn postgres(url: String) -> Self {
        use quark_storage::postgres::{PostgresConfig, postgres};

        Server::new("postgres", move |control, options| {
            Ok(postgres(control, PostgresConfig::from_url(&url)?, options))
        })
    }

    fn new(
        place: &'static str,
        connect: impl Fn(&Control, Options) -> Result<Remote, UrlError> + Send + Sync + 'static,
    ) -> Self {
        Server {
            place,
            connect: Box::new(connect),
            way: Mutex::default(),
        }
    }

    fn refused(&self, why: impl ToString) -> StoreError {
        StoreError::Refused {
            place: self.place.to_owned(),
            why: why.to_string(),
        }
    }

    fn way(&self, cx: &StoreCx) -> Result<Remote, StoreError> {
        if cx.is_simulated() {
            let why = "a simulated engine has no way to it: give it Store::memory() or \
                       Store::directory(…)";
            return Err(self.refused(why));
        }
        let control = Control::shared().map_err(|error| StoreError::Unavailable {
            place: self.place.to_owned(),
            why: format!("no control thread: {error}"),
        })?;
        let options = Options::new(cx.handle().unique());
        (self.connect)(&control, options).map_err(|error| self.refused(error))
    }
}

impl Opening for Server {
    fn attendant_of(&self, reminder: &RecordKey, shards: u16) -> Option<u16> {
        Some(Share::holder(reminder, shards))
    }

    fn prepare(&self, cx: StoreCx) -> Opened<'_, Prepared> {
        Box::pin(async move {
            let way = self.way(&cx)?;
            // It lets us in, and has all that we need.
            let store = RemoteStore::new(&way, Share::whole());
            store.due(WallTime(0), 1).await?;
            let notes = store.report().notes;
            *self.way.lock().unwrap_or_else(PoisonError::into_inner) = Some(way);
            Ok(Prepared { notes, kept: None })
        })
    }

    fn open(&self, cx: StoreCx) -> Opened<'_, Rc<dyn Provider>> {
        Box::pin(async move {
            let way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(way) = &*way else {
                unreachable!("the first shard has connected before any opens it");
            };
            let share = Share::new(cx.shard(), cx.shards());
            Ok(Rc::new(RemoteStore::new(way, share)) as Rc<dyn Provider>)
        })
    }
}
