//! What is asked, as the script takes it.
//!
//! One string has all that has a fixed length, since a string more costs the script more than what
//! it does with it:
//!
//! | bytes | what |
//! |---|---|
//! | 2, 2 | how many epochs there are, and how many simple operations |
//! | 8 for each | the epochs; their slots' keys come first of all |
//! | 12 for each | the simple operations: a letter, what is expected, which epoch, which E-tag |
//! | 15 for each | the others: the same, and how many keys and arguments they have |
//!
//! All numbers have their highest byte first. No two operations of a call are on the same record
//! (of one key, `remote::jobs` sends one request at a time), so that the script may read
//! all records before it writes any.

use std::sync::Arc;

use bytes::Bytes;
use fred::types::{Key, Value};

use super::tags::{HEADER, is_small, tag_of};
use crate::provider::{CatchUp, ETag, Epoch, Expected, RecordKey, Reminder};
use crate::remote::{Op, PARTS, Request, Token, write_id};

/// All keys of one have one hash tag. Changing this would lose all records. The parts of reminders
/// are the same.
pub(super) const BUCKETS: u16 = 64;
const _: () = assert!(BUCKETS == PARTS);
/// How long it is known who removed a record, in milliseconds.
const KEEP_MS: i64 = 3_600_000;
/// Bytes of events read at once.
const EVENTS_BYTES: i64 = 2 << 20;
/// The largest whole number that all smaller ones are beside, as scores are stored.
const SCORE_MOST: u64 = 1 << 53;
/// Stands for the epoch of those that have none.
const NO_EPOCH: u16 = u16::MAX;

/// Keys and arguments of one call of the script.
pub(super) struct Batch {
    pub(super) keys: Vec<Key>,
    pub(super) args: Vec<Value>,
    /// Which of the requests are in it, in the order of the answers, and the E-tag of each if it
    /// writes.
    pub(super) requests: Vec<(usize, ETag)>,
}

/// Which bucket a request is for.
pub(super) fn bucket_of(op: &Op) -> u16 {
    match op {
        Op::Due { parts, .. } => parts.first().map_or(0, |part| *part % BUCKETS),
        other => other.key().map_or(0, |key| key.slot() % BUCKETS),
    }
}

/// Where the numbers of a bucket's [tags](super::tags) come from.
pub(super) fn counter(prefix: &str, bucket: u16) -> String {
    format!("{{{prefix}:{bucket}}}n")
}

impl Batch {
    /// Packs those of `all` that stand at `places`; their E-tags have the numbers from `number`
    /// on, of which it takes as many as there are places.
    pub(super) fn pack(prefix: &str, all: &[Arc<Request>], places: &[usize], number: u64) -> Self {
        let (simple, others): (Vec<usize>, Vec<usize>) =
            places.iter().partition(|at| is_simple(&all[**at].op));
        let bytes: usize = places.iter().map(|at| all[*at].op.bytes() + 160).sum();
        let mut packer = Packer {
            prefix,
            text: Vec::with_capacity(bytes),
            slots: Vec::new(),
            keys: Vec::with_capacity(2 * places.len()),
            args: Vec::with_capacity(places.len()),
        };
        let epochs: Vec<u16> = simple
            .iter()
            .chain(&others)
            .map(|at| packer.epoch_of(&all[*at].op))
            .collect();
        let mut head = Vec::with_capacity(4 + 8 * packer.slots.len() + 15 * places.len());
        // A batch has far fewer.
        head.extend(count(packer.slots.len()).to_be_bytes());
        head.extend(count(simple.len()).to_be_bytes());
        for (_, epoch) in &packer.slots {
            head.extend(epoch.0.to_be_bytes());
        }
        let in_order = simple.iter().chain(&others).copied();
        let mut requests = Vec::with_capacity(places.len());
        for ((at, number), epoch) in in_order.zip(number..).zip(epochs) {
            let Request { op, token } = &*all[at];
            let tag = tag_of(op, number);
            requests.push((at, tag));
            let (keys, args) = (packer.keys.len(), packer.args.len());
            let letter = packer.add(op, *token, tag);
            let (mode, expected) = expected(op);
            head.extend([letter, mode]);
            head.extend(epoch.to_be_bytes());
            head.extend(expected.to_be_bytes());
            if requests.len() > simple.len() {
                head.push(u8::try_from(packer.keys.len() - keys).unwrap_or(u8::MAX));
                head.extend(count(packer.args.len() - args).to_be_bytes());
            }
        }
        packer.batch(head, requests)
    }
}

