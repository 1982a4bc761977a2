//! The date, as a title and a file name want it.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Since 1970.
    seconds: u64,
}

impl Date {
    /// This moment. What a clock before 1970 shows is 1970.
    #[must_use]
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// That moment.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Date {
            seconds: since.as_secs(),
        }
    }

    /// `2026-11-20`.
    #[must_use]
    pub fn day(self) -> String {
        let (year, month, day) = civil(self.seconds / 86_400);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `20261120T081530Z`: sorts by time, and is a plain file name.
    #[must_use]
    pub fn stamp(self) -> String {
        let (hour, minute, second) = self.time();
        let day = self.day().replace('-', "");
        format!("{day}T{hour:02}{minute:02}{second:02}Z")
    }

    /// `2026-11-20 08:15 UTC`.
    #[must_use]
    pub fn minute(self) -> String {
        let (hour, minute, _) = self.time();
        format!("{} {hour:02}:{minute:02} UTC", self.day())
    }

    fn time(self) -> (u64, u64, u64) {
        let today = self.seconds % 86_400;
        (today / 3_600, today / 60 % 60, today % 60)
    }
}

/// Year, month and day of so many days after 1970-01-01, counted in years that begin in March, so
/// that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, stamp) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_200, "20240301T000000Z"),
            (4_107_542_400, "21000301T000000Z"),
            (1_795_162_530, "20261120T081530Z"),
        ] {
            assert_eq!(Date { seconds }.stamp(), stamp);
        }
        let date = Date {
            seconds: 1_795_162_530,
        };
        assert_eq!(date.day(), "2026-11-20");
        assert_eq!(date.minute(), "2026-11-20 08:15 UTC");
    }
}
