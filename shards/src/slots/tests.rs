//! Tests of the slot table: balance, and that nothing moves without need.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn assert_balanced(table: &SlotTable) {
    let mut loads = BTreeMap::<NodeId, usize>::new();
    for slot in 0..=u16::MAX {
        *loads.entry(table.owner(slot)).or_default() += 1;
    }
    assert_eq!(loads.keys().copied().collect::<Vec<_>>(), table.nodes());
    let (least, most) = (SLOTS / loads.len(), SLOTS.div_ceil(loads.len()));
    assert!(
        loads.values().all(|load| (least..=most).contains(load)),
        "{loads:?}"
    );
}

/// Slots whose owner differs, as (before, after).
fn moved<'a>(
    before: &'a SlotTable,
    after: &'a SlotTable,
) -> impl Iterator<Item = (NodeId, NodeId)> + 'a {
    before
        .owners()
        .iter()
        .copied()
        .zip(after.owners().iter().copied())
        .filter(|(b, a)| b != a)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn stays_balanced_and_moves_no_more_than_it_must(
        first in prop::collection::hash_set(0u32..1000, 1..40),
        changes in prop::collection::vec((any::<bool>(), 0u32..1000), 1..12),
    ) {
        let mut nodes: Vec<NodeId> = first.into_iter().map(NodeId).collect();
        let mut table = SlotTable::assign(&nodes).unwrap();
        nodes.reverse();
        prop_assert_eq!(&SlotTable::assign(&nodes).unwrap(), &table);
        assert_balanced(&table);
        for (joins, number) in changes {
            let node = if joins {
                NodeId(number)
            } else {
                table.nodes()[number as usize % table.nodes().len()]
            };
            let after = if joins { table.join(node) } else { table.leave(node) };
            let is_in = table.nodes().contains(&node);
            match after {
                Err(SlotTableError::AlreadyIn(_)) => prop_assert!(joins && is_in),
                Err(SlotTableError::NoNode) => prop_assert_eq!(table.nodes(), &[node]),
                Err(error) => panic!("{error}"),
                Ok(after) => {
                    assert_balanced(&after);
                    prop_assert_eq!(after.epoch(), table.epoch() + 1);
                    let moves: Vec<_> = moved(&table, &after).collect();
                    if joins {
                        prop_assert!(moves.iter().all(|(_, to)| *to == node));
                        prop_assert_eq!(moves.len(), SLOTS / after.nodes().len());
                    } else {
                        prop_assert!(moves.iter().all(|(from, _)| *from == node));
                        prop_assert!(!after.nodes().contains(&node));
                    }
                    table = after;
                }
            }
        }
        let restored = SlotTable::restore(table.epoch(), table.owners().to_vec()).unwrap();
        prop_assert_eq!(restored, table);
    }

    #[test]
    fn every_hash_has_a_slot_and_a_shard(hash: u64, shards in 1u16..) {
        prop_assert_eq!(u64::from(slot_of(hash)), hash % SLOTS as u64);
        prop_assert!(shard_of(hash, shards) < shards);
    }
}

#[test]
fn a_restored_table_out_of_balance_is_mended_by_joins_and_leaves() {
    let mut owners = vec![NodeId(1); SLOTS];
    owners[..10].fill(NodeId(2));
    owners[10..30].fill(NodeId(3));
    let table = SlotTable::restore(9, owners).unwrap();
    let joined = table.join(NodeId(4)).unwrap();
    assert_eq!(moved(&table, &joined).count(), SLOTS / 4);
    assert!(moved(&table, &joined).all(|(from, to)| (from, to) == (NodeId(1), NodeId(4))));
    assert_balanced(&joined.leave(NodeId(1)).unwrap());
    assert_balanced(&table.leave(NodeId(1)).unwrap());
    let kept = table.leave(NodeId(3)).unwrap();
    assert!(moved(&table, &kept).all(|change| change == (NodeId(3), NodeId(2))));
}

#[test]
fn one_node_owns_all_and_cannot_leave() {
    let table = SlotTable::single(NodeId(7));
    assert_eq!(table, SlotTable::assign(&[NodeId(7)]).unwrap());
    assert_eq!(table.leave(NodeId(7)), Err(SlotTableError::NoNode));
    assert_eq!(
        table.leave(NodeId(8)),
        Err(SlotTableError::NotIn(NodeId(8)))
    );
    assert_eq!(SlotTable::assign(&[]), Err(SlotTableError::NoNode));
    assert_eq!(
        SlotTable::assign(&[NodeId(1), NodeId(2), NodeId(1)]),
        Err(SlotTableError::AlreadyIn(NodeId(1)))
    );
    assert_eq!(
        SlotTable::restore(1, vec![]),
        Err(SlotTableError::WrongLength(0))
    );
}

#[test]
fn a_thousand_nodes_are_balanced_too() {
    let nodes: Vec<NodeId> = (0..1000).map(NodeId).collect();
    let table = SlotTable::assign(&nodes).unwrap();
    assert_balanced(&table);
    assert_balanced(&table.join(NodeId(5000)).unwrap());
    assert_balanced(&table.leave(NodeId(500)).unwrap());
}

/// Nodes of all versions must make the same table.
#[test]
fn a_table_is_what_it_always_was() {
    let table = SlotTable::assign(&[3, 1, 4, 15, 9].map(NodeId))
        .unwrap()
        .join(NodeId(26))
        .unwrap();
    let bytes: Vec<u8> = table
        .owners()
        .iter()
        .flat_map(|owner| owner.0.to_le_bytes())
        .collect();
    assert_eq!(xxhash_rust::xxh3::xxh3_64(&bytes), 0xECB5_6747_CEF6_F56D);
}

/// A slot keeps most of its nodes' order whatever the nodes: tables made with no history agree.
#[test]
fn tables_made_anew_mostly_agree() {
    let nodes: Vec<NodeId> = (0..20).map(NodeId).collect();
    let (some, more) = (
        SlotTable::assign(&nodes[..19]).unwrap(),
        SlotTable::assign(&nodes).unwrap(),
    );
    let moves = moved(&some, &more).count();
    assert!(moves < SLOTS / 4, "{moves} of {SLOTS} slots moved");
}

#[test]
fn shards_divide_the_hashes_evenly() {
    for shards in [1, 3, 12, 64] {
        let step = u64::MAX / 60_000;
        let mut loads = vec![0u32; usize::from(shards)];
        (0..60_000).for_each(|i| loads[usize::from(shard_of(i * step, shards))] += 1);
        let fair = 60_000 / u32::from(shards);
        assert!(
            loads
                .iter()
                .all(|load| load.abs_diff(fair) <= 1 + fair / 100),
            "{loads:?}"
        );
    }
    assert_eq!(shard_of(u64::MAX, 0), 0);
}