/// Whether the script reads its record together with others', as a whole. It does where the record
/// is known to be small, and where it is what was asked for.
fn is_simple(op: &Op) -> bool {
    match op {
        Op::Load { .. } => true,
        Op::Save { write, .. } => match write.expected {
            Expected::Absent => true,
            Expected::Tag(tag) => is_small(tag),
            Expected::Any => false,
        },
        _ => false,
    }
}

/// What an operation expects: `=` the E-tag that follows, `-` nothing, `*` whatever there is.
fn expected(op: &Op) -> (u8, u64) {
    let expected = match op {
        Op::Save { write, .. } => write.expected,
        Op::Clear { expected, .. } | Op::SetReminder { expected, .. } => *expected,
        _ => Expected::Any,
    };
    match expected {
        Expected::Any => (b'*', 0),
        Expected::Absent => (b'-', 0),
        Expected::Tag(ETag(tag)) => (b'=', tag),
    }
}

fn count(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// A piece of the text that a batch has all its small strings in.
type Span = (usize, usize);

enum Arg {
    Text(Span),
    Value(Value),
}

struct Packer<'a> {
    prefix: &'a str,
    text: Vec<u8>,
    slots: Vec<(u16, Epoch)>,
    keys: Vec<Span>,
    args: Vec<Arg>,
}

