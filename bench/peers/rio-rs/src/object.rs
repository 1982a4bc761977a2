//! The object that is called: it counts.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use async_trait::async_trait;
use rio_rs::prelude::*;
use serde::{Deserialize, Serialize};

/// Its type, as callers name it.
pub const COUNTER: &str = "Counter";

/// Counts.
#[derive(Debug, Default, TypeName, WithId)]
pub struct Counter {
    id: String,
    sum: u64,
}

/// Add, and say how far it has come.
#[derive(Debug, Message, TypeName, Serialize, Deserialize)]
pub struct Add {
    more: u64,
}

/// Hand the server's own data out, through the [`Lender`] in it: only objects are given it, and
/// requests from inside of the process go by it.
#[derive(Debug, Message, TypeName, Serialize, Deserialize)]
pub struct Lend;

/// Takes the server's data.
pub struct Lender(pub Sender<Arc<AppData>>);

impl ServiceObject for Counter {}

impl ServiceObjectStateLoad for Counter {}

#[async_trait]
impl Handler<Add> for Counter {
    type Returns = u64;
    type Error = NoopError;

    async fn handle(&mut self, add: Add, _: Arc<AppData>) -> Result<u64, NoopError> {
        self.sum += black_box(add.more);
        Ok(self.sum)
    }
}

#[async_trait]
impl Handler<Lend> for Counter {
    type Returns = ();
    type Error = NoopError;

    async fn handle(&mut self, _: Lend, app: Arc<AppData>) -> Result<(), NoopError> {
        let lent = app.get::<Lender>().0.send(app.clone());
        lent.expect("somebody waits for it");
        Ok(())
    }
}

/// All that a server can do.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.add_type::<Counter>();
    registry.add_handler::<Counter, LifecycleMessage>();
    registry.add_handler::<Counter, Add>();
    registry.add_handler::<Counter, Lend>();
    registry
}

/// Asks the counter `id` of this process.
#[inline]
pub async fn add(app: &AppData, id: &str) -> u64 {
    let add = Add { more: black_box(1) };
    let sum: Result<u64, RequestError<NoopError>> = Counter::send(app, COUNTER, id, &add).await;
    sum.expect("the object answers")
}
