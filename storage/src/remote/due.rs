//! Which of a shard's reminders are due.

use std::future::Future;

use futures_util::future::try_join_all;

use super::backend::{Answer, Cursor, DuePage, Op};
use crate::provider::{Due, DueReminder, StoreError, WallTime};

/// Reminders asked for at a time, of each group of parts.
const PAGE: usize = 128;

/// What is known of parts that are asked together.
struct Group {
    parts: Vec<u16>,
    found: Vec<DueReminder>,
    next: Option<WallTime>,
    more: Option<Cursor>,
}

/// Asks all groups at once, and each on until it has given enough.
pub(super) async fn due<F>(
    ask: impl Fn(Op) -> F,
    groups: Vec<Vec<u16>>,
    until: WallTime,
    most: usize,
) -> Result<Due, StoreError>
where
    F: Future<Output = Result<Answer, StoreError>>,
{
    let question = |group: &Group| {
        ask(Op::Due {
            parts: group.parts.clone(),
            after: group.more.clone(),
            until,
            most: most.saturating_add(1).min(PAGE),
        })
    };
    let mut done: Vec<Group> = Vec::new();
    let mut open: Vec<Group> = groups.into_iter().map(Group::new).collect();
    while !open.is_empty() {
        let pages = try_join_all(open.iter().map(question)).await?;
        for (mut group, page) in std::mem::take(&mut open).into_iter().zip(pages) {
            let Answer::Due(page) = page else {
                continue;
            };
            group.add(page);
            // One more than the page holds, which says when the next is due.
            match group.more.is_some() && group.found.len() <= most {
                true => open.push(group),
                false => done.push(group),
            }
        }
    }
    Ok(merge(done, most))
}

impl Group {
    fn new(parts: Vec<u16>) -> Self {
        Group {
            parts,
            found: Vec::new(),
            next: None,
            more: None,
        }
    }

    fn add(&mut self, page: DuePage) {
        self.found.extend(page.due);
        self.more = page.more;
        self.next = page.next;
    }
}

fn merge(groups: Vec<Group>, most: usize) -> Due {
    let next = groups.iter().filter_map(|group| group.next).min();
    let found = groups.into_iter().flat_map(|group| group.found);
    let mut reminders: Vec<DueReminder> = found.collect();
    reminders.sort_by(|a, b| (a.reminder.due, &a.key).cmp(&(b.reminder.due, &b.key)));
    let left = reminders.get(most).map(|first| first.reminder.due);
    reminders.truncate(most);
    Due {
        reminders,
        next: left.or(next),
    }
}
