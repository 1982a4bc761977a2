//! Whether a history of one counter is linearizable, for those who try clusters.
//!
//! Every addition that was answered says its place in the order, and so does every reading. What is
//! left is whether the order agrees with time, and whether the additions that nobody has heard of
//! can be those whose numbers are missing.

use quark::Time;

/// What a caller has done to a counter.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// What has come of it.
    pub kind: Kind,
    /// When it was sent.
    pub began: Time,
    /// When its answer came; for one of unknown outcome, when the client gave up.
    pub ended: Time,
}

/// What has come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has made the counter so much.
    Added(u64),
    /// The counter was so much.
    Read(u64),
    /// An addition that may have happened, then or later, or not.
    Unknown,
    /// It has not happened.
    Nothing,
}

impl Op {
    /// Its place in the order: each addition has one of its own, and readings share one.
    fn place(&self) -> Option<u64> {
        match self.kind {
            Kind::Added(count) => Some(2 * count),
            Kind::Read(count) => Some(2 * count + 1),
            Kind::Unknown | Kind::Nothing => None,
        }
    }
}

/// Whether one counter's history could have happened one by one: it began with nothing.
///
/// # Errors
/// Why not.
pub fn check(ops: &[Op]) -> Result<(), String> {
    order_agrees_with_time(ops)?;
    every_number_is_somebodys(ops)
}

fn order_agrees_with_time(ops: &[Op]) -> Result<(), String> {
    let mut by_end: Vec<&Op> = ops.iter().filter(|op| op.place().is_some()).collect();
    let mut by_start = by_end.clone();
    by_end.sort_by_key(|op| op.ended);
    by_start.sort_by_key(|op| op.began);
    let mut ended = by_end.into_iter().peekable();
    let mut last: Option<&Op> = None;
    for op in by_start {
        while let Some(before) = ended.next_if(|before| before.ended < op.began) {
            if last.is_none_or(|last| before.place() > last.place()) {
                last = Some(before);
            }
        }
        let Some(last) = last else { continue };
        let is_after = match op.kind {
            Kind::Read(_) => op.place() >= last.place(),
            _ => op.place() > last.place(),
        };
        if !is_after {
            return Err(format!(
                "{op:?} has begun after {last:?} had ended, and comes before it"
            ));
        }
    }
    Ok(())
}

fn every_number_is_somebodys(ops: &[Op]) -> Result<(), String> {
    let mut numbers: Vec<(u64, Time)> = Vec::new();
    for op in ops {
        match op.kind {
            Kind::Added(count) => numbers.push((count, op.ended)),
            Kind::Read(_) | Kind::Unknown | Kind::Nothing => {}
        }
    }
    numbers.sort_unstable();
    if let Some(twice) = numbers.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("two additions have made it {}", twice[0].0));
    }
    // Each number up to the highest that was seen, and when it must have been reached.
    let mut seen: Vec<(u64, Time)> = ops
        .iter()
        .filter_map(|op| match op.kind {
            Kind::Added(count) | Kind::Read(count) => Some((count, op.ended)),
            Kind::Unknown | Kind::Nothing => None,
        })
        .collect();
    seen.sort_unstable();
    let highest = seen.last().map_or(0, |(count, _)| *count);
    let mut reached = vec![Time::MAX; highest as usize + 1];
    for (count, at) in &seen {
        let known = &mut reached[*count as usize];
        *known = (*known).min(*at);
    }
    for count in (0..highest as usize).rev() {
        reached[count] = reached[count].min(reached[count + 1]);
    }
    let mut unknown: Vec<Time> = ops
        .iter()
        .filter(|op| op.kind == Kind::Unknown)
        .map(|op| op.began)
        .collect();
    unknown.sort_unstable();
    let mut unknown = unknown.into_iter();
    for count in 1..=highest {
        if numbers
            .binary_search_by_key(&count, |(count, _)| *count)
            .is_ok()
        {
            continue;
        }
        let by = reached[count as usize];
        // Whoever has begun first can be any of those that are missing.
        match unknown.next() {
            Some(began) if began < by => {}
            _ => {
                return Err(format!(
                    "nobody has made it {count}, which was reached by {by:?}"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[test]
fn histories_that_could_not_have_been_are_found() {
    let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
    let op = |kind, began, ended| Op {
        kind,
        began: at(began),
        ended: at(ended),
    };
    use Kind::{Added, Read, Unknown};
    let good = [
        vec![op(Added(1), 0, 5), op(Read(1), 6, 7), op(Added(2), 6, 9)],
        vec![op(Added(2), 0, 5), op(Added(1), 1, 4)],
        vec![op(Unknown, 0, 5), op(Added(2), 9, 10)],
        vec![op(Read(0), 0, 9), op(Added(1), 1, 2)],
    ];
    for history in good {
        assert_eq!(check(&history), Ok(()), "{history:?}");
    }
    let bad = [
        vec![op(Added(1), 0, 5), op(Added(1), 6, 7)],
        vec![op(Added(2), 0, 5), op(Added(1), 6, 7)],
        vec![op(Added(1), 0, 5), op(Read(0), 6, 7)],
        vec![op(Added(2), 0, 5)],
        vec![op(Added(2), 0, 5), op(Unknown, 6, 7)],
        vec![op(Read(3), 0, 5), op(Unknown, 0, 7), op(Added(1), 0, 3)],
        vec![op(Read(1), 1, 2), op(Read(0), 3, 4), op(Added(1), 0, 9)],
    ];
    for history in bad {
        assert!(check(&history).is_err(), "{history:?}");
    }
}