impl Packer<'_> {
    /// Which of the epochs is that of `op`.
    fn epoch_of(&mut self, op: &Op) -> u16 {
        let (key, epoch) = match op {
            Op::Load { key, epoch }
            | Op::Clear { key, epoch, .. }
            | Op::JournalLen { key, epoch }
            | Op::Reminder { key, epoch }
            | Op::SetReminder { key, epoch, .. } => (key, *epoch),
            Op::Save { key, write } => (key, write.epoch),
            Op::Append { key, append } => (key, append.epoch),
            Op::Events { .. } | Op::Due { .. } | Op::Ping => return NO_EPOCH,
        };
        let slot = (key.slot(), epoch);
        let known = self.slots.iter().position(|known| *known == slot);
        let at = known.unwrap_or_else(|| {
            self.slots.push(slot);
            let start = self.tag(slot.0 % BUCKETS, b'f');
            self.digits(slot.0.into());
            self.keys.push((start, self.text.len()));
            self.slots.len() - 1
        });
        // The script counts from one.
        count(at + 1)
    }

    /// Adds what `op` has beyond what has a fixed length, and says which operation it is.
    fn add(&mut self, op: &Op, token: Token, tag: ETag) -> u8 {
        match op {
            Op::Ping => {
                let start = self.tag(bucket_of(op), b'n');
                self.keys.push((start, self.text.len()));
                b'P'
            }
            Op::Load { key, .. } => {
                self.record(b's', key);
                b'L'
            }
            Op::Save { key, write } => {
                self.record(b's', key);
                let start = self.text.len();
                self.text.extend(tag.0.to_be_bytes());
                self.text.extend(token.to_bytes());
                debug_assert_eq!(self.text.len() - start, HEADER);
                self.text.extend_from_slice(&write.value);
                self.args.push(Arg::Text((start, self.text.len())));
                b'S'
            }
            Op::Clear { key, .. } => {
                self.record(b's', key);
                self.token(token);
                self.number(KEEP_MS);
                b'C'
            }
            Op::JournalLen { key, .. } => {
                self.record(b'j', key);
                b'N'
            }
            Op::Append { key, append } => {
                self.record(b'j', key);
                self.whole(append.after);
                self.token(token);
                self.whole(append.events.len() as u64);
                let events = append.events.iter().cloned();
                self.args
                    .extend(events.map(|event| Arg::Value(Value::Bytes(event))));
                b'A'
            }
            Op::Events { key, from, most } => {
                self.record(b'j', key);
                self.whole(*from);
                self.whole(*most as u64);
                self.number(EVENTS_BYTES);
                b'E'
            }
            Op::Reminder { key, .. } => {
                self.record(b'r', key);
                b'R'
            }
            Op::SetReminder { key, reminder, .. } => {
                self.record(b'r', key);
                self.order(bucket_of(op));
                self.token(token);
                self.reminder(key, reminder.as_ref(), tag);
                b'W'
            }
            Op::Due {
                after, until, most, ..
            } => {
                self.order(bucket_of(op));
                let start = self.tag(bucket_of(op), b'r');
                self.text_from(start);
                match after {
                    Some(after) => {
                        self.whole(after.due);
                        let member = Value::Bytes(after.member.clone());
                        self.args.push(Arg::Value(member));
                    }
                    None => {
                        self.bytes(b"");
                        self.bytes(b"");
                    }
                }
                self.whole(until.0);
                self.whole(*most as u64);
                b'D'
            }
        }
    }

    fn reminder(&mut self, key: &RecordKey, reminder: Option<&Reminder>, tag: ETag) {
        match reminder {
            Some(_) => self.bytes(&tag.0.to_be_bytes()),
            None => self.bytes(b""),
        }
        self.number(KEEP_MS);
        let start = self.text.len();
        write_id(key, &mut self.text);
        self.text_from(start);
        let Some(reminder) = reminder else {
            return;
        };
        self.whole(reminder.due.0.min(SCORE_MOST));
        self.whole(reminder.due.0);
        match reminder.period_ms {
            Some(period) => self.whole(period),
            None => self.bytes(b""),
        }
        self.bytes(match reminder.catch_up {
            CatchUp::Once => b"once",
            CatchUp::Each => b"each",
            CatchUp::Skip => b"skip",
        });
    }

    /// Writes what begins the keys of a kind in a bucket, and says where that stands.
    fn tag(&mut self, bucket: u16, kind: u8) -> usize {
        let start = self.text.len();
        self.text.push(b'{');
        self.text.extend_from_slice(self.prefix.as_bytes());
        self.text.push(b':');
        self.digits(bucket.into());
        self.text.extend([b'}', kind]);
        start
    }

    fn digits(&mut self, number: u64) {
        crate::remote::write_digits(number, &mut self.text);
    }

    fn record(&mut self, kind: u8, key: &RecordKey) {
        let start = self.tag(key.slot() % BUCKETS, kind);
        write_id(key, &mut self.text);
        self.keys.push((start, self.text.len()));
    }

    fn order(&mut self, bucket: u16) {
        let start = self.tag(bucket, b'd');
        self.keys.push((start, self.text.len()));
    }

    fn token(&mut self, token: Token) {
        self.bytes(&token.to_bytes());
    }

    /// In digits: the script compares them as text, so that none is rounded.
    fn whole(&mut self, number: u64) {
        let start = self.text.len();
        self.digits(number);
        self.text_from(start);
    }

    fn number(&mut self, number: i64) {
        self.args.push(Arg::Value(number.into()));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.text_from(start);
    }

    fn text_from(&mut self, start: usize) {
        self.args.push(Arg::Text((start, self.text.len())));
    }

    fn batch(self, head: Vec<u8>, requests: Vec<(usize, ETag)>) -> Batch {
        let text = Bytes::from(self.text);
        let slice = |(from, to): Span| text.slice(from..to);
        let args = self.args.into_iter().map(|arg| match arg {
            Arg::Text(span) => Value::Bytes(slice(span)),
            Arg::Value(value) => value,
        });
        Batch {
            keys: self.keys.into_iter().map(|key| slice(key).into()).collect(),
            args: std::iter::once(Value::Bytes(head.into()))
                .chain(args)
                .collect(),
            requests,
        }
    }
}
