//! What the log must remember, whatever happens to it: the model that histories are held against.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::provider::RecordKey;

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    State,
    Journal,
    Reminder,
}

/// A value as it was written; its E-tag if that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) etag: Option<u64>,
    pub(super) value: Bytes,
}

/// One key, and what it may be.
pub(super) struct Slot {
    pub(super) key: RecordKey,
    pub(super) used: Use,
    /// What may be there; more than one while an outcome is unknown.
    pub(super) may_be: Vec<Option<Version>>,
    /// Acknowledged events.
    pub(super) events: Vec<Bytes>,
    /// Events that may be there behind them.
    pub(super) more: Vec<Bytes>,
    /// The highest epoch that was answered under.
    pub(super) epoch: u64,
    /// The highest that was tried.
    pub(super) tried: u64,
}

/// All keys.
#[derive(Default)]
pub(super) struct Model {
    pub(super) slots: Vec<Slot>,
    etags: BTreeSet<u64>,
    values: u64,
    /// Whether a worker has panicked.
    pub(super) is_broken: bool,
    /// Answers by kind, for the summary.
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) full: u64,
    pub(super) read_only: u64,
    pub(super) unavailable: u64,
    pub(super) loads: u64,
}

impl Model {
    pub(super) fn new(keys: u16) -> Self {
        let slots = (0..keys).map(|number| {
            let used = match number % 4 {
                0 | 1 => Use::State,
                2 => Use::Journal,
                _ => Use::Reminder,
            };
            let key = RecordKey::new("Model", &format!("actor{number}"), "it", number);
            Slot {
                key,
                used,
                may_be: vec![None],
                events: Vec::new(),
                more: Vec::new(),
                epoch: 0,
                tried: 0,
            }
        });
        Model {
            slots: slots.collect(),
            ..Model::default()
        }
    }

    /// A value that was never written before, of about `len` bytes.
    pub(super) fn value(&mut self, len: usize) -> Bytes {
        self.values += 1;
        let mut value = self.values.to_le_bytes().to_vec();
        value.resize(len.max(8), self.values as u8);
        Bytes::from(value)
    }

    /// An E-tag that was given for a save.
    pub(super) fn given(&mut self, etag: u64) {
        assert!(self.etags.insert(etag), "the E-tag {etag} was given before");
        self.acknowledged += 1;
    }

    /// Something was found: it must be what the key may be, and from now on it is.
    pub(super) fn found(&mut self, slot: usize, found: Option<Version>, settles: bool) {
        let slot = &mut self.slots[slot];
        let fits = |may: &Option<Version>| match (may, &found) {
            (None, None) => true,
            (Some(may), Some(found)) => {
                may.value == found.value && may.etag.is_none_or(|etag| Some(etag) == found.etag)
            }
            _ => false,
        };
        assert!(
            slot.may_be.iter().any(fits),
            "{} is {} and must be one of {:?}",
            slot.key,
            brief(&found),
            slot.may_be.iter().map(brief).collect::<Vec<_>>()
        );
        if settles {
            slot.may_be = vec![found];
        }
    }

    /// A journal was found to have `len` events.
    pub(super) fn found_len(&mut self, slot: usize, len: u64, settles: bool) {
        let slot = &mut self.slots[slot];
        let (sure, most) = (slot.events.len(), slot.events.len() + slot.more.len());
        assert!(
            len == sure as u64 || len == most as u64,
            "{} has {len} events, and must have {sure} or {most}",
            slot.key
        );
        if settles {
            let more = std::mem::take(&mut slot.more);
            if len > sure as u64 {
                slot.events.extend(more);
            }
        }
    }
}

fn brief(version: &Option<Version>) -> String {
    match version {
        None => "absent".to_owned(),
        Some(version) => {
            let head = version.value.get(..8).map_or(0, |head| {
                u64::from_le_bytes(head.try_into().expect("eight bytes"))
            });
            format!("value {head} (E-tag {:?})", version.etag)
        }
    }
}
