//! Which of a shard's reminders are due, from a server that does not know its share.

use std::future::Future;

use futures_util::future::try_join_all;

use super::backend::{Answer, Cursor, DuePage, Op};
use super::store::Share;
use crate::provider::{Due, DueReminder, StoreError, WallTime};

/// Reminders asked for at a time, of each part.
const PAGE: usize = 128;
/// Looked at beyond those due, for one of this shard.
const BEYOND: usize = 8;

/// What is known of one part.
struct Part {
    number: u16,
    own: Vec<DueReminder>,
    next: Option<WallTime>,
    more: Option<Cursor>,
}

/// Asks all parts at once, and each on until it has given enough of this shard's.
pub(super) async fn due<F>(
    ask: impl Fn(Op) -> F,
    parts: u16,
    share: Share,
    until: WallTime,
    most: usize,
) -> Result<Due, StoreError>
where
    F: Future<Output = Result<Answer, StoreError>>,
{
    let question = |part, after| {
        let most = most.saturating_add(1).min(PAGE);
        ask(Op::Due {
            part,
            after,
            until,
            most,
            beyond: BEYOND,
        })
    };
    let mut done: Vec<Part> = Vec::new();
    let mut open: Vec<Part> = (0..parts).map(Part::new).collect();
    while !open.is_empty() {
        let asked = open
            .iter()
            .map(|part| question(part.number, part.more.clone()));
        let pages = try_join_all(asked).await?;
        for (mut part, page) in std::mem::take(&mut open).into_iter().zip(pages) {
            let Answer::Due(page) = page else {
                continue;
            };
            part.add(page, &share);
            // One more than the page holds, which says when the next is due.
            match part.more.is_some() && part.own.len() <= most {
                true => open.push(part),
                false => done.push(part),
            }
        }
    }
    Ok(merge(done, most))
}

impl Part {
    fn new(number: u16) -> Self {
        Part {
            number,
            own: Vec::new(),
            next: None,
            more: None,
        }
    }

    fn add(&mut self, page: DuePage, share: &Share) {
        let own = page.due.into_iter().filter(|due| share.has(&due.key));
        self.own.extend(own);
        self.more = page.more;
        // If none of those is this shard's, its next comes after the last of them.
        let own = page.later.iter().find(|(key, _)| share.has(key));
        self.next = own.or(page.later.last()).map(|(_, due)| *due);
    }
}

fn merge(parts: Vec<Part>, most: usize) -> Due {
    let next = parts.iter().filter_map(|part| part.next).min();
    let mut reminders: Vec<DueReminder> = parts.into_iter().flat_map(|part| part.own).collect();
    reminders.sort_by(|a, b| (a.reminder.due, &a.key).cmp(&(b.reminder.due, &b.key)));
    let left = reminders.get(most).map(|first| first.reminder.due);
    reminders.truncate(most);
    Due {
        reminders,
        next: left.or(next),
    }
}
