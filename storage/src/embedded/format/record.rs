//! One thing that was written: a state, events, a reminder, a fence, or that something is gone.

use std::ops::Range;

use bytes::Bytes;

use super::super::index::SEQUENCES_MOST;
use super::{GRAIN, put, u16_at, u32_at, u64_at};
use crate::provider::{
    CatchUp, EVENTS_MOST, Event, KEY_BYTES_MOST, RecordKey, Reminder, VALUE_BYTES_MOST, WallTime,
};

/// Bytes before a record's names.
pub(in crate::embedded) const RECORD_HEADER: usize = 56;
/// No record's names and value are longer.
const BODY_MOST: usize = KEY_BYTES_MOST + VALUE_BYTES_MOST + 4 * EVENTS_MOST;
const CRC: usize = 52;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Kind {
    /// Body: names, value.
    State,
    /// The state is gone. No body.
    StateGone,
    /// Body: names, the length of each event, the events.
    Events,
    /// Body: names, the reminder.
    Reminder,
    /// The reminder is gone. No body.
    ReminderGone,
    /// A slot's epoch. No body.
    Fence,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::State,
            2 => Kind::StateGone,
            3 => Kind::Events,
            4 => Kind::Reminder,
            5 => Kind::ReminderGone,
            6 => Kind::Fence,
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Kind::State => 1,
            Kind::StateGone => 2,
            Kind::Events => 3,
            Kind::Reminder => 4,
            Kind::ReminderGone => 5,
            Kind::Fence => 6,
        }
    }
}

/// Where a record's names are told apart, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Names {
    actor: u16,
    key: u16,
    name: u16,
}

impl Names {
    pub(in crate::embedded) fn of(key: &RecordKey) -> Self {
        // Checked where they came in: 4096 together.
        let short = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX);
        Names {
            actor: short(key.actor()),
            key: short(key.key()),
            name: short(key.name()),
        }
    }

    fn total(self) -> usize {
        usize::from(self.actor) + usize::from(self.key) + usize::from(self.name)
    }
}

/// All of a record but its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct RecordHeader {
    pub(in crate::embedded) kind: Kind,
    pub(in crate::embedded) slot: u16,
    pub(in crate::embedded) sequence: u64,
    pub(in crate::embedded) fingerprint: u128,
    /// The first event's number, the reminder's due time, or the fence's epoch.
    pub(in crate::embedded) number: u64,
    /// How many events there are.
    pub(in crate::embedded) count: u16,
    pub(in crate::embedded) names: Names,
    pub(in crate::embedded) body_len: u32,
    pub(in crate::embedded) body_crc: u32,
}

