//! What becomes of the times that a reminder has missed.

use std::time::Duration;

use quark_storage::provider::{CatchUp, Reminder, WallTime};

/// A time that is noticed later than this was missed: the engine was down, or far too busy.
pub(super) const MISSED: Duration = Duration::from_secs(10);

/// What is to be done about a reminder that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Whether its actor is called, and for how many times at once.
    pub(super) call: Option<u64>,
    /// What it is after that; `None`: it is over.
    pub(super) next: Option<Reminder>,
}

/// What is to be done at `now` about `reminder`, which is due.
pub(super) fn step(reminder: Reminder, now: WallTime) -> Step {
    let is_missed = now.since(reminder.due) > MISSED;
    let skips = is_missed && reminder.catch_up == CatchUp::Skip;
    let Some(period) = reminder.period_ms.map(|period| period.max(1)) else {
        return Step {
            call: (!skips).then_some(1),
            next: None,
        };
    };
    let passed = now.0.saturating_sub(reminder.due.0) / period + 1;
    let (call, periods) = match reminder.catch_up {
        CatchUp::Each => (Some(1), 1),
        CatchUp::Once => (Some(passed), passed),
        CatchUp::Skip if skips => (None, passed),
        CatchUp::Skip => (Some(1), passed),
    };
    let due = reminder.due.0.checked_add(periods.saturating_mul(period));
    Step {
        call,
        next: due.map(|due| Reminder {
            due: WallTime(due),
            ..reminder
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reminder(period_ms: Option<u64>, catch_up: CatchUp) -> Reminder {
        Reminder {
            due: WallTime(100_000),
            period_ms,
            catch_up,
        }
    }

    /// Called for how many times, and due when next.
    fn after(
        late_ms: u64,
        period_ms: Option<u64>,
        catch_up: CatchUp,
    ) -> (Option<u64>, Option<u64>) {
        let step = step(reminder(period_ms, catch_up), WallTime(100_000 + late_ms));
        (step.call, step.next.map(|next| next.due.0 - 100_000))
    }

    #[test]
    fn in_time_all_policies_are_one() {
        for catch_up in [CatchUp::Once, CatchUp::Each, CatchUp::Skip] {
            assert_eq!(after(3, None, catch_up), (Some(1), None));
            assert_eq!(after(3, Some(1_000), catch_up), (Some(1), Some(1_000)));
        }
    }

    #[test]
    fn after_an_outage_each_does_what_it_says() {
        let late = 3_600_500;
        assert_eq!(
            after(late, Some(1_000), CatchUp::Once),
            (Some(3_601), Some(3_601_000))
        );
        assert_eq!(
            after(late, Some(1_000), CatchUp::Each),
            (Some(1), Some(1_000))
        );
        assert_eq!(
            after(late, Some(1_000), CatchUp::Skip),
            (None, Some(3_601_000))
        );
        assert_eq!(after(late, None, CatchUp::Once), (Some(1), None));
        assert_eq!(after(late, None, CatchUp::Each), (Some(1), None));
        assert_eq!(after(late, None, CatchUp::Skip), (None, None));
    }

    #[test]
    fn the_next_time_is_always_to_come_or_owed() {
        assert_eq!(
            after(1_000, Some(1_000), CatchUp::Once),
            (Some(2), Some(2_000))
        );
        assert_eq!(after(5, Some(0), CatchUp::Once), (Some(6), Some(6)));
        let far = Reminder {
            due: WallTime(u64::MAX - 1),
            ..reminder(Some(10), CatchUp::Each)
        };
        assert_eq!(
            step(far, WallTime(u64::MAX)).next,
            None,
            "time ends before that"
        );
    }
}
