//! What is asked, and what the rows say.

use bytes::Bytes;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use crate::provider::{
    CatchUp, DueReminder, ETag, Epoch, Event, Expected, Record, RecordKey, Reminder, StoreError,
    WallTime,
};
use crate::remote::{Answer, Cursor, DuePage, Failure, Op, Request, from_id, id_of};

/// Bytes of events read at once.
const EVENTS_BYTES: i64 = 2 << 20;

/// Prepared once a session.
pub(super) struct Statements {
    load: Statement,
    save: Statement,
    journal_len: Statement,
    append: Statement,
    events: Statement,
    reminder: Statement,
    remind: Statement,
    due: Statement,
    next: Statement,
}

/// Rows as they came; of a question for what is due, those that are and when the next is.
pub(super) struct Rows {
    rows: Vec<Row>,
    next: Vec<Row>,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Statements {
            load: client.prepare("SELECT * FROM load($1, $2, $3)").await?,
            save: client
                .prepare("SELECT * FROM save($1, $2, $3, $4, $5, $6)")
                .await?,
            journal_len: client
                .prepare("SELECT * FROM journal_len($1, $2, $3)")
                .await?,
            append: client
                .prepare("SELECT * FROM append($1, $2, $3, $4, $5, $6)")
                .await?,
            events: client
                .prepare(
                    "SELECT number, value FROM (SELECT number, value, \
                     sum(octet_length(value)) OVER (ORDER BY number) AS bytes FROM \
                     (SELECT number, value FROM event WHERE digest = sha256($1) AND number >= $2 \
                     ORDER BY number LIMIT $3) AS page) AS summed \
                     WHERE bytes <= $4 OR number = $2 ORDER BY number",
                )
                .await?,
            reminder: client.prepare("SELECT * FROM reminder($1, $2, $3)").await?,
            remind: client
                .prepare("SELECT * FROM remind($1, $2, $3, $4, $5, $6, $7, $8)")
                .await?,
            due: client
                .prepare(
                    "SELECT own.* FROM unnest($5::smallint[]) AS p (part) CROSS JOIN LATERAL \
                     (SELECT id, due, digest, etag, period, catch_up FROM reminder AS r \
                     WHERE r.part = p.part AND etag IS NOT NULL AND (due, digest) > ($1, $2) \
                     AND due <= $3 ORDER BY due, digest LIMIT $4) AS own \
                     ORDER BY due, digest LIMIT $4",
                )
                .await?,
            next: client
                .prepare(
                    "SELECT min(own.due) AS due FROM unnest($2::smallint[]) AS p (part) \
                     CROSS JOIN LATERAL (SELECT due FROM reminder AS r WHERE r.part = p.part \
                     AND etag IS NOT NULL AND due > $1 ORDER BY due, digest LIMIT 1) AS own",
                )
                .await?,
        })
    }

    pub(super) async fn ask(&self, client: &Client, request: &Request) -> Result<Rows, Error> {
        let token = request.token.to_bytes();
        let token = &token[..];
        let own = request.op.key().map(Own::of);
        let own = own.unwrap_or_default();
        let (slot, id) = (own.slot, own.id.as_bytes());
        let none: Option<&[u8]> = None;
        let rows = match &request.op {
            Op::Ping => client.query("SELECT 1", &[]).await?,
            Op::Load { epoch, .. } => {
                let epoch = signed(epoch.0);
                client.query(&self.load, &[&slot, &epoch, &id]).await?
            }
            Op::Save { write, .. } => {
                let (epoch, expected) = (signed(write.epoch.0), known(write.expected));
                let value = Some(&write.value[..]);
                let params: [&(dyn ToSql + Sync); 6] =
                    [&slot, &epoch, &id, &expected, &token, &value];
                client.query(&self.save, &params).await?
            }
            Op::Clear {
                epoch, expected, ..
            } => {
                let (epoch, expected) = (signed(epoch.0), known(*expected));
                let params: [&(dyn ToSql + Sync); 6] =
                    [&slot, &epoch, &id, &expected, &token, &none];
                client.query(&self.save, &params).await?
            }
            Op::JournalLen { epoch, .. } => {
                let epoch = signed(epoch.0);
                let params: [&(dyn ToSql + Sync); 3] = [&slot, &epoch, &id];
                client.query(&self.journal_len, &params).await?
            }
            Op::Append { append, .. } => {
                let (epoch, after) = (signed(append.epoch.0), signed(append.after));
                let events: Vec<&[u8]> = append.events.iter().map(|event| &event[..]).collect();
                let params: [&(dyn ToSql + Sync); 6] =
                    [&slot, &epoch, &id, &after, &token, &events];
                client.query(&self.append, &params).await?
            }
            Op::Events { from, most, .. } => {
                let (from, most) = (signed(*from), signed(*most as u64));
                let params: [&(dyn ToSql + Sync); 4] = [&id, &from, &most, &EVENTS_BYTES];
                client.query(&self.events, &params).await?
            }
            Op::Reminder { epoch, .. } => {
                let epoch = signed(epoch.0);
                client.query(&self.reminder, &[&slot, &epoch, &id]).await?
            }
            Op::SetReminder {
                epoch,
                expected,
                reminder,
                ..
            } => {
                let (epoch, expected) = (signed(epoch.0), known(*expected));
                let due = reminder.map(|reminder| signed(reminder.due.0));
                let period = reminder.and_then(|reminder| reminder.period_ms).map(signed);
                let catch_up = reminder.map(|reminder| match reminder.catch_up {
                    CatchUp::Once => 0i16,
                    CatchUp::Each => 1,
                    CatchUp::Skip => 2,
                });
                let params: [&(dyn ToSql + Sync); 8] = [
                    &slot, &epoch, &id, &expected, &token, &due, &period, &catch_up,
                ];
                client.query(&self.remind, &params).await?
            }
            Op::Due {
                parts,
                after,
                until,
                most,
            } => {
                let start = after.as_ref();
                let last = start.map_or(-1, |cursor| signed(cursor.due));
                let member = start.map_or(&[][..], |cursor| &cursor.member[..]);
                let until = signed(until.0);
                // One more than asked for tells whether there is.
                let most = signed(*most as u64 + 1);
                let parts: Vec<i16> = parts.iter().map(|part| part.cast_signed()).collect();
                let params: [&(dyn ToSql + Sync); 5] = [&last, &member, &until, &most, &parts];
                let rows = client.query(&self.due, &params).await?;
                let next = client.query(&self.next, &[&until, &parts]).await?;
                return Ok(Rows { rows, next });
            }
        };
        Ok(Rows {
            rows,
            next: Vec::new(),
        })
    }
}

