//! Where a feed comes from: a file, or a seed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Feed, FeedError, MAX_EVENTS, lobster, synthetic};

/// Names a folder or a file with a real feed, before the usual places are searched.
pub const FEED_VARIABLE: &str = "QUARK_LOBSTER";

/// Events of the made-up feed that stands in where there is no real one.
const STAND_IN: u64 = 100_000;

/// Where a feed comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// LOBSTER message CSV.
    File(PathBuf),
    /// So many made-up events.
    Synthetic(u64),
}

impl Source {
    /// The real feed where this machine has one, else a made-up one.
    #[must_use]
    pub fn usual() -> Self {
        find().map_or(Source::Synthetic(STAND_IN), Source::File)
    }

    /// Reads the feed, or makes it from `seed`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no feed: see [`lobster::read`].
    pub fn load(&self, seed: u64, lenient: bool) -> Result<Feed, FeedError> {
        match self {
            Source::Synthetic(events) => Ok(synthetic::feed(*events, seed)),
            Source::File(path) => {
                let input = File::open(path).map_err(|source| FeedError::Read {
                    path: path.clone(),
                    source,
                })?;
                lobster::read(&path.display().to_string(), input, lenient)
            }
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(events) = text.strip_prefix("synthetic:") else {
            return match text {
                "" => Err("expected a file or synthetic:N".to_owned()),
                file => Ok(Source::File(file.into())),
            };
        };
        match events.parse() {
            Ok(events @ 1..=MAX_EVENTS) => Ok(Source::Synthetic(events)),
            _ => Err(format!(
                "synthetic:N needs a number of events from 1 to {MAX_EVENTS}"
            )),
        }
    }
}

/// The real feed: what [`FEED_VARIABLE`] names, else the first message file in a folder
/// `shared/data/lobster` beside the current folder or one above it.
#[must_use]
pub fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(FEED_VARIABLE) {
        let named = Path::new(&named);
        // A name that leads nowhere is kept, so that reading it says so.
        return messages_in(named).or_else(|| Some(named.to_owned()));
    }
    let here = std::env::current_dir().ok()?;
    here.ancestors()
        .find_map(|above| messages_in(&above.join("shared/data/lobster")))
}

fn messages_in(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return Some(place.to_owned());
    }
    let mut files: Vec<PathBuf> = place
        .read_dir()
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.contains("_message_") && name.ends_with(".csv")
    });
    files.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_or_a_number_of_events() {
        assert_eq!("a.csv".parse(), Ok(Source::File("a.csv".into())));
        assert_eq!("synthetic:12".parse(), Ok(Source::Synthetic(12)));
        for wrong in [
            "",
            "synthetic:",
            "synthetic:0",
            "synthetic:-1",
            "synthetic:100000001",
        ] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_feed_that_cannot_be_read_is_named() {
        for path in ["/nonexistent/feed.csv", "/"] {
            let error = Source::File(path.into())
                .load(1, false)
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("cannot read the feed {path}: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_usual_feed_loads() {
        assert!(!Source::usual().load(1, false).unwrap().events.is_empty());
    }
}
