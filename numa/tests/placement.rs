//! Which shard goes where on made-up machines.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quark_numa::{CpuList, Housekeeping, Placement, Synthetic, Topology, TopologyError};

/// Two sockets, four nodes, eight L3 caches, 64 cores, 128 cpus.
fn big() -> Topology {
    Topology::synthetic(Synthetic::two_sockets())
}

fn two_cores() -> Topology {
    Topology::synthetic(Synthetic::default())
}

fn cpus(placement: &Placement) -> Vec<usize> {
    placement
        .shards
        .iter()
        .map(|shard| shard.cpu.expect("pinned"))
        .collect()
}

fn line(error: &TopologyError) -> String {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn the_big_machine_is_as_said() {
    let machine = big();
    let lens = (
        machine.packages().len(),
        machine.nodes().len(),
        machine.l3_groups().len(),
    );
    assert_eq!(lens, (2, 4, 8));
    assert_eq!(
        (machine.cores().len(), machine.online_cpus().len()),
        (64, 128)
    );
    assert_eq!(machine.distances()[1], [12, 10, 32, 32]);
    assert_eq!(machine.cores()[63].cpus, CpuList::from_iter([63, 127]));
    assert_eq!(
        (machine.cores()[63].node, machine.cores()[63].package),
        (3, 1)
    );
}

#[test]
fn few_shards_stay_close_together() {
    for shards in [1, 3, 8] {
        let placement = big().shards(shards).place().unwrap();
        assert_eq!(cpus(&placement), (0..shards).collect::<Vec<_>>());
        assert!(placement.shards.iter().all(|shard| shard.l3 == 0));
        assert_eq!(placement.housekeeping, Some(shards));
        assert!(placement.notes.is_empty(), "{:?}", placement.notes);
    }
    let sixteen = big().shards(16).place().unwrap();
    assert_eq!(cpus(&sixteen), (0..16).collect::<Vec<_>>());
    assert!(sixteen.shards.iter().all(|shard| shard.node == 0));
    assert_eq!(
        sixteen.shards.iter().filter(|shard| shard.l3 == 1).count(),
        8
    );
}

#[test]
fn the_next_node_is_used_only_when_one_is_full() {
    let placement = big().shards(17).place().unwrap();
    let last = placement.shards[16];
    assert_eq!(
        (last.cpu, last.core, last.l3, last.node, last.package),
        (Some(16), 16, 2, 1, 0)
    );
    assert!(placement.shards[..16].iter().all(|shard| shard.node == 0));
    assert_eq!(placement.housekeeping, Some(17));
}

#[test]
fn all_64_cores_can_be_had() {
    let placement = big().shards(64).place().unwrap();
    assert_eq!(cpus(&placement), (0..64).collect::<Vec<_>>());
    assert_eq!(placement.housekeeping, None);
    assert_eq!(
        placement.notes,
        ["every usable core has a shard: none is left for housekeeping"]
    );
    assert_eq!(
        placement,
        big().shards(64).oversubscribe(true).place().unwrap()
    );
}

#[test]
fn numbers_follow_packages_nodes_and_caches() {
    let shards = big().shards(64).place().unwrap().shards;
    let near: Vec<_> = shards
        .iter()
        .map(|shard| (shard.package, shard.node, shard.l3))
        .collect();
    assert!(near.is_sorted());
    assert!(shards.iter().map(|shard| shard.shard).eq(0..64));
}

#[test]
fn one_core_in_four_or_more_is_left_unless_told_otherwise() {
    let placement = big().place().unwrap();
    assert_eq!(cpus(&placement), (0..63).collect::<Vec<_>>());
    assert_eq!(placement.housekeeping, Some(63));

    let all = big().housekeeping(Housekeeping::None).place().unwrap();
    assert_eq!((all.shards.len(), all.housekeeping), (64, None));
    assert!(all.notes.is_empty());

    for (cores, shards) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4)] {
        let spec = Synthetic {
            cores_per_l3: cores,
            ..Synthetic::default()
        };
        let placement = Topology::synthetic(spec).place().unwrap();
        assert_eq!(placement.shards.len(), shards, "{cores} cores");
        assert_eq!(placement.housekeeping, (cores >= 4).then_some(cores - 1));
    }
}

#[test]
fn a_named_housekeeping_core_gets_no_shard() {
    let placement = big().housekeeping(Housekeeping::Cpu(0)).place().unwrap();
    assert_eq!(cpus(&placement), (1..64).collect::<Vec<_>>());
    assert_eq!(placement.housekeeping, Some(0));
    // Nor does its sibling.
    let machine = big().skip_smt(false).housekeeping(Housekeeping::Cpu(64));
    let placement = machine.place().unwrap();
    assert_eq!(placement.shards.len(), 126);
    assert!(placement.shards.iter().all(|shard| shard.core != 0));
    // It counts when shards are asked for.
    let error = big()
        .housekeeping(Housekeeping::Cpu(5))
        .shards(64)
        .place()
        .unwrap_err();
    assert!(
        line(&error).contains("64 shards asked for, but there are cores for 63"),
        "{error}"
    );
    let error = two_cores()
        .housekeeping(Housekeeping::Cpu(9))
        .place()
        .unwrap_err();
    assert!(matches!(error, TopologyError::UnknownCpu { cpu: 9, .. }));
}

