//! The way to the shard that keeps a key's records: straight on that shard, by posts from others.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::task::{Poll, Waker};

use quark_shards::ring::Message;
use quark_shards::shard::Shard;
use quark_shards::slots::slot_of;
use quark_storage::provider::{Epoch, Pending, Provider, RecordKey, StoreError};

use super::error::StateError;
use crate::key::Key;
use crate::runtime::{RUNTIME, Runtime, try_with_runtime, with_runtime};

/// Where one record of an actor is kept, and under which epoch its activation asks for it. It
/// moves with the actor, and leads to the same shard from everywhere.
#[derive(Clone, Debug)]
pub struct Place {
    keeper: u16,
    store: &'static str,
    record: RecordKey,
    epoch: Epoch,
}

impl Place {
    /// The record called `name` in `store`, of the actor `key` of the type registered as `actor`,
    /// where `hash` is the key's.
    pub(crate) fn new(
        runtime: &Runtime,
        actor: &str,
        key: &Key,
        hash: u64,
        store: &'static str,
        name: &str,
    ) -> Self {
        let slot = slot_of(hash);
        Place {
            keeper: runtime.engine().keeper_of(hash),
            store,
            record: RecordKey::new(actor, &text_of(key), name, slot),
            epoch: runtime.epoch_of(slot),
        }
    }

    /// The record whose name is this one's and then `suffix`.
    pub(crate) fn beside(&self, suffix: &str) -> Self {
        let record = &self.record;
        let name = format!("{}{suffix}", record.name());
        Place {
            record: RecordKey::new(record.actor(), record.key(), &name, record.slot()),
            ..self.clone()
        }
    }

    /// The same for a reminder, which is asked for where it will be found due: who sets one has
    /// that shard look again.
    pub(crate) fn of_reminder(self, runtime: &Runtime) -> Self {
        let engine = runtime.engine();
        let stores = &engine.settings().stores;
        let attendant = stores.attendant_of(self.store, &self.record, engine.shards());
        Place {
            keeper: attendant.unwrap_or(self.keeper),
            ..self
        }
    }

    /// What the record is found by.
    pub(crate) fn record(&self) -> &RecordKey {
        &self.record
    }

    /// Asks the store for something, on the shard that keeps the record. Polled on a shard of the
    /// engine. Dropped before it is ready, it leaves open whether that was done.
    pub(crate) async fn ask<T, W>(&self, work: W) -> Result<T, StateError>
    where
        T: Send + 'static,
        W: FnOnce(&dyn Provider, &RecordKey, Epoch) -> Pending<T> + Send + 'static,
    {
        let here = try_with_runtime(|here| here.map(|(shard, _)| shard.id()));
        match here {
            None => Err(StateError::NotLoaded),
            Some(shard) if shard == self.keeper => {
                let pending = with_runtime(|_, runtime| {
                    let provider = runtime.stores.get(self.store)?;
                    Ok::<_, StateError>(work(&*provider, &self.record, self.epoch))
                })?;
                Ok(pending.await?)
            }
            Some(_) => self.ask_keeper(work).await,
        }
    }

    async fn ask_keeper<T, W>(&self, work: W) -> Result<T, StateError>
    where
        T: Send + 'static,
        W: FnOnce(&dyn Provider, &RecordKey, Epoch) -> Pending<T> + Send + 'static,
    {
        let asking = with_runtime(|shard, runtime| {
            let number = runtime.stores.requests.begin();
            let request = Request {
                number,
                place: self.clone(),
                work,
                answer: PhantomData::<fn() -> T>,
            };
            runtime.post(shard, self.keeper, request);
            Asking(number)
        });
        asking.answer().await
    }
}

impl Runtime {
    /// Under which epoch this node has the keys of a slot.
    pub(crate) fn epoch_of(&self, slot: u16) -> Epoch {
        let deed = self.remote().and_then(|remote| remote.deed(slot));
        deed.map_or_else(|| self.stores.epoch(), Epoch)
    }
}

/// A key as it stands in records: what kind it is, and its text.
pub(crate) fn text_of(key: &Key) -> String {
    match key {
        Key::Int(number) => format!("i:{number}"),
        Key::Str(text) => format!("s:{text}"),
    }
}

/// The key that stands in a record so; for a text that no key has, some key or other.
pub(crate) fn key_of(text: &str) -> Key {
    if let Some(number) = text.strip_prefix("i:")
        && let Ok(number) = number.parse()
    {
        return Key::Int(number);
    }
    Key::from(text.strip_prefix("s:").unwrap_or(text))
}

