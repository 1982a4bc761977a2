//! What is asked, as the script takes it.

use bytes::Bytes;
use fred::types::{Key, Value};

use crate::provider::{CatchUp, ETag, Epoch, Expected, RecordKey, Reminder};
use crate::remote::{Op, PARTS, Request, id_of};

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

/// Keys and arguments of one call of the script.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) keys: Vec<Key>,
    pub(super) args: Vec<Value>,
    /// Which of the requests are in it.
    pub(super) requests: Vec<usize>,
}

/// Which bucket a request is for.
pub(super) fn bucket_of(op: &Op) -> u16 {
    match op {
        Op::Due { parts, .. } => parts.first().map_or(0, |part| *part % BUCKETS),
        other => other.key().map_or(0, |key| key.slot() % BUCKETS),
    }
}

/// The E-tag that `count` makes in the bucket of `key`; `None` if there is none.
pub(super) fn etag(bucket: u16, count: u64) -> Option<ETag> {
    let tag = count.checked_mul(u64::from(BUCKETS))?;
    Some(ETag(tag + u64::from(bucket)))
}

impl Batch {
    /// Adds the request that stands at `at`.
    pub(super) fn add(&mut self, prefix: &str, at: usize, request: &Request) {
        self.requests.push(at);
        let bucket = bucket_of(&request.op);
        let tag = format!("{{{prefix}:{bucket}}}");
        let token = || bytes(&request.token.to_bytes());
        match &request.op {
            Op::Ping => self.op("ping", [format!("{tag}m")], []),
            Op::Load { key, epoch } => self.fenced("load", &tag, 's', key, *epoch, []),
            Op::Save { key, write } => self.fenced(
                "save",
                &tag,
                's',
                key,
                write.epoch,
                [
                    expected(bucket, write.expected),
                    token(),
                    Value::Bytes(write.value.clone()),
                ],
            ),
            Op::Clear {
                key,
                epoch,
                expected: known,
            } => self.fenced(
                "clear",
                &tag,
                's',
                key,
                *epoch,
                [expected(bucket, *known), token(), KEEP_MS.into()],
            ),
            Op::JournalLen { key, epoch } => self.fenced("len", &tag, 'j', key, *epoch, []),
            Op::Append { key, append } => {
                let count = i64::try_from(append.events.len()).unwrap_or(i64::MAX);
                let head = [number(append.after), token(), count.into()];
                let events = append.events.iter().cloned().map(Value::Bytes);
                let args: Vec<Value> = head.into_iter().chain(events).collect();
                self.fenced("append", &tag, 'j', key, append.epoch, args);
            }
            Op::Events { key, from, most } => {
                let most = i64::try_from(*most).unwrap_or(i64::MAX);
                let args = [number(*from), most.into(), EVENTS_BYTES.into()];
                self.op("events", [format!("{tag}j{}", id_of(key))], args);
            }
            Op::Reminder { key, epoch } => self.fenced("reminder", &tag, 'r', key, *epoch, []),
            Op::SetReminder {
                key,
                epoch,
                expected: known,
                reminder,
            } => {
                let id = id_of(key);
                let keys = [format!("{tag}m"), format!("{tag}r{id}"), format!("{tag}d")];
                let head = [
                    number(key.slot().into()),
                    number(epoch.0),
                    expected(bucket, *known),
                    token(),
                    KEEP_MS.into(),
                    text(id),
                ];
                let args: Vec<Value> = head.into_iter().chain(new(reminder)).collect();
                self.op("remind", keys, args);
            }
            Op::Due {
                after, until, most, ..
            } => {
                let (score, member) = match after {
                    Some(after) => (number(after.due), Value::Bytes(after.member.clone())),
                    None => (text(String::new()), text(String::new())),
                };
                let most = i64::try_from(*most).unwrap_or(i64::MAX);
                let args = [
                    text(format!("{tag}r")),
                    score,
                    member,
                    number(until.0),
                    most.into(),
                ];
                self.op("due", [format!("{tag}d")], args);
            }
        }
    }

    /// An operation that begins with its slot and its epoch, on a record of the kind `kind`.
    fn fenced(
        &mut self,
        name: &'static str,
        tag: &str,
        kind: char,
        key: &RecordKey,
        epoch: Epoch,
        args: impl IntoIterator<Item = Value>,
    ) {
        let keys = [format!("{tag}m"), format!("{tag}{kind}{}", id_of(key))];
        let head = [number(key.slot().into()), number(epoch.0)];
        let args: Vec<Value> = head.into_iter().chain(args).collect();
        self.op(name, keys, args);
    }

    fn op(
        &mut self,
        name: &'static str,
        keys: impl IntoIterator<Item = String>,
        args: impl IntoIterator<Item = Value>,
    ) {
        let before = self.keys.len();
        self.keys.extend(keys.into_iter().map(Key::from));
        let own_keys = self.keys.len() - before;
        let head = self.args.len();
        self.args.push(Value::from_static_str(name));
        self.args.push(number(own_keys as u64));
        self.args.push(Value::Null);
        self.args.extend(args);
        let own_args = self.args.len() - head - 3;
        self.args[head + 2] = number(own_args as u64);
    }
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(Bytes::copy_from_slice(bytes))
}

fn text(text: String) -> Value {
    Value::Bytes(text.into())
}

/// In digits: the script compares them as text, so that none is rounded.
fn number(number: u64) -> Value {
    text(number.to_string())
}

fn expected(bucket: u16, expected: Expected) -> Value {
    match expected {
        Expected::Any => Value::from_static_str("*"),
        Expected::Absent => Value::from_static_str("-"),
        Expected::Tag(ETag(tag)) if tag % u64::from(BUCKETS) == u64::from(bucket) => {
            number(tag / u64::from(BUCKETS))
        }
        // Of another bucket: no record here has it.
        Expected::Tag(_) => Value::from_static_str("?"),
    }
}

fn new(reminder: &Option<Reminder>) -> Vec<Value> {
    let Some(reminder) = reminder else {
        return vec![text(String::new())];
    };
    let period = reminder.period_ms.map(|period| period.to_string());
    let catch_up = match reminder.catch_up {
        CatchUp::Once => "once",
        CatchUp::Each => "each",
        CatchUp::Skip => "skip",
    };
    vec![
        number(reminder.due.0.min(SCORE_MOST)),
        number(reminder.due.0),
        text(period.unwrap_or_default()),
        Value::from_static_str(catch_up),
    ]
}
