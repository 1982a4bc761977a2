//! `durable-redis` and `durable-postgres`: savers on servers, which are started for the run unless
//! one is named.

use super::{Setup, Workload};
use crate::error::Error;
use crate::report::Report;

/// On Redis.
pub const REDIS: Workload = Workload {
    name: "durable-redis",
    about: "The same on a Redis that syncs its append-only file before it answers.",
    unit: "saves",
    floor: Some("fred: SET, 64 tasks"),
    run: redis,
};

/// On PostgreSQL.
pub const POSTGRES: Workload = Workload {
    name: "durable-postgres",
    about: "The same on a PostgreSQL.",
    unit: "saves",
    floor: Some("tokio-postgres: upsert, 64 tasks"),
    run: postgres,
};

#[cfg(feature = "redis")]
fn redis(setup: &Setup) -> Result<Report, Error> {
    use crate::floors::redis;
    use crate::server::Kind;

    let place = served::Place::new(Kind::Redis, setup.options.redis_url.as_deref(), setup)?;
    let keeper = served::Served {
        store: quark::Store::redis(place.with("prefix=quark-bench")),
        floor: redis::saves_per_s,
        about: redis::about(&place.url)?,
        place,
    };
    super::saves::measure(&REDIS, setup, &keeper)
}

#[cfg(feature = "postgres")]
fn postgres(setup: &Setup) -> Result<Report, Error> {
    use crate::floors::postgres;
    use crate::server::Kind;

    let place = served::Place::new(Kind::Postgres, setup.options.postgres_url.as_deref(), setup)?;
    let keeper = served::Served {
        store: quark::Store::postgres(place.with("schema=quark_bench")),
        floor: postgres::saves_per_s,
        about: postgres::about(&place.url)?,
        place,
    };
    super::saves::measure(&POSTGRES, setup, &keeper)
}

#[cfg(not(feature = "redis"))]
fn redis(_: &Setup) -> Result<Report, Error> {
    Err(not_built_in("redis"))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &Setup) -> Result<Report, Error> {
    Err(not_built_in("postgres"))
}

#[cfg(not(all(feature = "redis", feature = "postgres")))]
fn not_built_in(feature: &str) -> Error {
    Error::Launch(format!(
        "not built in; build quark-bench with --features {feature}"
    ))
}

#[cfg(any(feature = "redis", feature = "postgres"))]
mod served {
    use quark::Store;

    use super::super::Setup;
    use super::super::saves::Keeper;
    use crate::error::Error;
    use crate::floors::{Floor, FloorError};
    use crate::pace::Pace;
    use crate::report::Report;
    use crate::server::{Kind, Server};

    /// Where a server is.
    pub(super) struct Place {
        pub(super) url: String,
        /// Ends with the run.
        _own: Option<Server>,
    }

    impl Place {
        /// At `url`, or one of the run's own.
        pub(super) fn new(kind: Kind, url: Option<&str>, setup: &Setup) -> Result<Self, Error> {
            let own = match url {
                Some(_) => None,
                None => Some(Server::start(kind, setup.options.dir.as_deref())?),
            };
            let url = url.map(str::to_owned).or(own.as_ref().map(Server::url));
            Ok(Place {
                url: url.unwrap_or_default(),
                _own: own,
            })
        }

        /// The store's own corner of it.
        pub(super) fn with(&self, parameter: &str) -> String {
            let first = if self.url.contains('?') { '&' } else { '?' };
            format!("{}{first}{parameter}", self.url)
        }
    }

    /// States on a server.
    pub(super) struct Served {
        pub(super) place: Place,
        pub(super) store: Store,
        pub(super) floor: fn(&str, &Pace) -> Result<Floor, FloorError>,
        pub(super) about: String,
    }

    impl Keeper for Served {
        fn store(&self, _: usize) -> Store {
            self.store.clone()
        }

        fn floor(&self, _: usize, pace: Pace) -> Result<Option<Floor>, Error> {
            Ok(Some((self.floor)(&self.place.url, &pace)?))
        }

        fn told(&self, _: usize, report: Report) -> Result<Report, Error> {
            Ok(report.figure("server", self.about.clone()))
        }
    }
}
