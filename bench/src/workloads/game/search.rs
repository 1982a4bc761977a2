//! How many players cores can hold: doubled until they are too many, then halved in between, and
//! what was found is played once more, for longer.

use std::time::Duration;

use super::{Played, TICKS_PER_S, play};
use crate::error::Error;
use crate::latency::Latency;
use crate::pace::Goal;
use crate::report::Report;
use crate::workloads::Setup;

/// Where it begins, on each shard.
const FIRST: u32 = 25_000;
const MOST: u32 = 10_000_000;
/// How long one try takes.
const TRY: Duration = Duration::from_secs(5);
/// How long what was found is played: 1,200 ticks, so that one in a thousand is one.
const CONFIRM: Goal = Goal::Time(Duration::from_secs(60));
/// What was found lies within so much of what is too many.
const CLOSE: f64 = 1.05;
/// Tries with the same number of players: one slow tick may be the machine's.
const TRIES: usize = 2;
/// What was found and does not hold for longer is lowered so often at most.
const LOWERED: u32 = 10;

/// Finds the largest number of players with a p999 below the time between two ticks. Ends early,
/// with what is known, once interrupted.
pub(super) fn search(first: Option<u32>, setup: &Setup) -> Result<Report, Error> {
    let mut setup = setup.clone();
    let shards = *setup.options.shards.get_or_insert(1);
    let period = Duration::from_secs_f64(1.0 / setup.options.rate.unwrap_or(TICKS_PER_S));
    let first = first.unwrap_or_else(|| FIRST.saturating_mul(shards as u32).min(MOST));
    let mut tries = 0;
    let mut probe = setup.clone();
    probe.options.count = None;
    probe.options.seconds = Some(TRY);
    let bounds = narrow(first, |players| {
        for _ in 0..TRIES {
            if setup.interrupt.is_set() {
                return Ok(None);
            }
            tries += 1;
            let played = play(&probe, players, Goal::Time(TRY), |times| {
                holds(times, period)
            })?;
            if played.late.is_none() && holds(&played.times, period) {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    })?;
    let mut players = bounds.held.max(1);
    for _ in 0..LOWERED {
        let Played {
            report,
            times,
            late,
        } = play(&setup, players, CONFIRM, |times| goes_on(times, period))?;
        let holds = late.is_none() && holds(&times, period);
        if holds || setup.interrupt.is_set() {
            return Ok(report
                .figure("players_held", u64::from(if holds { players } else { 0 }))
                .figure("players_per_core", f64::from(players) / shards as f64)
                .figure("confirmed", holds && !setup.interrupt.is_set())
                .figure("too_many", bounds.too_many.map_or(0, u64::from))
                .figure("tries", tries as u64));
        }
        players = ((f64::from(players) / CLOSE) as u32).max(1);
    }
    Err(Error::Workload {
        workload: super::WORKLOAD.name,
        reason: format!(
            "{} players held for {} s, but not for longer",
            bounds.held,
            TRY.as_secs()
        ),
    })
}

/// The largest number that held, and the smallest that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bounds {
    held: u32,
    too_many: Option<u32>,
}

/// Narrows bounds down, from `first` on, by what `holds` says; `None` of it ends the search.
fn narrow(
    first: u32,
    mut holds: impl FnMut(u32) -> Result<Option<bool>, Error>,
) -> Result<Bounds, Error> {
    let mut bounds = Bounds::default();
    let mut players = first;
    loop {
        match holds(players)? {
            None => return Ok(bounds),
            Some(true) => bounds.held = players,
            Some(false) => bounds.too_many = Some(players),
        }
        players = match bounds {
            Bounds {
                held,
                too_many: None,
            } if held < MOST => held.saturating_mul(2).min(MOST),
            Bounds {
                held: 0,
                too_many: Some(2..),
            } => players / 2,
            Bounds {
                held,
                too_many: Some(many),
            } if held > 0 && f64::from(many) > f64::from(held) * CLOSE && many - held > 1 => {
                held.midpoint(many)
            }
            _ => return Ok(bounds),
        };
    }
}

/// Whether one in a thousand ticks, or the slowest of fewer, was done before the next was due.
fn holds(times: &Latency, period: Duration) -> bool {
    times
        .summary()
        .is_none_or(|summary| u128::from(summary.p999) < period.as_nanos())
}

/// Whether it can still hold when a thousand ticks are done: one of them may be too slow.
fn goes_on(times: &Latency, period: Duration) -> bool {
    let slow = times.slower_than(period);
    slow <= (times.count() / 1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(first: u32, limit: u32) -> (Bounds, usize) {
        let mut tries = 0;
        let bounds = narrow(first, |players| {
            tries += 1;
            Ok(Some(players <= limit))
        });
        (bounds.unwrap(), tries)
    }

    #[test]
    fn bounds_are_narrowed_from_either_side() {
        for (first, limit) in [(25_000, 321_987), (25_000, 1_234), (1, 7), (50_000, 50_000)] {
            let (Bounds { held, too_many }, tries) = found(first, limit);
            let many = too_many.unwrap();
            assert!(held <= limit && limit < many, "{held} {limit} {many}");
            assert!(many - held <= 1 || f64::from(many) <= f64::from(held) * CLOSE);
            assert!(tries < 20, "{tries}");
        }
    }

    #[test]
    fn there_is_an_end_when_nothing_or_everything_holds() {
        assert_eq!(found(8, 0).0.held, 0);
        assert_eq!(
            found(25_000, u32::MAX).0,
            Bounds {
                held: MOST,
                too_many: None
            }
        );
        let stopped = narrow(10, |players| Ok((players < 40).then_some(true)));
        assert_eq!(stopped.unwrap().held, 20);
    }

    #[test]
    fn one_slow_tick_in_a_thousand_is_borne() {
        let period = Duration::from_millis(50);
        let mut times = Latency::new();
        assert!(holds(&times, period));
        for _ in 0..1_500 {
            times.record(20_000_000);
        }
        times.record(60_000_000);
        assert!(holds(&times, period));
        times.record(60_000_000);
        assert!(!holds(&times, period) && !goes_on(&times, period));
        let mut begun = Latency::new();
        begun.record(60_000_000);
        assert!(!holds(&begun, period) && goes_on(&begun, period));
    }
}
