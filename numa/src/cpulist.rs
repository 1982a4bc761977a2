//! The kernel's list format for sets of cpus and nodes: `0-3,8,10-11`.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// One more than the highest cpu or node number that is believed.
///
/// Linux builds for at most 8,192 cpus today. The bound keeps a damaged file from asking for a
/// set of billions.
pub const MAX_CPUS: usize = 65_536;

/// A sorted set of cpu (or node) numbers, read from and shown in the kernel's list format.
///
/// ```
/// let list: quark_numa::CpuList = "8,0-3,10-11".parse()?;
/// assert_eq!(list.iter().count(), 7);
/// assert_eq!(list.to_string(), "0-3,8,10-11");
/// # Ok::<(), quark_numa::CpuListError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct CpuList(BTreeSet<usize>);

/// Why a list of cpus could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuListError {
    /// A part of the list is neither a number nor a range.
    #[error("`{part}` is neither a cpu number nor a range (write a list like 0-3,8)")]
    NotANumber {
        /// The part, cut short when long.
        part: String,
    },
    /// A range ends before it starts.
    #[error("the range `{part}` ends before it starts (write a list like 0-3,8)")]
    Backwards {
        /// The range.
        part: String,
    },
    /// A number is too large to be a cpu of any machine.
    #[error("`{part}` is beyond the highest cpu number there can be, {}", MAX_CPUS - 1)]
    TooLarge {
        /// The part.
        part: String,
    },
}

impl CpuList {
    /// Whether `cpu` is in the set.
    #[must_use]
    pub fn contains(&self, cpu: usize) -> bool {
        self.0.contains(&cpu)
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    /// How many numbers the set holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest number.
    #[must_use]
    pub fn first(&self) -> Option<usize> {
        self.0.first().copied()
    }

    /// The numbers in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }
}

impl FromIterator<usize> for CpuList {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl IntoIterator for CpuList {
    type Item = usize;
    type IntoIter = std::collections::btree_set::IntoIter<usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromStr for CpuList {
    type Err = CpuListError;

    /// Reads the kernel's list format. White space round the whole and an empty text are fine
    /// (the kernel writes an empty line for an empty set); order and overlaps do not matter.
    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut set = BTreeSet::new();
        for part in text.split(',') {
            let (from, to) = match part.split_once('-') {
                Some((from, to)) => (number(from, part)?, number(to, part)?),
                None => {
                    let one = number(part, part)?;
                    (one, one)
                }
            };
            if to < from {
                return Err(CpuListError::Backwards { part: short(part) });
            }
            set.extend(from..=to);
        }
        Ok(Self(set))
    }
}

impl fmt::Debug for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuList({self})")
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.iter().peekable();
        if numbers.peek().is_none() {
            return f.pad("none");
        }
        let mut text = String::new();
        while let Some(from) = numbers.next() {
            let mut to = from;
            while let Some(next) = numbers.next_if_eq(&(to + 1)) {
                to = next;
            }
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&from.to_string());
            if to > from {
                text.push('-');
                text.push_str(&to.to_string());
            }
        }
        f.pad(&text)
    }
}

fn number(digits: &str, part: &str) -> Result<usize, CpuListError> {
    // `str::parse` would take a leading plus sign.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CpuListError::NotANumber { part: short(part) });
    }
    match digits.parse() {
        Ok(number) if number < MAX_CPUS => Ok(number),
        _ => Err(CpuListError::TooLarge { part: short(part) }),
    }
}

/// Enough of a bad part to recognise it, on one line.
fn short(part: &str) -> String {
    part.chars().take(32).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Vec<usize>, CpuListError> {
        Ok(text.parse::<CpuList>()?.iter().collect())
    }

    #[test]
    fn reads_the_kernels_lists() {
        assert_eq!(parse("0-3,8,10-11\n").unwrap(), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(parse("5").unwrap(), [5]);
        assert_eq!(parse("\n").unwrap(), [0_usize; 0]);
        assert_eq!(parse("3,1-4").unwrap(), [1, 2, 3, 4]);
    }

    #[test]
    fn names_the_bad_part() {
        let part = |part: &str| part.to_owned();
        for bad in [
            "x", "1-", "-1", "1--2", "+1", "1 ,2", "1,", ",", "0x3", "1-2-3",
        ] {
            assert!(
                matches!(parse(bad), Err(CpuListError::NotANumber { .. })),
                "{bad}: {:?}",
                parse(bad)
            );
        }
        assert_eq!(
            parse("4-2"),
            Err(CpuListError::Backwards { part: part("4-2") })
        );
        assert_eq!(
            parse("0-4294967295"),
            Err(CpuListError::TooLarge {
                part: part("0-4294967295")
            })
        );
        assert_eq!(
            parse("99999999999999999999999"),
            Err(CpuListError::TooLarge {
                part: part("99999999999999999999999")
            })
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(numbers in prop::collection::btree_set(0..MAX_CPUS, 0..200)) {
            let list: CpuList = numbers.iter().copied().collect();
            let shown = if list.is_empty() { String::new() } else { list.to_string() };
            prop_assert_eq!(shown.parse::<CpuList>().unwrap(), list);
        }

        #[test]
        fn ranges_mean_every_number_in_them(
            ranges in prop::collection::vec((0..2_000_usize, 0..40_usize), 1..20),
        ) {
            let text: Vec<_> = ranges.iter().map(|(from, more)| format!("{from}-{}", from + more)).collect();
            let expected: BTreeSet<_> = ranges.iter().flat_map(|&(from, more)| from..=from + more).collect();
            prop_assert_eq!(text.join(",").parse::<CpuList>().unwrap().0, expected);
        }

        #[test]
        fn no_text_panics(text in "[-0-9, \\n+x]{0,40}|\\PC{0,40}") {
            if let Ok(list) = text.parse::<CpuList>() {
                prop_assert!(list.iter().all(|cpu| cpu < MAX_CPUS));
            }
        }
    }
}
