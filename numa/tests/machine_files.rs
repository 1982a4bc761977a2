//! Reading machines from copies of `/sys` and `/proc`, whole and broken.

mod common;

use common::{CpuSpec, Tree};
use quark_numa::{Topology, TopologyError};

const CPU0: &str = "sys/devices/system/cpu/cpu0";

fn list(cpus: impl IntoIterator<Item = usize>) -> quark_numa::CpuList {
    cpus.into_iter().collect()
}

#[test]
fn two_sockets_are_read_whole() {
    let machine = Tree::two_sockets().read().unwrap();
    assert_eq!(machine.packages().len(), 2);
    assert_eq!(machine.packages()[1].cpus, list((8..16).chain(24..32)));
    assert_eq!(machine.nodes().len(), 4);
    assert_eq!(machine.nodes()[2].memory, 2 << 30);
    assert_eq!(machine.nodes()[2].package, Some(1));
    assert_eq!(machine.nodes()[2].cpus, list((8..12).chain(24..28)));
    assert_eq!(machine.distances()[2], [32, 32, 10, 12]);
    assert_eq!(machine.distance(3, 2), Some(12));
    assert_eq!(machine.distance(3, 4), None);
    assert_eq!(machine.l3_groups().len(), 4);
    assert_eq!(machine.l3_groups()[1].size, Some(16 << 20));
    assert_eq!(machine.cores().len(), 16);
    assert_eq!(machine.cores()[9].cpus, list([9, 25]));
    let sibling = machine.cpu(25).unwrap();
    assert_eq!((sibling.core, sibling.l3, sibling.node), (9, 2, 2));
    assert_eq!((sibling.package, sibling.smt), (1, 1));
    assert_eq!(machine.usable_cpus().len(), 32);
    assert_eq!(machine.usable_cores(), 16);
    assert_eq!(machine.cpu_quota(), None);
}

#[test]
fn offline_cpus_are_not_there() {
    let tree = Tree::two_sockets();
    // Cpu 0 goes offline: its files go, and its sibling is all that is left of the core.
    tree.write("sys/devices/system/cpu/online", "1-31");
    tree.remove(&format!("{CPU0}/topology"));
    tree.remove(&format!("{CPU0}/cache"));
    let machine = tree.read().unwrap();
    assert_eq!(machine.cpu(0), None);
    assert_eq!(machine.online_cpus().len(), 31);
    assert_eq!(machine.cores().len(), 16);
    assert_eq!(machine.usable_cores(), 16);
    let sibling = machine.cpu(16).unwrap();
    assert_eq!(sibling.smt, 0);
    assert_eq!(machine.cores()[sibling.core].cpus, list([16]));
    assert_eq!(machine.nodes()[0].cpus, list((1..4).chain(16..20)));
    let error = machine.cpus([0]).place().unwrap_err();
    assert!(matches!(error, TopologyError::UnknownCpu { cpu: 0, .. }));
    assert_eq!(
        error.to_string(),
        "there is no cpu 0 online on this machine: it has cpus 1-31"
    );
}

#[test]
fn a_machine_without_numa_l3_or_topology_is_one_group() {
    let tree = Tree::new();
    tree.write("sys/devices/system/cpu/online", "0-3");
    tree.write("proc/meminfo", "MemTotal:        2048 kB");
    tree.allow("0-3");
    let machine = tree.read().unwrap();
    assert_eq!(machine.packages().len(), 1);
    assert_eq!(
        (machine.nodes()[0].id, machine.nodes()[0].memory),
        (0, 2 << 20)
    );
    assert_eq!(machine.distances(), [[10]]);
    assert_eq!(machine.l3_groups().len(), 1);
    assert_eq!(machine.l3_groups()[0].size, None);
    assert_eq!(machine.cores().len(), 4);
}

#[test]
fn memory_without_cpus_and_gaps_between_numbers_are_fine() {
    let cpu = |id| CpuSpec {
        id,
        core: id,
        l3: None,
        node: 1,
        package: 36,
    };
    let tree = Tree::machine(&[cpu(2), cpu(7)], &[(1, 64, "10 17"), (6, 128, "17 10")]);
    tree.remove("sys/devices/system/node/node6/distance");
    let machine = tree.read().unwrap();
    assert_eq!(machine.packages()[0].id, 36);
    assert_eq!(machine.nodes()[1].package, None);
    assert!(machine.nodes()[1].cpus.is_empty());
    assert_eq!(machine.distance(1, 6), Some(17));
    // The kernel says nothing of this row: the usual guess.
    assert_eq!(
        (machine.distance(6, 1), machine.distance(6, 6)),
        (Some(20), Some(10))
    );
    assert!(
        machine.to_string().contains("node 6: 128 KiB, no cpus"),
        "{machine}"
    );
    let shards = machine.place().unwrap().shards;
    assert_eq!(
        shards.iter().map(|shard| shard.cpu).collect::<Vec<_>>(),
        [Some(2), Some(7)]
    );
    assert!(
        shards
            .iter()
            .all(|shard| (shard.node, shard.package) == (1, 36))
    );
}

