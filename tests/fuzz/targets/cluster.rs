//! Any bytes as what a node says of its cluster, and as a table out of a store: what can be read is
//! written as it was read.
#![no_main]

use quark_net::cluster::{Message, Table};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok((from, message)) = Message::read(data) {
        let mut written = Vec::new();
        message.write(from, &mut written);
        assert_eq!(Message::read(&written), Ok((from, message)));
    }
    if let Ok(table) = Table::decode(data) {
        assert_eq!(Table::decode(&table.encode()), Ok(table));
    }
});
