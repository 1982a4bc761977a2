//! LOBSTER message CSV: `time,type,order id,size,price,direction`, no header.
//!
//! Integers throughout: a price or a time never passes through floating point.

use std::io::{self, Read, Write};
use std::path::Path;

use super::error::Fault;
use super::lines::{Line, Lines};
use super::{Event, Feed, FeedError, Kind, MAX_EVENTS, Side, Stamp};

const NANOS: u64 = 1_000_000_000;
/// Digits after the point of a time: nanoseconds, and as many again for what floating point
/// leaves behind them in some feeds.
const MOST_PLACES: u8 = 18;
const TIME: &str = "a time in seconds after midnight, with at most 18 digits after the point";

/// Reads a whole feed. With `lenient`, malformed lines are skipped and counted.
///
/// # Errors
///
/// When the input cannot be read, holds no events or too many, or (without `lenient`) holds a
/// malformed line.
pub fn read(name: &str, input: impl Read, lenient: bool) -> Result<Feed, FeedError> {
    let mut feed = Feed {
        name: name.to_owned(),
        events: Vec::new(),
        stamps: Vec::new(),
        skipped: 0,
    };
    let mut lines = Lines::new(input);
    let mut number = 0;
    let failed = |source| FeedError::Read {
        path: Path::new(name).to_owned(),
        source,
    };
    while let Some(line) = lines.next_line().map_err(failed)? {
        number += 1;
        let parsed = match line {
            Line::Whole(line) => parse(line),
            Line::TooLong(line) => Err(Fault::new(1, "a line of at most 256 bytes", line)),
        };
        match parsed {
            Ok(_) if feed.events.len() as u64 == MAX_EVENTS => {
                return Err(FeedError::TooLong { feed: feed.name });
            }
            Ok((stamp, event)) => {
                feed.stamps.push(stamp);
                feed.events.push(event);
            }
            Err(_) if lenient => feed.skipped += 1,
            Err(fault) => {
                return Err(FeedError::Malformed {
                    feed: feed.name,
                    line: number,
                    fault,
                });
            }
        }
    }
    if feed.events.is_empty() {
        return Err(FeedError::Empty { feed: feed.name });
    }
    Ok(feed)
}

/// Writes a feed as it would have been read.
///
/// # Errors
///
/// What `out` says.
pub fn write(feed: &Feed, mut out: impl Write) -> io::Result<()> {
    for (stamp, event) in feed.stamps.iter().zip(&feed.events) {
        writeln!(out, "{stamp},{event}")?;
    }
    out.flush()
}

/// Reads one line, without its end.
///
/// # Errors
///
/// The first thing in it that is not as the format has it.
pub fn parse(line: &[u8]) -> Result<(Stamp, Event), Fault> {
    let mut fields = Fields {
        line,
        at: 0,
        more: true,
    };
    let stamp = time(&fields.next(TIME)?)?;
    let kind = kind(&fields.next("an event type (1, 2, 3, 4, 5 or 7)")?)?;
    let order = fields.next("an order id")?;
    let order = order.unsigned("an order id (a whole number below 2^64)")?;
    let size_field = fields.next("a size in shares")?;
    let size = size_field.unsigned("a size in shares (a whole number below 2^32)")?;
    let price_field = fields.next("a price in dollars × 10,000")?;
    let price = price_field.signed("a price in dollars × 10,000 (a whole number)")?;
    let side = side(&fields.next("a direction (1 or -1)")?)?;
    if let Some(at) = fields.rest() {
        return Err(Fault::new(
            at + 1,
            "the end of the line after six fields",
            &line[at..],
        ));
    }
    // A halt carries a code for a price (-1, 0 or 1) and no shares.
    if kind != Kind::Halt {
        if size == 0 {
            return Err(size_field.fault("a size of at least 1 share"));
        }
        if price <= 0 {
            return Err(price_field.fault("a price above 0"));
        }
    }
    Ok((
        stamp,
        Event {
            order,
            price,
            size,
            kind,
            side,
        },
    ))
}

/// The fields of a line, one after the other.
struct Fields<'a> {
    line: &'a [u8],
    at: usize,
    more: bool,
}

