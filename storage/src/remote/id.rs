//! What servers call a record.

use crate::provider::RecordKey;

/// The names of a record in one text that can be read, and taken apart again.
///
/// `7.5.3:Account/bob:balance` is of slot 7, and its first two names have 5 and 3 bytes.
#[must_use]
pub fn id_of(key: &RecordKey) -> String {
    format!(
        "{}.{}.{}:{}/{}:{}",
        key.slot(),
        key.actor().len(),
        key.key().len(),
        key.actor(),
        key.key(),
        key.name()
    )
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
