//! What chance comes by too seldom.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::super::*;

const NOW: Time = Time::from_nanos(1_000_000_000);

pub(super) fn newcomer(name: &str) -> Newcomer {
    Newcomer {
        name: name.to_owned(),
        incarnation: 1,
        address: Address {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: vec![1],
        },
    }
}

/// The first table, of the node "a", and the ones that `changes` make of it.
fn history<const N: usize>(changes: [Change; N]) -> Vec<Arc<Table>> {
    let mut tables = vec![Arc::new(Table::found(newcomer("a")))];
    for change in changes {
        let last = tables.last().expect("it begins with one");
        tables.push(Arc::new(
            last.changed(&change).expect("it can be changed so"),
        ));
    }
    tables
}

/// A slot that these members own, one after the other.
fn slot_of(tables: &[Arc<Table>], owners: &[u32]) -> u16 {
    let owned = |slot: &u16| {
        let owners = owners.iter().map(|id| Some(NodeId(*id)));
        owners.eq(tables.iter().map(|table| table.owner(*slot)))
    };
    (0..=u16::MAX)
        .find(owned)
        .expect("among so many there is one")
}

fn member(name: &str, table: &Arc<Table>) -> Membership {
    let mut member = Membership::new(newcomer(name), Timing::default());
    assert_eq!(member.read(Some(table.clone()), NOW), Entry::Member);
    member
}

/// Has all others confirm what `member` asks.
fn confirm(member: &mut Membership) {
    confirm_at(member, NOW);
}

fn confirm_at(member: &mut Membership, now: Time) {
    for (to, message) in member.take_outgoing() {
        if let Message::Ask(ask) = message {
            let (version, round) = (ask.version, ask.round);
            member.receive(to, Message::Confirm { version, round }, now);
        }
    }
}

/// Has the member `from` say that it holds what `version` gives it.
fn say_settled(member: &mut Membership, from: u32, version: u64) {
    let ask = Ask {
        version,
        round: 1,
        has_lease: true,
        is_settled: true,
        let_go: Versions::NONE,
        silent: Vec::new(),
    };
    member.receive(NodeId(from), Message::Ask(ask), NOW);
}

/// What a member says that it has let go of.
fn said_to_have_let_go(member: &mut Membership) -> Versions {
    let said = member.take_outgoing().into_iter().rev();
    let mut said = said.filter_map(|(_, message)| match message {
        Message::Ask(ask) => Some(ask.let_go),
        _ => None,
    });
    said.next().expect("it has asked")
}

#[test]
pub(super) fn who_missed_versions_hands_nothing_over() {
    let tables = history([
        Change::Admit(newcomer("b")),
        Change::Drain(NodeId(2)),
        Change::Admit(newcomer("c")),
    ]);
    // What "b" had meanwhile may still run there.
    slot_of(&tables, &[1, 2, 1, 3]);
    let mut member = member("a", &tables[0]);
    member.read(Some(tables[3].clone()), NOW);
    member.let_go(4, NOW);
    assert!(!said_to_have_let_go(&mut member).contains(4));
}

#[test]
fn who_missed_none_hands_over_when_its_turns_are_over() {
    let tables = history([Change::Admit(newcomer("b"))]);
    let mut member = member("a", &tables[0]);
    member.read(Some(tables[1].clone()), NOW);
    assert!(!said_to_have_let_go(&mut member).contains(2));
    member.let_go(2, NOW);
    assert!(said_to_have_let_go(&mut member).contains(2));
}

#[test]
pub(super) fn who_did_not_hold_a_slot_alone_does_not_hand_it_over() {
    let tables = history([Change::Admit(newcomer("b")), Change::Admit(newcomer("c"))]);
    // "a" may still serve what it gave to "b", and "b" gives to "c".
    slot_of(&tables, &[1, 2, 3]);
    let mut member = member("b", &tables[1]);
    member.read(Some(tables[2].clone()), NOW);
    member.let_go(3, NOW);
    assert!(!said_to_have_let_go(&mut member).contains(3));
}

#[test]
pub(super) fn what_was_handed_over_once_is_not_when_it_comes_back() {
    let tables = history([
        Change::Admit(newcomer("b")),
        Change::Admit(newcomer("c")),
        Change::Drain(NodeId(3)),
    ]);
    let slot = slot_of(&tables, &[1, 2, 3, 2]);
    let mut member = member("b", &tables[1]);
    confirm(&mut member);
    assert_eq!(member.serve(slot, NOW), Serve::NotYet);
    let ask = Ask {
        version: 2,
        round: 1,
        has_lease: true,
        is_settled: true,
        let_go: Versions { first: 2, last: 2 },
        silent: Vec::new(),
    };
    member.receive(NodeId(1), Message::Ask(ask), NOW);
    assert_eq!(member.serve(slot, NOW), Serve::Here);
    member.read(Some(tables[3].clone()), NOW);
    assert_eq!(member.serve(slot, NOW), Serve::NotYet, "\"c\" had it");
}