impl<'a> Fields<'a> {
    fn next(&mut self, expected: &'static str) -> Result<Field<'a>, Fault> {
        if !self.more {
            return Err(Fault::new(self.line.len() + 1, expected, b""));
        }
        let rest = &self.line[self.at..];
        let comma = rest.iter().position(|&byte| byte == b',');
        let text = &rest[..comma.unwrap_or(rest.len())];
        let field = Field {
            text,
            column: self.at + 1,
        };
        self.more = comma.is_some();
        self.at += text.len() + 1;
        Ok(field)
    }

    /// Where another field begins, if the line has one.
    fn rest(&self) -> Option<usize> {
        self.more.then_some(self.at)
    }
}

struct Field<'a> {
    text: &'a [u8],
    column: usize,
}

impl Field<'_> {
    fn fault(&self, expected: &'static str) -> Fault {
        Fault::new(self.column, expected, self.text)
    }

    fn unsigned<T: TryFrom<u64>>(&self, expected: &'static str) -> Result<T, Fault> {
        digits(self.text)
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| self.fault(expected))
    }

    fn signed(&self, expected: &'static str) -> Result<i64, Fault> {
        let (negative, text) = match self.text {
            [b'-', text @ ..] => (true, text),
            text => (false, text),
        };
        let value = digits(text).and_then(|value| i64::try_from(value).ok());
        let value = value.ok_or_else(|| self.fault(expected))?;
        Ok(if negative { -value } else { value })
    }
}

/// Decimal digits and nothing else.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn time(field: &Field<'_>) -> Result<Stamp, Fault> {
    let fault = || field.fault(TIME);
    let point = field.text.iter().position(|&byte| byte == b'.');
    let whole = &field.text[..point.unwrap_or(field.text.len())];
    let seconds = digits(whole).ok_or_else(fault)?;
    let (nanos, beyond, places) = match point {
        None => (0, 0, 0),
        Some(at) => fraction(&field.text[at + 1..]).ok_or_else(fault)?,
    };
    let ns = seconds
        .checked_mul(NANOS)
        .and_then(|ns| ns.checked_add(nanos))
        .ok_or_else(fault)?;
    let whole = u8::try_from(whole.len()).map_err(|_| fault())?;
    Ok(Stamp {
        ns,
        beyond,
        whole,
        fraction: places,
    })
}

/// Nanoseconds, what the digits beyond them say, and how many digits there are in all.
fn fraction(text: &[u8]) -> Option<(u64, u32, u8)> {
    let places = u8::try_from(text.len())
        .ok()
        .filter(|&places| places <= MOST_PLACES)?;
    let (nanos, beyond) = text.split_at(text.len().min(9));
    let scale = 10_u64.pow(9 - nanos.len() as u32);
    let beyond = if beyond.is_empty() {
        0
    } else {
        u32::try_from(digits(beyond)?).ok()?
    };
    Some((digits(nanos)? * scale, beyond, places))
}

fn kind(field: &Field<'_>) -> Result<Kind, Fault> {
    Ok(match field.text {
        b"1" => Kind::New,
        b"2" => Kind::Cancel,
        b"3" => Kind::Delete,
        b"4" => Kind::Execute,
        b"5" => Kind::ExecuteHidden,
        b"7" => Kind::Halt,
        _ => return Err(field.fault("an event type (1, 2, 3, 4, 5 or 7)")),
    })
}