#[test]
fn siblings_come_after_the_cores_of_a_cache() {
    let placement = big().skip_smt(false).shards(17).place().unwrap();
    let expected: Vec<_> = (0..8).chain(64..72).chain([8]).collect();
    assert_eq!(cpus(&placement), expected);
    assert_eq!(placement.notes, ["17 shards share 9 cores as SMT siblings"]);

    let all = big().skip_smt(false).place().unwrap();
    assert_eq!(all.shards.len(), 126);
    assert_eq!(all.housekeeping, Some(63));
    assert!(all.shards.iter().all(|shard| shard.core != 63));
    let all = big().skip_smt(false).shards(128).place().unwrap();
    assert_eq!((all.shards.len(), all.housekeeping), (128, None));
}

#[test]
fn an_explicit_list_is_taken_in_its_order() {
    let placement = big().cpus([40, 3, 67]).place().unwrap();
    assert_eq!(cpus(&placement), [40, 3, 67]);
    assert_eq!(placement.shards[0].node, 2);
    assert_eq!(placement.notes, ["3 shards share 2 cores as SMT siblings"]);
    assert_eq!(placement.housekeeping, Some(41));

    assert_eq!(
        cpus(&big().cpus([40, 3, 67]).shards(2).place().unwrap()),
        [40, 3]
    );
    let kept = big()
        .cpus([4, 5])
        .housekeeping(Housekeeping::Cpu(6))
        .place()
        .unwrap();
    assert_eq!((cpus(&kept), kept.housekeeping), (vec![4, 5], Some(6)));
    let list: CpuList = "8-11".parse().unwrap();
    assert_eq!(cpus(&big().cpus(list).place().unwrap()), [8, 9, 10, 11]);
}

#[test]
fn a_bad_list_is_refused() {
    let error = big().cpus([1, 128]).place().unwrap_err();
    assert_eq!(
        line(&error),
        "there is no cpu 128 online on this machine: it has cpus 0-127"
    );
    let error = big().cpus([1, 2, 1]).place().unwrap_err();
    assert!(matches!(error, TopologyError::DuplicateCpu { cpu: 1 }));
    let error = big()
        .cpus([1, 2])
        .housekeeping(Housekeeping::Cpu(2))
        .place()
        .unwrap_err();
    assert!(matches!(error, TopologyError::DuplicateCpu { cpu: 2 }));
    let error = two_cores().cpus([]).place().unwrap_err();
    assert_eq!(
        line(&error),
        "the list of cpus is empty: name at least one of 0-1"
    );
    let error = big().cpus([1, 2]).shards(3).place().unwrap_err();
    assert!(line(&error).contains("cores for 2 (cpus 1-2)"), "{error}");

    let usable = Some("4-5".parse().unwrap());
    let machine = Topology::synthetic(Synthetic {
        usable,
        ..Synthetic::two_sockets()
    });
    let error = machine.cpus([4, 6]).place().unwrap_err();
    assert!(matches!(error, TopologyError::CpuNotAllowed { cpu: 6, .. }));
    assert!(line(&error).contains("may use cpus 4-5"), "{error}");
}

#[test]
fn no_shards_and_too_many_are_refused() {
    let error = two_cores().shards(0).place().unwrap_err();
    assert_eq!(
        line(&error),
        "zero shards asked for: at least one is needed (this machine can give 2)"
    );
    let error = two_cores().shards(3).place().unwrap_err();
    assert_eq!(
        line(&error),
        "3 shards asked for, but there are cores for 2 (cpus 0-1): ask for no more than that, \
         or let shards share cores with `--oversubscribe` (`.oversubscribe(true)`)"
    );
    let error = two_cores()
        .oversubscribe(true)
        .shards(65_536)
        .place()
        .unwrap_err();
    assert!(matches!(
        error,
        TopologyError::TooManyShards { limit: 65_535, .. }
    ));
    let none = Synthetic {
        usable: Some(CpuList::default()),
        ..Synthetic::default()
    };
    let error = Topology::synthetic(none)
        .oversubscribe(true)
        .place()
        .unwrap_err();
    assert!(matches!(
        error,
        TopologyError::TooFewCores { usable: 0, .. }
    ));
}

#[test]
fn oversubscribed_shards_are_not_pinned() {
    let placement = two_cores().shards(5).oversubscribe(true).place().unwrap();
    assert!(placement.oversubscribed);
    assert!(placement.shards.iter().all(|shard| shard.cpu.is_none()));
    assert!(
        placement
            .shards
            .iter()
            .map(|shard| shard.core)
            .eq([0, 1, 0, 1, 0])
    );
    assert_eq!(
        placement.notes,
        ["5 shards share 2 cpus: none is pinned, the system runs each where one is free"]
    );
    let fits = two_cores().shards(2).oversubscribe(true).place().unwrap();
    assert!(!fits.oversubscribed);
    assert_eq!(cpus(&fits), [0, 1]);
}

