//! Why a feed cannot be used: always one line, with the place and what was expected there.

use std::io;
use std::path::PathBuf;

use super::MAX_EVENTS;

/// Why a feed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file cannot be opened or read.
    #[error("cannot read the feed {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not an event.
    #[error("feed {feed}, line {line}, {fault} (--lenient skips such lines)")]
    Malformed {
        /// The feed's name.
        feed: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// There is nothing to replay.
    #[error("the feed {feed} holds no events")]
    Empty {
        /// The feed's name.
        feed: String,
    },
    /// The feed is larger than can be held.
    #[error("the feed {feed} holds more than {MAX_EVENTS} events; split it")]
    TooLong {
        /// The feed's name.
        feed: String,
    },
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}, found {found}")]
pub struct Fault {
    /// The byte of the line where the fault begins, from 1.
    pub column: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there, shortened and printable.
    pub found: String,
}

impl Fault {
    /// A fault at `column`, quoting `found` safely.
    pub(super) fn new(column: usize, expected: &'static str, found: &[u8]) -> Self {
        const SHOWN: usize = 24;
        let found = match found {
            [] => "nothing".to_owned(),
            long if long.len() > SHOWN => format!("\"{}…\"", long[..SHOWN].escape_ascii()),
            short => format!("\"{}\"", short.escape_ascii()),
        };
        Fault {
            column,
            expected,
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_printable_and_short() {
        assert_eq!(Fault::new(1, "a price", b"").found, "nothing");
        assert_eq!(
            Fault::new(1, "a price", b"\x1b[31m\n").found,
            r#""\x1b[31m\n""#
        );
        assert!(Fault::new(1, "a price", &[0xff; 4_000]).found.len() < 120);
    }
}
