use std::collections::VecDeque;
use std::io::Write;

use super::{LoadError, Speech};

/// Redis: `INCR` of a key, in its own protocol.
#[derive(Debug, Default)]
pub struct Resp {
    out: Vec<u8>,
    /// When those under way were asked; answers come in their order.
    asked: VecDeque<u64>,
    /// The beginning of an answer that was cut.
    begun: Vec<u8>,
}

impl Speech for Resp {
    fn is_open(&self) -> bool {
        true
    }

    #[inline]
    fn ask(&mut self, key: u64, now: u64) -> Result<(), LoadError> {
        let mut digits = [0; 20];
        let digits = decimal(key, &mut digits);
        // The key is `counter:` and its number.
        write!(
            self.out,
            "*2\r\n$4\r\nINCR\r\n${}\r\ncounter:",
            8 + digits.len()
        )?;
        self.out.extend_from_slice(digits);
        self.out.extend_from_slice(b"\r\n");
        self.asked.push_back(now);
        Ok(())
    }

    #[inline]
    fn hear(
        &mut self,
        mut bytes: &[u8],
        _: u64,
        mut answered: impl FnMut(u64),
    ) -> Result<(), LoadError> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.begun.is_empty() {
                number(line)?;
            } else {
                self.begun.extend_from_slice(line);
                number(&self.begun)?;
                self.begun.clear();
            }
            let asked = self.asked.pop_front();
            answered(asked.ok_or_else(|| not_a_number(line))?);
        }
        self.begun.extend_from_slice(bytes);
        if self.begun.len() > LINE_MOST {
            return Err(not_a_number(&self.begun));
        }
        Ok(())
    }

    fn say(&mut self, out: &mut Vec<u8>) -> Result<(), LoadError> {
        out.append(&mut self.out);
        Ok(())
    }
}

/// Longer than any number.
const LINE_MOST: usize = 64;

/// The number of an answer `:123\r\n`.
#[inline]
fn number(line: &[u8]) -> Result<u64, LoadError> {
    let digits = line
        .strip_prefix(b":")
        .and_then(|line| line.strip_suffix(b"\r\n"))
        .filter(|digits| !digits.is_empty());
    let digits = digits.ok_or_else(|| not_a_number(line))?;
    digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => Ok(number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'))),
        _ => Err(not_a_number(line)),
    })
}

#[cold]
fn not_a_number(line: &[u8]) -> LoadError {
    let line = &line[..line.len().min(LINE_MOST)];
    LoadError::NotANumber(String::from_utf8_lossy(line).trim_end().to_owned())
}

/// Cheaper than formatting, which is not what is measured.
#[inline]
fn decimal(number: u64, into: &mut [u8; 20]) -> &[u8] {
    let mut left = number;
    let mut begin = into.len();
    loop {
        begin -= 1;
        into[begin] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            return &into[begin..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_redis_own() {
        let mut resp = Resp::default();
        resp.ask(7, 1).unwrap();
        resp.ask(123, 2).unwrap();
        let mut said = Vec::new();
        resp.say(&mut said).unwrap();
        assert_eq!(
            String::from_utf8(said).unwrap(),
            "*2\r\n$4\r\nINCR\r\n$9\r\ncounter:7\r\n*2\r\n$4\r\nINCR\r\n$11\r\ncounter:123\r\n"
        );
    }

    #[test]
    fn answers_are_found_wherever_they_are_cut() {
        let text = b":1\r\n:234\r\n:5\r\n";
        for cut in 0..text.len() {
            let mut resp = Resp::default();
            for now in 1..=3 {
                resp.ask(now, now).unwrap();
            }
            let mut answered = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                resp.hear(part, 9, |asked| answered.push(asked)).unwrap();
            }
            assert_eq!(answered, [1, 2, 3], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in ["-ERR no\r\n", ":x\r\n", ":\r\n", "1\r\n", &"9".repeat(100)] {
            let mut resp = Resp::default();
            resp.ask(1, 1).unwrap();
            let error = resp.hear(text.as_bytes(), 2, |_| {}).unwrap_err();
            assert!(error.to_string().contains("instead of a number"), "{error}");
        }
        // An answer that nobody asked for.
        assert!(Resp::default().hear(b":1\r\n", 2, |_| {}).is_err());
    }
}
