//! What the script says, read with care.

use bytes::Bytes;
use fred::types::Value;

use super::batch::{bucket_of, etag};
use crate::provider::{CatchUp, DueReminder, Epoch, Event, Record, Reminder, StoreError, WallTime};
use crate::remote::{Answer, Cursor, DuePage, Failure, Op, from_id};

/// What `value` means as the answer to `op`.
pub(super) fn read(op: &Op, value: Value, place: &str) -> Result<Answer, Failure> {
    let Value::Array(values) = value else {
        return Err(damaged(op, place));
    };
    let bucket = bucket_of(op);
    let mut words = values.into_iter();
    let word = words
        .next()
        .and_then(bytes)
        .ok_or_else(|| damaged(op, place))?;
    let name = || op.key().map_or_else(String::new, ToString::to_string);
    match &word[..] {
        b"ok" => answer(op, bucket, words).ok_or_else(|| damaged(op, place)),
        b"conflict" => {
            let current = words.next().and_then(number).and_then(|n| etag(bucket, n));
            let key = name();
            Err(Failure::Said(StoreError::Conflict { key, current }))
        }
        b"fenced" => {
            let current = words
                .next()
                .and_then(number)
                .ok_or_else(|| damaged(op, place))?;
            let (key, current) = (name(), Epoch(current));
            Err(Failure::Said(StoreError::Fenced { key, current }))
        }
        b"behind" => {
            let len = words
                .next()
                .and_then(number)
                .ok_or_else(|| damaged(op, place))?;
            Err(Failure::Said(StoreError::Behind { key: name(), len }))
        }
        b"damaged" => {
            let why = words.next().and_then(bytes).unwrap_or_default();
            let why = String::from_utf8_lossy(&why).into_owned();
            Err(Failure::Said(StoreError::Damaged { what: name(), why }))
        }
        b"error" => {
            let why = words.next().and_then(bytes).unwrap_or_default();
            Err(refusal(&String::from_utf8_lossy(&why), place))
        }
        _ => Err(damaged(op, place)),
    }
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

fn answer(op: &Op, bucket: u16, mut words: impl Iterator<Item = Value>) -> Option<Answer> {
    let tag = |words: &mut dyn Iterator<Item = Value>| match words.next() {
        Some(count) => Some(Some(etag(bucket, number(count)?)?)),
        None => Some(None),
    };
    match op {
        Op::Ping | Op::Clear { .. } => Some(Answer::Done),
        Op::Load { .. } => {
            let Some(etag) = tag(&mut words)? else {
                return Some(Answer::Record(None));
            };
            let value = bytes(words.next()?)?;
            Some(Answer::Record(Some(Record { etag, value })))
        }
        Op::Save { .. } => Some(Answer::Saved(tag(&mut words)??)),
        Op::JournalLen { .. } | Op::Append { .. } => Some(Answer::Len(number(words.next()?)?)),
        Op::Events { from, .. } => {
            let events = (*from..).zip(words).map(|(number, value)| {
                let value = bytes(value)?;
                Some(Event { number, value })
            });
            Some(Answer::Events(events.collect::<Option<_>>()?))
        }
        Op::Reminder { .. } => {
            let Some(etag) = tag(&mut words)? else {
                return Some(Answer::Reminder(None));
            };
            let reminder = reminder(&mut words)?;
            Some(Answer::Reminder(Some((etag, reminder))))
        }
        Op::SetReminder { .. } => Some(match tag(&mut words)? {
            Some(etag) => Answer::Saved(etag),
            None => Answer::Done,
        }),
        Op::Due { .. } => Some(Answer::Due(due(bucket, words)?)),
    }
}

fn due(bucket: u16, mut words: impl Iterator<Item = Value>) -> Option<DuePage> {
    let has_more = bytes(words.next()?)? == "more";
    let mut page = DuePage {
        next: words.next().and_then(number).map(WallTime),
        ..DuePage::default()
    };
    let mut last = None;
    for entry in words {
        let Value::Array(entry) = entry else {
            return None;
        };
        let mut entry = entry.into_iter();
        let member = bytes(entry.next()?)?;
        let score = number(entry.next()?)?;
        let key = from_id(&member);
        last = Some(Cursor { due: score, member });
        let etag = number(entry.next()?).and_then(|count| etag(bucket, count));
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