/// What the rows mean.
pub(super) fn read(op: &Op, rows: Rows, place: &str) -> Result<Answer, Failure> {
    let damaged = |error: Error| {
        let what = op
            .key()
            .map_or_else(String::new, |key| format!("{key} at "));
        Failure::Said(StoreError::Damaged {
            what: format!("{what}{place}"),
            why: error.to_string(),
        })
    };
    let answer = match op {
        Op::Ping => Ok(Ok(Answer::Done)),
        Op::Events { .. } => events(&rows.rows).map(Ok),
        Op::Due { most, .. } => due(&rows, *most).map(Ok),
        _ => match rows.rows.first() {
            Some(row) => outcome(op, row),
            None => {
                let why = "no row where one was asked for".to_owned();
                let what = place.to_owned();
                return Err(Failure::Said(StoreError::Damaged { what, why }));
            }
        },
    };
    answer.map_err(damaged)?.map_err(Failure::Said)
}

fn outcome(op: &Op, row: &Row) -> Result<Result<Answer, StoreError>, Error> {
    let outcome: i32 = row.try_get("outcome")?;
    let number: Option<i64> = row.try_get("number")?;
    let number = number.map(unsigned);
    let key = || op.key().map_or_else(String::new, ToString::to_string);
    let none = number.unwrap_or(0);
    match outcome {
        1 => {
            let (key, current) = (key(), number.map(ETag));
            return Ok(Err(StoreError::Conflict { key, current }));
        }
        2 => {
            let (key, current) = (key(), Epoch(none));
            return Ok(Err(StoreError::Fenced { key, current }));
        }
        3 => {
            return Ok(Err(StoreError::Behind {
                key: key(),
                len: none,
            }));
        }
        _ => {}
    }
    Ok(Ok(match (op, number.map(ETag)) {
        (Op::Load { .. }, None) => Answer::Record(None),
        (Op::Load { .. }, Some(etag)) => {
            let value: &[u8] = row.try_get("value")?;
            let value = Bytes::copy_from_slice(value);
            Answer::Record(Some(Record { etag, value }))
        }
        (Op::Reminder { .. }, None) => Answer::Reminder(None),
        (Op::Reminder { .. }, Some(etag)) => Answer::Reminder(Some((etag, reminder(row)?))),
        (Op::JournalLen { .. } | Op::Append { .. }, _) => Answer::Len(none),
        (_, Some(etag)) => Answer::Saved(etag),
        (_, None) => Answer::Done,
    }))
}

