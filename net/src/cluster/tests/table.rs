use quark_shards::slots::{NodeId, SLOTS};

use super::super::*;
use super::cases::newcomer;

fn admit(table: &Table, name: &str) -> Table {
    let change = Change::Admit(newcomer(name));
    table.changed(&change).expect("there is room")
}

fn loads(table: &Table) -> Vec<usize> {
    let members = table.members().iter();
    let of = |id| (0..=u16::MAX).filter(move |slot| table.owner(*slot) == Some(id));
    members.map(|member| of(member.id).count()).collect()
}

#[test]
fn a_newcomer_takes_its_share_and_says_from_whom() {
    let one = Table::found(newcomer("a"));
    let two = admit(&one, "b");
    let three = admit(&two, "c");
    assert_eq!(three.version(), 3);
    for load in loads(&three) {
        assert!(load <= SLOTS.div_ceil(3) + 1, "{load}");
    }
    for slot in 0..=u16::MAX {
        let (before, after) = (two.owner(slot), three.owner(slot));
        if before == after {
            assert_eq!(two.deed(slot), three.deed(slot));
        } else {
            assert_eq!(after, Some(NodeId(3)));
            let deed = Deed {
                since: 3,
                from: before,
            };
            assert_eq!(three.deed(slot), deed);
        }
    }
}

#[test]
fn who_drains_keeps_its_seat_and_who_is_removed_does_not() {
    let table = admit(&admit(&Table::found(newcomer("a")), "b"), "c");
    let drained = table.changed(&Change::Drain(NodeId(2))).expect("a member");
    assert_eq!(loads(&drained)[1], 0);
    assert_eq!(drained.majority(), 2);
    let removed = drained
        .changed(&Change::Remove(NodeId(2)))
        .expect("a member");
    assert_eq!(removed.members().len(), 2);
    assert_eq!(removed.slots(), drained.slots());
    let again = admit(&removed, "b");
    assert_eq!(
        again.members().last().map(|it| it.id),
        Some(NodeId(4)),
        "no number is given twice"
    );
    let taken = again.changed(&Change::Admit(newcomer("b")));
    assert_eq!(taken, Err(ChangeError::NameTaken("b".to_owned())));
}

#[test]
fn who_comes_back_has_its_slots_from_nobody() {
    let table = admit(&Table::found(newcomer("a")), "b");
    let back = Change::Restart(NodeId(1), newcomer("a"));
    let back = table.changed(&back).expect("a member");
    assert_eq!(back.slots(), table.slots());
    for slot in 0..=u16::MAX {
        let is_its = back.owner(slot) == Some(NodeId(1));
        let anew = Deed {
            since: 3,
            from: None,
        };
        let expected = if is_its { anew } else { table.deed(slot) };
        assert_eq!(back.deed(slot), expected);
    }
}

#[test]
fn a_cluster_may_become_empty_and_begin_again() {
    let table = Table::found(newcomer("a"));
    let drained = table.changed(&Change::Drain(NodeId(1))).expect("a member");
    assert_eq!(drained.owner(7), None);
    let empty = drained.changed(&Change::Remove(NodeId(1)));
    let empty = empty.expect("a member");
    assert!(empty.members().is_empty());
    let again = admit(&empty, "a");
    assert_eq!(again.owner(7), Some(NodeId(2)));
    let strangers = Change::Drain(NodeId(1));
    let no_member = Err(ChangeError::NoMember(NodeId(1)));
    assert_eq!(again.changed(&strangers), no_member);
}