#[test]
fn a_quota_holds_the_shards_down() {
    let with = |quota| Synthetic {
        quota: Some(quota),
        ..Synthetic::two_sockets()
    };
    let number = |quota: f64| {
        let placement = Topology::synthetic(with(quota)).place().unwrap();
        (placement.shards.len(), placement.housekeeping)
    };
    assert_eq!(number(0.5), (1, None));
    assert_eq!(number(2.9), (2, None));
    assert_eq!(number(8.5), (7, Some(7)));
    assert_eq!(number(64.0), (63, Some(63)));
    assert_eq!(number(1000.0), (63, Some(63)));
    let held = Topology::synthetic(with(2.5)).place().unwrap();
    assert_eq!(
        held.notes,
        ["the number of shards is held down by a cgroup quota of 2.50 cores"]
    );
    let asked = Topology::synthetic(with(2.5)).shards(6).place().unwrap();
    assert_eq!(asked.shards.len(), 6);
    assert_eq!(
        asked.notes,
        ["a cgroup quota of 2.50 cores will throttle 6 busy shards"]
    );
}

#[test]
fn text_for_people_says_what_there_is() {
    let text = big().to_string();
    assert!(text.starts_with("2 packages, 4 NUMA nodes, 8 L3 groups, 64 cores, 128 cpus\n"));
    assert!(text.contains("\nusable by this process: cpus 0-127 on 64 cores, no cgroup quota\n"));
    assert!(
        text.contains("\n  node 1: 64 GiB, cpus 16-31,80-95\n"),
        "{text}"
    );
    assert!(
        text.contains("\n    L3 3: 32 MiB, cores 24-31, cpus 24-31,88-95\n"),
        "{text}"
    );
    assert!(text.contains("\n     3   32   32   12   10\n"), "{text}");
    let text = two_cores()
        .shards(3)
        .oversubscribe(true)
        .place()
        .unwrap()
        .to_string();
    assert!(
        text.contains("\n    2    any      0     0     0        0\n"),
        "{text}"
    );
    assert!(text.contains("\nhousekeeping: no core of its own\nnote: 3 shards share 2 cpus"));
}

proptest! {
    #[test]
    fn every_placement_keeps_its_promises(
        shape in (1..3_usize, 1..3_usize, 1..3_usize, 1..5_usize, 1..3_usize),
        asked in prop::option::of(1..60_usize),
        skip_smt: bool,
        oversubscribe: bool,
        quota in prop::option::of(0.1..40.0),
        keep in 0..3_usize,
        hidden in prop::collection::btree_set(0..48_usize, 0..8),
    ) {
        let (packages, nodes_per_package, l3_per_node, cores_per_l3, threads_per_core) = shape;
        let usable = (0..96).filter(|cpu| !hidden.contains(cpu)).collect();
        let spec = Synthetic {
            packages, nodes_per_package, l3_per_node, cores_per_l3, threads_per_core,
            quota, usable: Some(usable), ..Synthetic::default()
        };
        let mut machine =
            Topology::synthetic(spec).skip_smt(skip_smt).oversubscribe(oversubscribe);
        let first = machine.usable_cpus().first();
        machine = machine.housekeeping(match (keep, first) {
            (0, _) => Housekeeping::None,
            (2, Some(cpu)) => Housekeeping::Cpu(cpu),
            _ => Housekeeping::Auto,
        });
        if let Some(asked) = asked {
            machine = machine.shards(asked);
        }
        match machine.place() {
            Ok(placement) => {
                let shards = &placement.shards;
                prop_assert!(asked.is_none_or(|asked| shards.len() == asked));
                prop_assert!(!shards.is_empty());
                prop_assert!(oversubscribe || !placement.oversubscribed);
                let pinned: BTreeSet<_> = shards.iter().filter_map(|shard| shard.cpu).collect();
                let expected = if placement.oversubscribed { 0 } else { shards.len() };
                prop_assert_eq!(pinned.len(), expected);
                prop_assert!(pinned.iter().all(|&cpu| machine.usable_cpus().contains(cpu)));
                let cores: BTreeSet<_> = shards.iter().map(|shard| shard.core).collect();
                prop_assert!(!skip_smt || placement.oversubscribed || cores.len() == shards.len());
                if let Some(cpu) = placement.housekeeping {
                    prop_assert!(machine.usable_cpus().contains(cpu));
                    prop_assert!(!cores.contains(&machine.cpu(cpu).unwrap().core));
                }
            }
            Err(TopologyError::TooFewCores { asked: wanted, usable, .. }) => {
                prop_assert!(wanted > usable);
                prop_assert!(!oversubscribe || usable == 0);
                prop_assert_eq!(wanted, asked.unwrap_or(1));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
