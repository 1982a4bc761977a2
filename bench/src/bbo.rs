//! The changes of the best bid and offer, and the file of them.

use std::io::{self, Write};

use crate::book::{Bbo, Book, Quote, Tally};
use crate::feed::Feed;

/// The best bid and offer as an event left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event's index in the feed.
    pub event: u32,
    /// What it left.
    pub bbo: Bbo,
}

/// Collects the changes of the best bid and offer.
#[derive(Clone, Debug, Default)]
pub struct BboLog {
    last: Bbo,
    changes: Vec<Change>,
    crossed: u64,
}

impl BboLog {
    /// Takes note of what event number `event` left, if it differs from what was before.
    pub fn observe(&mut self, event: u32, bbo: Bbo) {
        if bbo != self.last {
            self.last = bbo;
            self.crossed += u64::from(bbo.is_crossed());
            self.changes.push(Change { event, bbo });
        }
    }

    /// Every change, in feed order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many changes left the bid at or above the offer.
    #[must_use]
    pub fn crossed(&self) -> u64 {
        self.crossed
    }

    /// Writes a line `time,ask_price,ask_size,bid_price,bid_size` for each change. The time is
    /// as it stands in `feed`; fields of an empty side are empty.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn write(&self, feed: &Feed, mut out: impl Write) -> io::Result<()> {
        for Change { event, bbo } in &self.changes {
            write!(out, "{},", feed.stamps[*event as usize])?;
            write_quote(&mut out, bbo.ask)?;
            out.write_all(b",")?;
            write_quote(&mut out, bbo.bid)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

/// What a feed does to a book when its events are applied one after the other: what every
/// replay through actors must come to.
#[must_use]
pub fn replay(feed: &Feed) -> (BboLog, Tally) {
    let (mut book, mut log) = (Book::default(), BboLog::default());
    for (index, event) in (0..).zip(&feed.events) {
        book.apply(event);
        log.observe(index, book.bbo());
    }
    (log, book.tally())
}

fn write_quote(out: &mut impl Write, quote: Option<Quote>) -> io::Result<()> {
    match quote {
        Some(Quote { price, size }) => write!(out, "{price},{size}"),
        None => out.write_all(b","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Source, lobster, source};

    fn lines(feed: &Feed) -> String {
        let mut out = Vec::new();
        replay(feed).0.write(feed, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_each_change_and_none_between() {
        let text = "34200.10,1,1,10,100,1\n34200.2,1,2,5,90,1\n34200.3,1,3,7,120,-1\n\
                    34200.4,5,0,7,120,-1\n34200.5,3,1,10,100,1\n34200.600,3,3,7,120,-1\n\
                    34200.7,4,2,5,90,1\n";
        let feed = lobster::read("text", text.as_bytes(), false).unwrap();
        assert_eq!(
            lines(&feed),
            "34200.10,,,100,10\n34200.3,120,7,100,10\n34200.5,120,7,90,5\n34200.600,,,90,5\n\
             34200.7,,,,\n"
        );
    }

    #[test]
    fn the_real_feed_gives_what_is_known_of_it() {
        let known = "AAPL_2012-06-21_34200000_37800000_message_50.csv";
        let Some(path) = source::find().filter(|path| path.ends_with(known)) else {
            // Said on stderr, since a test that quietly passes elsewhere would mislead.
            let note =
                "the real feed is not here (QUARK_LOBSTER, shared/data/lobster): made one up\n";
            io::stderr().write_all(note.as_bytes()).unwrap();
            let feed = Source::Synthetic(92_000).load(1, false).unwrap();
            let (log, tally) = replay(&feed);
            assert!(log.changes().len() > 1_000 && tally.unknown > 0);
            assert_eq!(log.crossed(), 0);
            assert_eq!(lines(&feed).lines().count(), log.changes().len());
            return;
        };
        let feed = Source::File(path).load(1, false).unwrap();
        assert_eq!(feed.events.len(), 91_997);
        let (log, tally) = replay(&feed);
        assert_eq!(log.crossed(), 0);
        assert_eq!(tally.unknown, 84);
        assert_eq!((tally.duplicate, tally.excess), (0, 0));
        assert_eq!(lines(&feed).lines().count(), 23_457);
    }
}