/// What a shard has asked of others' stores and waits for.
#[derive(Default)]
pub(crate) struct Requests {
    next: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Waiting>>,
}

enum Waiting {
    For(Waker),
    Answered(Box<dyn Any>),
}

impl Requests {
    fn begin(&self) -> u64 {
        let number = self.next.get();
        self.next.set(number + 1);
        let waiting = Waiting::For(Waker::noop().clone());
        self.waiting.borrow_mut().insert(number, waiting);
        number
    }

    fn answer(&self, number: u64, answer: Box<dyn Any>) {
        let mut waiting = self.waiting.borrow_mut();
        // Nobody may wait any more.
        let Some(place) = waiting.get_mut(&number) else {
            return;
        };
        let before = std::mem::replace(place, Waiting::Answered(answer));
        drop(waiting);
        if let Waiting::For(waker) = before {
            waker.wake();
        }
    }
}

/// One who waits for another shard's answer.
struct Asking(u64);

impl Asking {
    async fn answer<T: 'static>(self) -> Result<T, StateError> {
        let answer = poll_fn(|cx| {
            with_runtime(|_, runtime| {
                let mut waiting = runtime.stores.requests.waiting.borrow_mut();
                match waiting.get_mut(&self.0) {
                    Some(Waiting::For(waker)) => {
                        waker.clone_from(cx.waker());
                        Poll::Pending
                    }
                    _ => Poll::Ready(waiting.remove(&self.0)),
                }
            })
        })
        .await;
        match answer {
            Some(Waiting::Answered(answer)) => match answer.downcast::<Result<T, StateError>>() {
                Ok(answer) => *answer,
                Err(_) => unreachable!("the answer to a request has the request's type"),
            },
            _ => Err(StoreError::Closed.into()),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let left = try_with_runtime(|here| {
            let (_, runtime) = here?;
            runtime.stores.requests.waiting.borrow_mut().remove(&self.0)
        });
        drop(left);
    }
}

/// What another shard is to do with its store.
struct Request<T, W> {
    number: u64,
    place: Place,
    work: W,
    answer: PhantomData<fn() -> T>,
}

impl<T, W> Message<Shard> for Request<T, W>
where
    T: Send + 'static,
    W: FnOnce(&dyn Provider, &RecordKey, Epoch) -> Pending<T> + Send + 'static,
{
    fn deliver(self, shard: &Shard, from: u16) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        let debt = Debt::<T> {
            to: from,
            number: self.number,
            store: self.place.store,
            answer: None,
        };
        match runtime.stores.get(self.place.store) {
            Ok(provider) => {
                let pending = (self.work)(&*provider, &self.place.record, self.place.epoch);
                shard.spawn(async move { debt.pay(pending.await.map_err(StateError::from)) });
            }
            Err(error) => debt.pay(Err(error)),
        }
    }
}

/// An answer that is owed, and given when this is dropped, whatever comes between.
struct Debt<T: Send + 'static> {
    to: u16,
    number: u64,
    store: &'static str,
    answer: Option<Result<T, StateError>>,
}

impl<T: Send + 'static> Debt<T> {
    fn pay(mut self, answer: Result<T, StateError>) {
        self.answer = Some(answer);
    }
}

impl<T: Send + 'static> Drop for Debt<T> {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            Err(StateError::Store(StoreError::Unavailable {
                place: format!("the store {:?}", self.store),
                why: "it was given up on the shard that keeps the record".to_owned(),
            }))
        });
        let answer = Answer {
            number: self.number,
            answer,
        };
        try_with_runtime(|here| {
            if let Some((shard, runtime)) = here {
                runtime.post(shard, self.to, answer);
            }
        });
    }
}

struct Answer<T> {
    number: u64,
    answer: Result<T, StateError>,
}

impl<T: Send + 'static> Message<Shard> for Answer<T> {
    fn deliver(self, shard: &Shard, _: u16) {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            let answer = Box::new(self.answer);
            runtime.stores.requests.answer(self.number, answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_again_in_their_text() {
        for key in [
            Key::Int(42),
            Key::Int(u64::MAX),
            Key::from("alice"),
            Key::from(""),
            Key::from("i:7"),
        ] {
            assert_eq!(key_of(&text_of(&key)), key);
        }
        for text in ["", "i", "i:", "i:-1", "x:7", "é"] {
            assert_eq!(key_of(text), Key::from(text));
        }
    }
}