impl RecordHeader {
    pub(in crate::embedded) fn encode(&self, bytes: &mut [u8], salt: u32) {
        put(bytes, 0, &self.body_len.to_le_bytes());
        put(bytes, 4, &[self.kind.byte(), 0]);
        put(bytes, 6, &self.slot.to_le_bytes());
        put(bytes, 8, &self.sequence.to_le_bytes());
        put(bytes, 16, &self.fingerprint.to_le_bytes());
        put(bytes, 32, &self.number.to_le_bytes());
        put(bytes, 40, &self.names.actor.to_le_bytes());
        put(bytes, 42, &self.names.key.to_le_bytes());
        put(bytes, 44, &self.names.name.to_le_bytes());
        put(bytes, 46, &self.count.to_le_bytes());
        put(bytes, 48, &self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(salt, &bytes[..CRC]);
        put(bytes, CRC, &crc.to_le_bytes());
    }

    /// The header at the beginning of `bytes`, if there is one of this log.
    pub(in crate::embedded) fn parse(bytes: &[u8], salt: u32) -> Option<Self> {
        let kind = Kind::of(*bytes.get(4)?)?;
        if bytes.len() < RECORD_HEADER
            || u32_at(bytes, CRC) != crc32c::crc32c_append(salt, &bytes[..CRC])
        {
            return None;
        }
        let header = RecordHeader {
            kind,
            slot: u16_at(bytes, 6),
            sequence: u64_at(bytes, 8),
            fingerprint: u128::from(u64_at(bytes, 16)) | u128::from(u64_at(bytes, 24)) << 64,
            number: u64_at(bytes, 32),
            count: u16_at(bytes, 46),
            names: Names {
                actor: u16_at(bytes, 40),
                key: u16_at(bytes, 42),
                name: u16_at(bytes, 44),
            },
            body_len: u32_at(bytes, 0),
            body_crc: u32_at(bytes, 48),
        };
        let end = header.number.checked_add(u64::from(header.count))?;
        let within = header.body_len as usize <= BODY_MOST
            && header.names.total() <= header.body_len as usize
            && usize::from(header.count) <= EVENTS_MOST
            && header.sequence < SEQUENCES_MOST
            && (kind != Kind::Events || header.count > 0 && end <= SEQUENCES_MOST);
        within.then_some(header)
    }

    /// Header and body, up to where the next record may begin.
    pub(in crate::embedded) fn len(&self) -> usize {
        (RECORD_HEADER + self.body_len as usize).next_multiple_of(GRAIN)
    }
}

/// A body's checksum.
pub(in crate::embedded) fn body_crc(body: &[u8], salt: u32) -> u32 {
    crc32c::crc32c_append(salt, body)
}

/// Appends the names, and the values with a table of lengths if they are `events`.
pub(in crate::embedded) fn encode_body(
    buffer: &mut Vec<u8>,
    key: &RecordKey,
    values: &[Bytes],
    events: bool,
) {
    for text in [key.actor(), key.key(), key.name()] {
        buffer.extend_from_slice(text.as_bytes());
    }
    if events {
        for value in values {
            // Checked where they came in: a megabyte together.
            let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
            buffer.extend_from_slice(&len.to_le_bytes());
        }
    }
    for value in values {
        buffer.extend_from_slice(value);
    }
}

/// Whether `body` begins with the names of `key`.
pub(in crate::embedded) fn names_match(
    header: &RecordHeader,
    body: &[u8],
    key: &RecordKey,
) -> bool {
    let (actor, rest) = body.split_at(usize::from(header.names.actor).min(body.len()));
    let (middle, rest) = rest.split_at(usize::from(header.names.key).min(rest.len()));
    let (name, _) = rest.split_at(usize::from(header.names.name).min(rest.len()));
    actor == key.actor().as_bytes()
        && middle == key.key().as_bytes()
        && name == key.name().as_bytes()
}

/// The key that the names at the beginning of `body` make.
pub(in crate::embedded) fn key_of(header: &RecordHeader, body: &[u8]) -> Option<RecordKey> {
    let text = |range: Range<usize>| std::str::from_utf8(body.get(range)?).ok();
    let actor = usize::from(header.names.actor);
    let middle = actor + usize::from(header.names.key);
    let key = RecordKey::new(
        text(0..actor)?,
        text(actor..middle)?,
        text(middle..header.names.total())?,
        header.slot,
    );
    (key.fingerprint() == header.fingerprint).then_some(key)
}

/// What comes behind the names.
pub(in crate::embedded) fn value_of(header: &RecordHeader, body: &Bytes) -> Bytes {
    body.slice(header.names.total().min(body.len())..)
}

/// The events of a record, as far as its body has them.
pub(in crate::embedded) fn events_of(header: &RecordHeader, body: &Bytes) -> Vec<Event> {
    let table = value_of(header, body);
    let count = usize::from(header.count);
    let mut events = Vec::with_capacity(count.min(table.len() / 4));
    let mut at = count * 4;
    for index in 0..count.min(table.len() / 4) {
        let end = at.saturating_add(u32_at(&table, index * 4) as usize);
        if end > table.len() {
            break;
        }
        events.push(Event {
            number: header.number + index as u64,
            value: table.slice(at..end),
        });
        at = end;
    }
    events
}

/// A reminder, as its record's value.
pub(in crate::embedded) fn encode_reminder(reminder: Reminder) -> Bytes {
    let mut value = Vec::with_capacity(17);
    value.extend_from_slice(&reminder.due.0.to_le_bytes());
    value.extend_from_slice(&reminder.period_ms.unwrap_or(0).to_le_bytes());
    let catch_up = match reminder.catch_up {
        CatchUp::Once => 0,
        CatchUp::Each => 1,
        CatchUp::Skip => 2,
    };
    // A period of zero is one, too.
    value.push(catch_up | u8::from(reminder.period_ms.is_some()) << 7);
    Bytes::from(value)
}

/// The reminder that a record's value is.
pub(in crate::embedded) fn parse_reminder(value: &[u8]) -> Option<Reminder> {
    if value.len() != 17 {
        return None;
    }
    let catch_up = match value[16] & 0x7f {
        0 => CatchUp::Once,
        1 => CatchUp::Each,
        2 => CatchUp::Skip,
        _ => return None,
    };
    Some(Reminder {
        due: WallTime(u64_at(value, 0)),
        period_ms: (value[16] & 0x80 != 0).then(|| u64_at(value, 8)),
        catch_up,
    })
}
