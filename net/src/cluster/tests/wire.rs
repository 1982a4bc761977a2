use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;
use quark_shards::slots::NodeId;

use super::super::*;
use super::cases::newcomer;

/// A table with a history: who came and went, by chance.
fn table(steps: &[u8]) -> Table {
    let mut table = Table::found(newcomer("founder"));
    for (number, step) in steps.iter().enumerate() {
        let members = table.members();
        let some = members.get(usize::from(*step) / 4 % members.len().max(1));
        let change = match (step % 4, some) {
            (0, Some(member)) => Change::Drain(member.id),
            (1, Some(member)) => Change::Remove(member.id),
            (2, Some(member)) => Change::Restart(member.id, newcomer(&member.name)),
            _ => Change::Admit(newcomer(&format!("node-{number}"))),
        };
        if let Ok(next) = table.changed(&change) {
            table = next;
        }
    }
    table
}

fn messages() -> impl Strategy<Value = Message> {
    let ask = (
        any::<(u64, u64, bool, bool, u64, u64)>(),
        prop::collection::vec(any::<u32>(), 0..5),
    );
    prop_oneof![
        ask.prop_map(
            |((version, round, has_lease, is_settled, first, last), silent)| {
                Message::Ask(Ask {
                    version,
                    round,
                    has_lease,
                    is_settled,
                    let_go: Versions { first, last },
                    silent: silent.into_iter().map(NodeId).collect(),
                })
            }
        ),
        any::<(u64, u64)>().prop_map(|(version, round)| Message::Confirm { version, round }),
        any::<u64>().prop_map(|version| Message::Refuse { version }),
        any::<(String, u64, u128)>().prop_map(|(name, incarnation, ip)| {
            Message::Join(Newcomer {
                name: name.chars().take(60).collect(),
                incarnation,
                address: Address {
                    ip: IpAddr::V6(Ipv6Addr::from(ip)),
                    ports: vec![incarnation as u16; 3],
                },
            })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn tables_are_read_as_they_were_written(steps in prop::collection::vec(any::<u8>(), 0..8)) {
        let table = table(&steps);
        prop_assert_eq!(Table::decode(&table.encode()), Ok(table));
    }

    #[test]
    fn damaged_tables_are_refused_or_read(
        steps in prop::collection::vec(any::<u8>(), 0..4),
        at in any::<prop::sample::Index>(),
        flipped in 1..=255_u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = table(&steps).encode();
        let at = at.index(bytes.len().min(400));
        bytes[at] ^= flipped;
        if let Ok(read) = Table::decode(&bytes) {
            prop_assert_eq!(read.encode().len(), bytes.len());
        }
        bytes[at] ^= flipped;
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Table::decode(&bytes).is_err());
    }
}

proptest! {
    #[test]
    fn messages_are_read_as_they_were_written(message in messages()) {
        let mut bytes = Vec::new();
        message.write(NodeId(7), &mut bytes);
        prop_assert_eq!(Message::read(&bytes), Ok((NodeId(7), message)));
        bytes.push(0);
        prop_assert!(Message::read(&bytes).is_err());
    }
}
