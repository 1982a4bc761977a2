//! What the script says, read with care.

use std::sync::Arc;

use bytes::Bytes;
use fred::types::Value;

use super::tags::HEADER;
use crate::provider::{
    CatchUp, DueReminder, ETag, Epoch, Event, Record, Reminder, StoreError, WallTime,
};
use crate::remote::{Answer, Cursor, DuePage, Failure, Op, Request, from_id};

/// What the script's `answer` to a batch means: for each of its requests, which have these places
/// and E-tags, the place and what became of it.
pub(super) fn read(
    answer: Value,
    asked: &[(usize, ETag)],
    all: &[Arc<Request>],
    place: &str,
) -> Option<Vec<(usize, Result<Answer, Failure>)>> {
    let Value::Array(values) = answer else {
        return None;
    };
    let mut values = values.into_iter();
    let states = bytes(values.next()?)?;
    if states.len() != asked.len() {
        return None;
    }
    let answers = states.iter().zip(asked).map(|(state, (at, tag))| {
        let op = &all[*at].op;
        let answer = one(*state, op, *tag, &mut values, place);
        (*at, answer.unwrap_or_else(|| Err(damaged(op, place))))
    });
    Some(answers.collect())
}

/// What became of `op`; `None` where that can't be read.
fn one(
    state: u8,
    op: &Op,
    tag: ETag,
    values: &mut impl Iterator<Item = Value>,
    place: &str,
) -> Option<Result<Answer, Failure>> {
    let name = || op.key().map_or_else(String::new, ToString::to_string);
    Some(match (state, op) {
        (b'w', Op::Save { .. }) => Ok(Answer::Saved(tag)),
        (b'k', _) => Ok(nothing_to_say(op)?),
        (b'v', _) => Ok(said(op, values.next()?)?),
        (b'c', _) => {
            let current = bytes(values.next()?)?;
            let current = match current.is_empty() {
                true => None,
                false => Some(ETag(eight(&current)?)),
            };
            let key = name();
            Err(Failure::Said(StoreError::Conflict { key, current }))
        }
        (b'f', _) => {
            let current = Epoch(eight(&bytes(values.next()?)?)?);
            let key = name();
            Err(Failure::Said(StoreError::Fenced { key, current }))
        }
        (b'b', _) => {
            let (key, len) = (name(), number(values.next()?)?);
            Err(Failure::Said(StoreError::Behind { key, len }))
        }
        (b'd', _) => {
            let why = bytes(values.next()?)?;
            let why = String::from_utf8_lossy(&why).into_owned();
            Err(Failure::Said(StoreError::Damaged { what: name(), why }))
        }
        (b'e', _) => {
            let why = bytes(values.next()?)?;
            Err(refusal(&String::from_utf8_lossy(&why), place))
        }
        _ => return None,
    })
}

/// What an error that the server has sent means.
pub(super) fn refusal(why: &str, place: &str) -> Failure {
    /// These pass: the server starts, moves, or hands over.
    const PASSING: [&str; 7] = [
        "LOADING",
        "CLUSTERDOWN",
        "MASTERDOWN",
        "TRYAGAIN",
        "READONLY",
        "BUSY",
        "NOREPLICAS",
    ];
    let why = why.trim_start_matches(['-', ' ']);
    if PASSING.iter().any(|word| why.starts_with(word)) {
        return Failure::Again(why.to_owned());
    }
    Failure::Said(StoreError::Refused {
        place: place.to_owned(),
        why: why.to_owned(),
    })
}

fn damaged(op: &Op, place: &str) -> Failure {
    let what = match op.key() {
        Some(key) => format!("{key} at {place}"),
        None => place.to_owned(),
    };
    let why = "the server's answer can't be read".to_owned();
    Failure::Said(StoreError::Damaged { what, why })
}

fn nothing_to_say(op: &Op) -> Option<Answer> {
    match op {
        Op::Ping | Op::Clear { .. } | Op::SetReminder { .. } => Some(Answer::Done),
        Op::Load { .. } => Some(Answer::Record(None)),
        Op::Reminder { .. } => Some(Answer::Reminder(None)),
        _ => None,
    }
}

fn said(op: &Op, value: Value) -> Option<Answer> {
    Some(match op {
        Op::Load { .. } => {
            let record = bytes(value)?;
            let etag = ETag(eight(record.get(..8)?)?);
            let value = (record.len() >= HEADER).then(|| record.slice(HEADER..))?;
            Answer::Record(Some(Record { etag, value }))
        }
        Op::Save { .. } | Op::SetReminder { .. } => Answer::Saved(ETag(eight(&bytes(value)?)?)),
        Op::JournalLen { .. } | Op::Append { .. } => Answer::Len(number(value)?),
        Op::Events { from, .. } => {
            let events = (*from..).zip(array(value)?).map(|(number, value)| {
                let value = bytes(value)?;
                Some(Event { number, value })
            });
            Answer::Events(events.collect::<Option<_>>()?)
        }
        Op::Reminder { .. } => {
            let mut words = array(value)?;
            let etag = ETag(eight(&bytes(words.next()?)?)?);
            Answer::Reminder(Some((etag, reminder(&mut words)?)))
        }
        Op::Due { .. } => Answer::Due(due(array(value)?)?),
        Op::Ping | Op::Clear { .. } => return None,
    })
}

fn due(mut words: impl Iterator<Item = Value>) -> Option<DuePage> {
    let has_more = bytes(words.next()?)? == "more";
    let mut page = DuePage {
        next: words.next().and_then(number).map(WallTime),
        ..DuePage::default()
    };
    let mut last = None;
    for entry in words {
        let mut entry = array(entry)?;
        let member = bytes(entry.next()?)?;
        let score = number(entry.next()?)?;
        let key = from_id(&member);
        last = Some(Cursor { due: score, member });
        let etag = bytes(entry.next()?).and_then(|etag| eight(&etag)).map(ETag);
        // What we have not written is passed over.
        if let (Some(key), Some(etag)) = (key, etag) {
            page.due.push(DueReminder {
                key,
                etag,
                reminder: reminder(&mut entry)?,
            });
        }
    }
    page.more = last.filter(|_| has_more);
    Some(page)
}

fn reminder(words: &mut impl Iterator<Item = Value>) -> Option<Reminder> {
    let due = WallTime(number(words.next()?)?);
    let period = bytes(words.next()?)?;
    let period_ms = match period.is_empty() {
        true => None,
        false => Some(number(Value::Bytes(period))?),
    };
    let catch_up = match &bytes(words.next()?)?[..] {
        b"once" => CatchUp::Once,
        b"each" => CatchUp::Each,
        b"skip" => CatchUp::Skip,
        _ => return None,
    };
    Some(Reminder {
        due,
        period_ms,
        catch_up,
    })
}

fn array(value: Value) -> Option<impl Iterator<Item = Value>> {
    match value {
        Value::Array(values) => Some(values.into_iter()),
        _ => None,
    }
}

/// A number of eight bytes.
fn eight(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::String(text) => Some(text.into_inner()),
        _ => None,
    }
}

fn number(value: Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(number).ok(),
        other => std::str::from_utf8(&bytes(other)?).ok()?.parse().ok(),
    }
}