fn events(rows: &[Row]) -> Result<Answer, Error> {
    let events = rows.iter().map(|row| {
        let value: &[u8] = row.try_get("value")?;
        Ok(Event {
            number: unsigned(row.try_get("number")?),
            value: Bytes::copy_from_slice(value),
        })
    });
    events.collect::<Result<_, _>>().map(Answer::Events)
}

fn due(rows: &Rows, most: usize) -> Result<Answer, Error> {
    let mut page = DuePage::default();
    let mut last = None;
    for row in rows.rows.iter().take(most) {
        let digest: &[u8] = row.try_get("digest")?;
        let due: i64 = row.try_get("due")?;
        last = Some(Cursor {
            due: unsigned(due),
            member: Bytes::copy_from_slice(digest),
        });
        // What we have not written is passed over.
        let Some(key) = from_id(row.try_get("id")?) else {
            continue;
        };
        page.due.push(DueReminder {
            key,
            etag: ETag(unsigned(row.try_get("etag")?)),
            reminder: reminder(row)?,
        });
    }
    if rows.rows.len() > most {
        page.more = last;
        return Ok(Answer::Due(page));
    }
    if let Some(row) = rows.next.first() {
        let next: Option<i64> = row.try_get("due")?;
        page.next = next.map(|next| WallTime(time(next)));
    }
    Ok(Answer::Due(page))
}

fn reminder(row: &Row) -> Result<Reminder, Error> {
    let period: Option<i64> = row.try_get("period")?;
    let catch_up: i16 = row.try_get("catch_up")?;
    Ok(Reminder {
        due: WallTime(time(row.try_get("due")?)),
        period_ms: period.map(time),
        catch_up: match catch_up {
            1 => CatchUp::Each,
            2 => CatchUp::Skip,
            _ => CatchUp::Once,
        },
    })
}

#[derive(Default)]
struct Own {
    slot: i32,
    id: String,
}

impl Own {
    fn of(key: &RecordKey) -> Self {
        Own {
            slot: key.slot().into(),
            id: id_of(key),
        }
    }
}

/// What is beyond the largest that the database has is taken for that.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// As [`unsigned`], but the end of time comes back as such.
fn time(number: i64) -> u64 {
    match number {
        i64::MAX => u64::MAX,
        number => unsigned(number),
    }
}

fn known(expected: Expected) -> i64 {
    match expected {
        Expected::Any => -1,
        Expected::Absent => 0,
        // No record has another.
        Expected::Tag(ETag(tag)) => i64::try_from(tag).ok().filter(|tag| *tag > 0).unwrap_or(-2),
    }
}
