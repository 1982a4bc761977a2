//! Lines borrowed from a fixed buffer: no allocation per line, and no line can make it grow.

use std::io::{self, Read};

/// The longest line taken, in bytes. A LOBSTER message needs about 50.
pub const MAX_LINE: usize = 256;

const BUFFER: usize = 64 * 1024;

/// Splits a stream into lines without their ends (`\n` or `\r\n`).
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    buffer: Box<[u8]>,
    /// What is read and not yet handed out: `buffer[start..end]`.
    start: usize,
    end: usize,
    ended: bool,
}

/// What stands between two line ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line of at most [`MAX_LINE`] bytes.
    Whole(&'a [u8]),
    /// A longer one, by its beginning.
    TooLong(&'a [u8]),
}

impl<R: Read> Lines<R> {
    /// Lines of `input`, which needs no buffer of its own.
    pub fn new(input: R) -> Self {
        Lines {
            input,
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            ended: false,
        }
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    ///
    /// What `input` says, except interruptions, which are tried again.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        loop {
            let waiting = &self.buffer[self.start..self.end];
            if let Some(at) = waiting[searched..].iter().position(|&byte| byte == b'\n') {
                let from = self.start;
                self.start += searched + at + 1;
                return Ok(Some(whole(&self.buffer[from..from + searched + at])));
            }
            searched = waiting.len();
            if self.ended {
                let from = self.start;
                self.start = self.end;
                return Ok((searched > 0).then(|| whole(&self.buffer[from..self.end])));
            }
            // One byte more than a line may have, for the `\r`.
            if searched > MAX_LINE + 1 {
                return self.skip_rest().map(Some);
            }
            self.fill()?;
        }
    }

    /// Drops the rest of a line that is too long; its beginning stays at the buffer's front.
    fn skip_rest(&mut self) -> io::Result<Line<'_>> {
        self.buffer
            .copy_within(self.start..self.start + MAX_LINE, 0);
        loop {
            (self.start, self.end) = (MAX_LINE, MAX_LINE);
            if self.read()? == 0 {
                break;
            }
            let read = &self.buffer[self.start..self.end];
            if let Some(at) = read.iter().position(|&byte| byte == b'\n') {
                self.start += at + 1;
                break;
            }
        }
        Ok(Line::TooLong(&self.buffer[..MAX_LINE]))
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.read().map(drop)
    }

    fn read(&mut self) -> io::Result<usize> {
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    self.ended = read == 0;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn whole(line: &[u8]) -> Line<'_> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE {
        Line::TooLong(&line[..MAX_LINE])
    } else {
        Line::Whole(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out its bytes a few at a time, as a pipe may.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(into.len());
            self.0
                .take(step as u64)
                .read(&mut into[..step])
                .inspect(|&n| self.0 = &self.0[n..])
        }
    }

    fn split(input: &[u8], step: usize) -> Vec<Result<Vec<u8>, Vec<u8>>> {
        let mut lines = Lines::new(Trickle(input, step));
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(match line {
                Line::Whole(line) => Ok(line.to_vec()),
                Line::TooLong(line) => Err(line.to_vec()),
            });
        }
        all
    }

    /// The same by the simplest means, on the whole input.
    fn expected(input: &[u8]) -> Vec<Result<Vec<u8>, Vec<u8>>> {
        let mut parts: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
        if parts.last().is_some_and(|last| last.is_empty()) {
            parts.pop();
        }
        let line = |part: &[u8]| {
            let part = part.strip_suffix(b"\r").unwrap_or(part);
            if part.len() > MAX_LINE {
                Err(part[..MAX_LINE].to_vec())
            } else {
                Ok(part.to_vec())
            }
        };
        parts.into_iter().map(line).collect()
    }

    #[test]
    fn line_ends_of_both_kinds_and_none_at_the_end() {
        assert_eq!(
            split(b"a\r\nb\n\nc", 64),
            [
                Ok(b"a".to_vec()),
                Ok(b"b".to_vec()),
                Ok(vec![]),
                Ok(b"c".to_vec())
            ]
        );
        assert_eq!(split(b"", 64), []);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_found() {
        let mut input = vec![b'x'; 3 * BUFFER];
        input.extend(b"\nshort\n");
        for step in [1_000, BUFFER] {
            assert_eq!(
                split(&input, step),
                [Err(vec![b'x'; MAX_LINE]), Ok(b"short".to_vec())]
            );
        }
    }

    #[test]
    fn a_line_of_the_limit_is_whole() {
        for length in [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE + 2] {
            for end in ["\n", "\r\n", ""] {
                let mut input = vec![b'y'; length];
                input.extend(end.as_bytes());
                assert_eq!(split(&input, 7), expected(&input), "{length} {end:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_steps_split_alike(
            input in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>(), Just(b'z'), Just(b'z')], 0..2_000),
            step in 1_usize..600,
        ) {
            prop_assert_eq!(split(&input, step), expected(&input));
        }
    }
}