#[test]
pub(super) fn who_has_no_majority_behind_a_version_writes_none_after_it() {
    let tables = history([Change::Admit(newcomer("b")), Change::Admit(newcomer("c"))]);
    let mut member = member("a", &tables[0]);
    member.read(Some(tables[1].clone()), NOW);
    confirm(&mut member);
    member.receive(NodeId(0), Message::Join(newcomer("d")), NOW);
    assert_eq!(member.change(NOW), None, "\"b\" has not come to rest");
    say_settled(&mut member, 2, 2);
    assert_eq!(member.change(NOW), Some(Change::Admit(newcomer("d"))));
    member.read(Some(tables[2].clone()), NOW);
    member.receive(NodeId(0), Message::Join(newcomer("d")), NOW);
    let slot = slot_of(&tables, &[1, 1, 1]);
    assert_eq!(member.serve(slot, NOW), Serve::Here, "the lease goes on");
    say_settled(&mut member, 2, 3);
    say_settled(&mut member, 3, 3);
    assert_eq!(member.change(NOW), None);
    confirm(&mut member);
    assert_eq!(member.change(NOW), Some(Change::Admit(newcomer("d"))));
}

#[test]
fn who_was_started_again_has_time_to_speak() {
    let again = Newcomer {
        incarnation: 2,
        ..newcomer("c")
    };
    let tables = history([
        Change::Admit(newcomer("b")),
        Change::Admit(newcomer("c")),
        Change::Restart(NodeId(3), again),
    ]);
    let mut member = member("a", &tables[2]);
    confirm(&mut member);
    let later = NOW + Timing::default().silence + Duration::from_millis(1);
    let finds_it_silent = |member: &mut Membership, version| {
        let ask = Ask {
            version,
            round: 1,
            has_lease: true,
            is_settled: true,
            let_go: Versions::NONE,
            silent: vec![NodeId(3)],
        };
        member.receive(NodeId(2), Message::Ask(ask), later);
        member.change(later)
    };
    let lost = Some(Change::Remove(NodeId(3)));
    assert_eq!(finds_it_silent(&mut member, 3), lost);
    // Its next process is in the table before it was removed.
    member.read(Some(tables[3].clone()), later);
    confirm_at(&mut member, later);
    assert_eq!(finds_it_silent(&mut member, 4), None);
}

#[test]
fn who_was_replaced_ends() {
    let tables = history([Change::Restart(
        NodeId(1),
        Newcomer {
            incarnation: 2,
            ..newcomer("a")
        },
    )]);
    let mut member = member("a", &tables[0]);
    assert_eq!(member.serve(7, NOW), Serve::Here);
    for _ in 0..2 {
        let read = member.read(Some(tables[1].clone()), NOW);
        assert_eq!(read, Entry::Replaced);
        assert_eq!(member.serve(7, NOW), Serve::Outside);
    }
}

#[test]
fn a_store_that_forgot_takes_nothing_back() {
    let tables = history([Change::Admit(newcomer("b"))]);
    let mut member = member("a", &tables[1]);
    assert_eq!(member.read(Some(tables[0].clone()), NOW), Entry::Member);
    assert_eq!(member.table().map(|table| table.version()), Some(2));
}

#[test]
fn who_wants_to_be_a_member_says_so_until_it_is_one() {
    let tables = history([Change::Admit(newcomer("b"))]);
    let mut member = Membership::new(newcomer("c"), Timing::default());
    let asks = |member: &mut Membership| {
        let said = member.take_outgoing().into_iter();
        said.filter(|(_, message)| matches!(message, Message::Join(_)))
            .count()
    };
    let entry = member.read(Some(tables[1].clone()), NOW);
    assert_eq!((entry, asks(&mut member)), (Entry::Asked, 2));
    member.tick(member.next_tick());
    let _ = asks(&mut member);
    let soon = NOW + Timing::default().ask_every;
    member.tick(soon);
    assert_eq!(asks(&mut member), 2);
    member.leave();
    member.tick(soon + Timing::default().ask_every);
    assert_eq!(asks(&mut member), 0);
}

#[test]
pub(super) fn who_takes_over_waits_for_the_slowest_clock_by_the_fastest() {
    let timing = Timing {
        lease: Duration::from_secs(99),
        drift_per_mille: 10,
        ..Timing::default()
    };
    // A lease that a slow clock takes for 99 seconds lasts 100; a fast one counts 101 meanwhile.
    let wait = timing.settling();
    assert!(wait >= Duration::from_secs(101), "{wait:?}");
    assert!(wait < Duration::from_millis(101_001), "{wait:?}");
}
