//! What servers call a record.

use crate::provider::RecordKey;

/// The names of a record in one text that can be read, and taken apart again.
///
/// `7.5.3:Account/bob:balance` is of slot 7, and its first two names have 5 and 3 bytes.
#[must_use]
pub fn id_of(key: &RecordKey) -> String {
    let mut id = Vec::with_capacity(key.text_len() + 24);
    write_id(key, &mut id);
    String::from_utf8(id).expect("names are text, and so are digits")
}

/// Appends [`id_of`] the record.
pub(crate) fn write_id(key: &RecordKey, out: &mut Vec<u8>) {
    write_digits(key.slot().into(), out);
    out.push(b'.');
    write_digits(key.actor().len() as u64, out);
    out.push(b'.');
    write_digits(key.key().len() as u64, out);
    for (before, name) in [(b':', key.actor()), (b'/', key.key()), (b':', key.name())] {
        out.push(before);
        out.extend_from_slice(name.as_bytes());
    }
}

/// Appends a number's decimal digits.
pub(crate) fn write_digits(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The record called `id`; `None` if no record is.
#[must_use]
pub fn from_id(id: &[u8]) -> Option<RecordKey> {
    let id = std::str::from_utf8(id).ok()?;
    let (numbers, names) = id.split_once(':')?;
    let mut numbers = numbers.split('.');
    let slot: u16 = numbers.next()?.parse().ok()?;
    let actor: usize = numbers.next()?.parse().ok()?;
    let key: usize = numbers.next()?.parse().ok()?;
    let (actor, rest) = names.split_at_checked(actor)?;
    let (key, name) = rest.strip_prefix('/')?.split_at_checked(key)?;
    let record = RecordKey::new(actor, key, name.strip_prefix(':')?, slot);
    (id_of(&record) == id).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        for (actor, key, name) in [
            ("Account", "bob", "balance"),
            ("", "", ""),
            ("a/b", "c:d", "e/f:g"),
            ("ü", "\0", "{x}"),
        ] {
            let record = RecordKey::new(actor, key, name, 7);
            assert_eq!(from_id(id_of(&record).as_bytes()), Some(record));
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 9, 10, 65_535, u64::MAX] {
            let mut digits = Vec::new();
            write_digits(number, &mut digits);
            assert_eq!(digits, number.to_string().into_bytes());
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for id in [
            "",
            "7",
            "7.1.1:ab:c",
            "7.9.9:a/b:c",
            "07.1.1:a/b:c",
            "7.1.1.1:a/b:c",
            "70000.1.1:a/b:c",
            "7.1.1:ü/b:c",
        ] {
            assert_eq!(from_id(id.as_bytes()), None, "{id}");
        }
        assert_eq!(from_id(&[0xff]), None);
    }
}