#[test]
fn older_kernels_name_siblings_differently() {
    let tree = Tree::two_sockets();
    let newer = tree.read().unwrap();
    for cpu in 0..32 {
        let file = format!("sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list");
        let siblings = tree.text(&file);
        tree.remove(&file);
        tree.write(&file.replace("core_cpus", "thread_siblings"), siblings);
    }
    assert_eq!(tree.read().unwrap(), newer);
}

#[test]
fn the_cpuset_says_what_is_usable() {
    let tree = Tree::two_sockets();
    tree.allow("4-6,20-22,900");
    let machine = tree.read().unwrap();
    assert_eq!(machine.usable_cpus(), &list([4, 5, 6, 20, 21, 22]));
    assert_eq!(machine.usable_cores(), 3);
    let placement = machine.place().unwrap();
    assert_eq!(placement.shards.len(), 3);
    assert!(placement.shards.iter().all(|shard| shard.node == 1));
    assert_eq!(
        placement.notes,
        ["6 of 32 cpus are usable (cpuset or affinity)"]
    );
}

#[test]
fn quotas_of_cgroups_v2_are_the_tightest_on_the_way_up() {
    let tree = Tree::two_sockets();
    tree.write("proc/self/cgroup", "0::/app.slice/quark.service");
    tree.write(
        "proc/self/mountinfo",
        "25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    );
    let group = "sys/fs/cgroup/app.slice";
    tree.write(&format!("{group}/quark.service/cpu.max"), "max 100000");
    assert_eq!(tree.read().unwrap().cpu_quota(), None);
    tree.write(&format!("{group}/cpu.max"), "250000 100000");
    assert_eq!(tree.read().unwrap().cpu_quota(), Some(2.5));
    tree.write(&format!("{group}/quark.service/cpu.max"), "300000 100000");
    assert_eq!(tree.read().unwrap().cpu_quota(), Some(2.5));
    tree.write(&format!("{group}/quark.service/cpu.max"), "60000 100000");
    assert_eq!(tree.read().unwrap().cpu_quota(), Some(0.6));
}

#[test]
fn quotas_of_cgroups_v1_are_read_beside_v2() {
    let tree = Tree::two_sockets();
    tree.write(
        "proc/self/cgroup",
        "5:cpuset:/x\n4:cpu,cpuacct:/docker/7f\n0::/",
    );
    tree.write(
        "proc/self/mountinfo",
        "30 1 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
         31 1 0:23 /docker/7f /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
    );
    let group = "sys/fs/cgroup/cpu,cpuacct";
    tree.write(&format!("{group}/cpu.cfs_period_us"), 50_000);
    tree.write(&format!("{group}/cpu.cfs_quota_us"), -1);
    assert_eq!(tree.read().unwrap().cpu_quota(), None);
    tree.write(&format!("{group}/cpu.cfs_quota_us"), 175_000);
    assert_eq!(tree.read().unwrap().cpu_quota(), Some(3.5));
}

#[test]
fn a_missing_file_is_named() {
    let tree = Tree::two_sockets();
    for path in [
        "sys/devices/system/cpu/online",
        "proc/self/status",
        "sys/devices/system/node/node2/cpulist",
        "sys/devices/system/node/node2/meminfo",
    ] {
        let text = tree.text(path);
        tree.remove(path);
        let error = tree.read().unwrap_err();
        tree.write(path, text);
        assert!(
            matches!(error, TopologyError::Unreadable { .. }),
            "{error:?}"
        );
        assert_one_line_naming(&error, path);
    }
}

#[test]
fn a_damaged_file_is_named() {
    let tree = Tree::two_sockets();
    let cpu5 = "sys/devices/system/cpu/cpu5";
    for (path, text) in [
        ("sys/devices/system/cpu/online", "0-"),
        ("sys/devices/system/cpu/online", ""),
        ("sys/devices/system/cpu/online", "0-4294967295"),
        ("sys/devices/system/node/online", "0-3x"),
        ("sys/devices/system/node/online", "0-60000"),
        ("sys/devices/system/node/node1/cpulist", "four"),
        ("sys/devices/system/node/node1/distance", "12 10 32"),
        ("sys/devices/system/node/node1/distance", "12 10 32 -1"),
        (
            "sys/devices/system/node/node1/meminfo",
            "Node 1 MemTotal: many kB",
        ),
        (
            "sys/devices/system/node/node1/meminfo",
            "Node 1 MemTotal: 18446744073709551615 kB",
        ),
        (&format!("{cpu5}/topology/core_cpus_list"), "5,\u{fffd}"),
        (&format!("{cpu5}/topology/physical_package_id"), "-7"),
        (&format!("{cpu5}/cache/index1/level"), "three"),
        (&format!("{cpu5}/cache/index1/size"), "big"),
        (&format!("{cpu5}/cache/index1/shared_cpu_list"), "7-4"),
        ("proc/self/status", "Name: x"),
        ("proc/self/status", "Cpus_allowed_list:\t-"),
    ] {
        let good = tree.text(path);
        tree.write(path, text);
        let error = tree.read().expect_err(path);
        tree.write(path, good);
        assert!(
            matches!(error, TopologyError::Malformed { .. }),
            "{error:?}"
        );
        assert_one_line_naming(&error, path);
    }
}

#[test]
fn a_damaged_quota_is_named() {
    let tree = Tree::two_sockets();
    tree.write(
        "proc/self/mountinfo",
        "25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    );
    for (path, text) in [
        ("proc/self/cgroup", "nonsense"),
        ("sys/fs/cgroup/cpu.max", "lots 100000"),
        ("sys/fs/cgroup/cpu.max", "100000 0"),
        ("sys/fs/cgroup/cpu.max", ""),
    ] {
        let tree = Tree::two_sockets();
        tree.write("proc/self/cgroup", "0::/");
        tree.write(
            "proc/self/mountinfo",
            "25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        );
        tree.write(path, text);
        let error = tree.read().expect_err(path);
        assert!(
            matches!(error, TopologyError::Malformed { .. }),
            "{error:?}"
        );
        assert_one_line_naming(&error, path);
    }
}

#[test]
fn files_that_are_not_text_or_far_too_long_are_refused() {
    let path = "sys/devices/system/cpu/online";
    let tree = Tree::new();
    for bytes in [vec![0xff, 0xfe], vec![b'0'; 5 << 20]] {
        tree.write(path, "");
        std::fs::write(tree.path().join(path), bytes).unwrap();
        let error = tree.read().unwrap_err();
        assert!(
            matches!(error, TopologyError::Unreadable { .. }),
            "{error:?}"
        );
        assert_one_line_naming(&error, path);
    }
}

#[test]
fn groups_that_contradict_each_other_still_give_a_machine() {
    let tree = Tree::two_sockets();
    tree.write("sys/devices/system/cpu/cpu3/topology/core_cpus_list", "9"); // not its own
    tree.write(
        "sys/devices/system/cpu/cpu4/topology/physical_package_id",
        "1",
    );
    tree.write(
        "sys/devices/system/cpu/cpu6/cache/index1/shared_cpu_list",
        "0-31",
    );
    tree.write("sys/devices/system/node/node3/cpulist", "0-31");
    let machine = tree.read().unwrap();
    let in_cores: usize = machine.cores().iter().map(|core| core.cpus.len()).sum();
    let in_groups: usize = machine.l3_groups().iter().map(|l3| l3.cpus.len()).sum();
    assert_eq!((in_cores, in_groups), (32, 32));
    assert!(!machine.place().unwrap().shards.is_empty());
}

#[test]
fn this_machine_is_read() {
    let machine = Topology::detect().unwrap();
    assert!(machine.usable_cores() >= 1);
    assert!(machine.nodes().iter().map(|node| node.memory).sum::<u64>() > 1 << 20);
    for cpu in machine.online_cpus() {
        assert!(machine.cores()[cpu.core].cpus.contains(cpu.id));
        assert!(machine.l3_groups()[cpu.l3].cpus.contains(cpu.id));
    }
    // Whether through hwloc or not. A virtual machine's memory may grow between two looks.
    let looks = || {
        (
            Topology::from_root("/").unwrap(),
            Topology::detect().unwrap(),
        )
    };
    let still = (0..100).map(|_| (looks(), Topology::from_root("/").unwrap()));
    let mut still = still.filter(|((before, _), after)| before == after);
    let ((before, detected), _) = still
        .next()
        .expect("a machine that holds still for a moment");
    assert_eq!(detected, before);
}

/// hwloc can be pointed at a copy of `/sys` only through its environment, hence the second process.
#[cfg(feature = "hwloc")]
#[test]
fn hwloc_reads_two_sockets_alike() {
    const ROOT: &str = "QUARK_NUMA_TEST_ROOT";
    if let Some(root) = std::env::var_os(ROOT) {
        let (by_hwloc, by_us) = (
            Topology::detect().unwrap(),
            Topology::from_root(root).unwrap(),
        );
        assert_eq!(by_hwloc.packages(), by_us.packages());
        assert_eq!(by_hwloc.nodes(), by_us.nodes());
        assert_eq!(by_hwloc.distances(), by_us.distances());
        assert_eq!(by_hwloc.l3_groups(), by_us.l3_groups());
        assert_eq!(by_hwloc.cores(), by_us.cores());
        assert_eq!(by_hwloc.online_cpus(), by_us.online_cpus());
        assert_eq!(by_hwloc.cores().len(), 16);
        return;
    }
    let tree = Tree::two_sockets();
    tree.add_masks();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hwloc_reads_two_sockets_alike", "--nocapture"])
        .env(ROOT, tree.path())
        .env("HWLOC_FSROOT", tree.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn assert_one_line_naming(error: &TopologyError, path: &str) {
    let text = error.to_string();
    assert!(text.contains(path), "{text} does not name {path}");
    assert_eq!(text.lines().count(), 1, "{text}");
}
