//! `.hlog` files: HdrHistogram's interval log, whose histograms are compressed and in base64.
//! Nothing of what was recorded is lost in it.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

/// The log's column of longest values is in milliseconds; its histograms are in nanoseconds.
const NS_PER_MS: f64 = 1e6;

/// When a histogram was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// When it began.
    pub begun: SystemTime,
    /// How long it took.
    pub length: Duration,
}

/// Writes a log of one interval, which holds `histogram`, in nanoseconds, under the name `tag`.
///
/// # Errors
///
/// What `out` says.
pub fn write(
    out: &mut impl Write,
    histogram: &Histogram<u64>,
    tag: &str,
    Interval { begun, length }: Interval,
    comment: &str,
) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(comment)
        .with_start_time(begun)
        .with_base_time(begun)
        .with_max_value_divisor(NS_PER_MS)
        .begin_log_with(&mut *out, &mut serializer)?;
    log.write_histogram(histogram, Duration::ZERO, length, Tag::new(tag))
        .map_err(|error| match error {
            IntervalLogWriterError::IoError(error) => error,
            other => io::Error::other(format!("{other}")),
        })?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn the_log_gives_back_what_was_recorded() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for step in 1..10_000_u64 {
            histogram.record(step * step).unwrap();
        }
        let mut out = Vec::new();
        let interval = Interval {
            begun: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_162_530),
            length: Duration::from_millis(1_500),
        };
        write(&mut out, &histogram, "ask-cross", interval, "nanoseconds").unwrap();
        let text = String::from_utf8(out.clone()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#[Histogram log format version 1.3]"));
        assert_eq!(lines.next(), Some("#nanoseconds"));
        assert!(
            text.contains("#[StartTime: 1795162530.000 (seconds since epoch)"),
            "{text}"
        );
        let logged = IntervalLogIterator::new(&out).find_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let logged = logged.unwrap();
        assert_eq!(logged.tag().map(|tag| tag.as_str()), Some("ask-cross"));
        assert_eq!(logged.duration(), Duration::from_millis(1_500));
        assert!((logged.max() - 99.98).abs() < 0.1, "{}", logged.max());
        let bytes = base64::Engine::decode(
            &base64::prelude::BASE64_STANDARD,
            logged.encoded_histogram(),
        );
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes.unwrap()[..])
            .unwrap();
        assert_eq!(read, histogram);
    }
}