fn side(field: &Field<'_>) -> Result<Side, Fault> {
    match field.text {
        b"1" => Ok(Side::Buy),
        b"-1" => Ok(Side::Sell),
        _ => Err(field.fault("a direction (1 or -1)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "34200.00426064,1,16113584,18,5853200,1";

    #[test]
    fn a_line_is_read_and_written_back() {
        let (stamp, event) = parse(LINE.as_bytes()).unwrap();
        assert_eq!(stamp.nanos(), 34_200_004_260_640);
        assert_eq!(
            (event.order, event.size, event.price),
            (16_113_584, 18, 5_853_200)
        );
        assert_eq!((event.kind, event.side), (Kind::New, Side::Buy));
        assert_eq!(format!("{stamp},{event}"), LINE);
    }

    #[test]
    fn a_halt_has_a_code_for_a_price() {
        let (_, event) = parse(b"36023.35,7,0,0,-1,-1").unwrap();
        assert_eq!((event.kind, event.price, event.size), (Kind::Halt, -1, 0));
    }

    #[test]
    fn a_fault_says_where_and_what() {
        for (line, column, expected) in [
            ("", 1, "a time in"),
            ("x,1,2,3,4,1", 1, "a time in"),
            ("1.,1,2,3,4,1", 1, "a time in"),
            ("1.0123456789012345678,1,2,3,4,1", 1, "at most 18 digits"),
            ("99999999999999,1,2,3,4,1", 1, "a time in"),
            ("1.5,6,2,3,4,1", 5, "an event type"),
            ("1.5,11,2,3,4,1", 5, "an event type"),
            ("1.5,1,-2,3,4,1", 7, "an order id"),
            ("1.5,1,18446744073709551616,3,4,1", 7, "an order id"),
            ("1.5,1,2,,4,1", 9, "a size"),
            ("1.5,1,2,4294967296,4,1", 9, "a size"),
            ("1.5,1,2,0,4,1", 9, "at least 1 share"),
            ("1.5,1,2,3,4.5,1", 11, "a price"),
            ("1.5,1,2,3,0,1", 11, "a price above 0"),
            ("1.5,1,2,3,-4,1", 11, "a price above 0"),
            ("1.5,1,2,3,4,0", 13, "a direction"),
            ("1.5,1,2,3,4", 12, "a direction"),
            ("1.5,1,2,3,4,1,9", 15, "the end of the line"),
            ("1.5,1,2,3,4,1 ", 13, "a direction"),
            (" 1.5,1,2,3,4,1", 1, "a time in"),
        ] {
            let fault = parse(line.as_bytes()).unwrap_err();
            assert_eq!(fault.column, column, "{line}: {fault}");
            assert!(fault.expected.contains(expected), "{line}: {fault}");
        }
    }

    #[test]
    fn a_feed_may_end_its_lines_either_way() {
        let unix = read("f", format!("{LINE}\n{LINE}\n").as_bytes(), false).unwrap();
        let dos = read("f", format!("{LINE}\r\n{LINE}").as_bytes(), false).unwrap();
        assert_eq!(unix, dos);
        assert_eq!(unix.events.len(), 2);
    }

    #[test]
    fn a_malformed_line_is_an_error_or_is_counted() {
        let text = format!("{LINE}\nnonsense\n{LINE}\n");
        let error = read("f.csv", text.as_bytes(), false)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "feed f.csv, line 2, column 1: expected a time in seconds after midnight, with at \
             most 18 digits after the point, found \"nonsense\" (--lenient skips such lines)"
        );
        let feed = read("f.csv", text.as_bytes(), true).unwrap();
        assert_eq!((feed.events.len(), feed.skipped), (2, 1));
    }

    #[test]
    fn a_long_line_is_malformed_too() {
        let text = format!("{}\n{LINE}\n", "9".repeat(10_000_000));
        let error = read("f", text.as_bytes(), false).unwrap_err().to_string();
        assert!(
            error.contains("line 1, column 1: expected a line of at most 256"),
            "{error}"
        );
        assert_eq!(read("f", text.as_bytes(), true).unwrap().skipped, 1);
    }

    #[test]
    fn a_feed_without_events_is_an_error() {
        for (text, lenient) in [("", false), ("", true), ("nonsense\n", true)] {
            let error = read("f", text.as_bytes(), lenient).unwrap_err();
            assert!(matches!(error, FeedError::Empty { .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&line);
            let _ = read("f", &line[..], true);
        }

        /// Bytes that get further than random ones do.
        #[test]
        fn nearly_good_lines_never_panic(line in "[0-9.,-]{0,80}(\n|\r\n)?[0-9.,-]{0,80}") {
            if let Ok((stamp, event)) = parse(line.as_bytes()) {
                prop_assert_eq!(format!("{stamp},{event}"), line.clone());
            }
            let _ = read("f", line.as_bytes(), false);
        }

        #[test]
        fn good_lines_come_back_as_they_were(
            time in "[0-9]{1,9}(\\.[0-9]{1,18})?", kind in "[123457]", order: u64,
            size in 1_u32.., price in 1_i64.., direction in "-?1",
        ) {
            let line = format!("{time},{kind},{order},{size},{price},{direction}");
            let (stamp, event) = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(format!("{stamp},{event}"), line);
        }
    }
}
