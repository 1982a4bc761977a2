//! Any bytes as what a store has of an actor: a state of an older and of the newest version, a
//! journal's snapshot, and its events. Calls are answered, with the state or a typed error, and
//! nobody overwrites what can't be read.
#![no_main]
#![allow(missing_docs)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::ready;
use std::rc::Rc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use quark::prelude::*;
use quark::storage::provider::{
    Append, Due, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey, Reminder,
    StoreReport, WallTime, Write,
};
use quark::testing::{Sim, SimOptions};
use quark::{Evolve, Journal, Old, StateError, UpgradeError, Versioned};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    name: String,
    #[serde(default)]
    scores: Vec<u64>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<u8>>,
    nested: Option<Box<Profile>>,
    kind: Kind,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    #[default]
    None,
    Number(i64),
    Pair {
        a: f64,
        b: char,
    },
}

impl Versioned for Profile {
    const VERSION: u32 = 2;

    fn upgrade(from: u32, old: Old<'_>) -> Result<Self, UpgradeError> {
        match from {
            0 => Ok(Profile {
                name: old.read::<String>()?,
                ..Profile::default()
            }),
            _ => old.read(),
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    total: i64,
    last: Option<Kind>,
}

impl Evolve for Sum {
    type Event = (i64, Kind);
    const SNAPSHOT_EVERY: u64 = 2;

    fn evolve(&mut self, (by, kind): &Self::Event) {
        self.total = self.total.wrapping_add(*by);
        self.last = Some(kind.clone());
    }
}

#[derive(Default, Stateful)]
pub struct Reader {
    #[state]
    profile: State<Profile>,
    #[state]
    sum: Journal<Sum>,
}

#[actor]
impl Reader {
    pub async fn add(&mut self, by: i64) -> Result<u64, StateError> {
        self.profile.scores.push(by.unsigned_abs());
        self.profile.save().await?;
        self.sum.append([(by, Kind::Number(by))]).await
    }

    pub fn leave(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

/// The record that the bytes are, and what was written over it.
#[derive(Default)]
struct Kept {
    name: &'static str,
    bytes: Bytes,
    is_written: bool,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
    static SIM: Sim = Engine::builder()
        .store(Store::custom(|_| Rc::new(Forged)))
        .simulate(1, SimOptions::default())
        .expect("it launches");
}

fuzz_target!(|data: &[u8]| run(data));

fn run(data: &[u8]) {
    let (how, data) = data.split_first().unwrap_or((&0, &[]));
    let header: &[u8] = match how % 4 {
        0 => &[],
        1 => &[1, 0, 0, 0, 0],
        2 => &[1, 1, 0, 0, 0],
        _ => &[1, 2, 0, 0, 0],
    };
    KEPT.set(Kept {
        name: [PROFILE, SNAPSHOT, EVENTS][usize::from(how / 4 % 3)],
        bytes: [header, data].concat().into(),
        is_written: false,
    });
    SIM.with(|sim| {
        let reader = sim.actor::<Reader>(1);
        match sim.block_on(async { reader.add(1).await }) {
            Ok(len) => assert!(len >= 1),
            Err(CallError::State(_) | CallError::Failed(_)) => {
                let is_written = KEPT.with_borrow(|kept| kept.is_written);
                assert!(!is_written, "what was not understood was written over");
            }
            Err(error) => panic!("not {error}"),
        }
        let _ = sim.block_on(async { reader.leave().await });
        sim.run_until_idle();
    });
}

const PROFILE: &str = "profile";
const SNAPSHOT: &str = "sum#snapshot";
const EVENTS: &str = "sum";
/// Events that the journal says it has where the bytes are its snapshot.
const LEN: u64 = 9;

/// A store that has the bytes, and forgets what it is told.
struct Forged;

fn kept(name: &str) -> Option<Bytes> {
    KEPT.with_borrow(|kept| (kept.name == name).then(|| kept.bytes.clone()))
}

fn now<T: 'static>(answer: T) -> Pending<T> {
    Box::pin(ready(Ok(answer)))
}

impl Provider for Forged {
    fn load(&self, key: &RecordKey, _: Epoch) -> Pending<Option<Record>> {
        now(kept(key.name()).map(|value| Record {
            etag: ETag(1),
            value,
        }))
    }

    fn save(&self, key: &RecordKey, _: Write) -> Pending<ETag> {
        KEPT.with_borrow_mut(|kept| kept.is_written |= kept.name == key.name());
        now(ETag(2))
    }

    fn clear(&self, _: &RecordKey, _: Epoch, _: Expected) -> Pending<()> {
        now(())
    }

    fn journal_len(&self, _: &RecordKey, _: Epoch) -> Pending<u64> {
        let is_event = kept(EVENTS).is_some();
        let is_snapshot = kept(SNAPSHOT).is_some();
        now(if is_snapshot { LEN } else { is_event.into() })
    }

    fn append(&self, _: &RecordKey, append: Append) -> Pending<u64> {
        now(append.after + append.events.len() as u64)
    }

    fn events(&self, _: &RecordKey, from: u64, _: usize) -> Pending<Vec<Event>> {
        let first = kept(EVENTS).filter(|_| from <= 1);
        let event = first.map(|value| Event { number: 1, value });
        now(event.into_iter().collect())
    }

    fn reminder(&self, _: &RecordKey, _: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        now(None)
    }

    fn set_reminder(
        &self,
        _: &RecordKey,
        _: Epoch,
        _: Expected,
        _: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        now(None)
    }

    fn due(&self, _: WallTime, _: usize) -> Pending<Due> {
        now(Due::default())
    }

    fn close(&self) -> Pending<()> {
        now(())
    }

    fn report(&self) -> StoreReport {
        StoreReport::default()
    }
}
