//! Makes a ring with the best features the kernel has, and says which it lacks.

use std::{fs, io, mem};

use io_uring::squeue::Entry;
use io_uring::{Builder, IoUring, Probe, opcode};

use super::provided;
use crate::driver::{DriverError, DriverReport};

/// The most submission entries a kernel allows.
const ENTRIES_MAX: u32 = 32_768;

/// A ring ready for use.
pub(super) struct Setup {
    pub(super) ring: IoUring,
    pub(super) multishot: Multishot,
    pub(super) report: DriverReport,
}

/// Which operations the kernel goes on with after they have completed.
#[derive(Clone, Copy)]
pub(super) struct Multishot {
    pub(super) accept: bool,
    pub(super) receive: bool,
}

/// Makes the ring, without the first `skip` of [`STEPS`] (none, but in tests).
pub(super) fn ring(entries: u32, skip: usize) -> Result<Setup, DriverError> {
    if entries == 0 || entries > ENTRIES_MAX {
        return Err(DriverError::Entries {
            entries,
            most: ENTRIES_MAX,
        });
    }
    // A durable write is two entries of one batch.
    let (ring, skipped) = build(entries.max(2), skip)?;
    check_features(&ring)?;

    let (missing, on) = STEPS.split_at(skipped);
    let mut report = DriverReport {
        name: "uring",
        on: on.iter().map(|step| step.name).collect(),
        missing: missing.iter().map(Step::missing).collect(),
    };
    if ring.params().is_feature_no_iowait() {
        report.on.push("park not counted as I/O wait");
    } else {
        report.missing.push(
            "park not counted as I/O wait (Linux 6.15): idle shards show as iowait in top".into(),
        );
    }
    let multishot = multishot(&ring, on, &mut report);
    Ok(Setup {
        ring,
        multishot,
        report,
    })
}

/// There is no other way to ask for them than by what came with the same Linux. A kernel that
/// refuses one after all is not asked again for that operation (see [`pending`](super::pending)).
fn multishot(ring: &IoUring, on: &[Step], report: &mut DriverReport) -> Multishot {
    let runs = |linux| on.iter().any(|step| step.since == linux);
    let multishot = Multishot {
        accept: runs("5.19"),
        receive: runs("6.0") && provided::probe(ring),
    };
    let mut tell = |has, name, without: &str| match has {
        true => report.on.push(name),
        false => report.missing.push(format!("{name} {without}")),
    };
    tell(
        multishot.accept,
        "multishot accept",
        "(Linux 5.19): one more operation per connection",
    );
    tell(
        multishot.receive,
        "multishot receive",
        "(Linux 6.0): one more operation and buffer per chunk received",
    );
    multishot
}

/// Keeps the kernel's own workers, which run what would block, on `cpus`.
pub(super) fn keep_workers_on(ring: &IoUring, cpus: &[usize], report: &mut DriverReport) {
    // SAFETY: a cpu_set_t is plain bits; all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for &cpu in cpus.iter().filter(|&&cpu| cpu < libc::CPU_SETSIZE as usize) {
        // SAFETY: `cpu` is below the set's size.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    match ring.submitter().register_iowq_aff(&set) {
        Ok(()) => report.on.push("worker affinity"),
        Err(error) => report.missing.push(format!(
            "worker affinity (Linux 5.14): fsync may run on any core ({error})"
        )),
    }
}

/// What an error of `call` means to whoever launches the engine.
pub(super) fn explain(call: &'static str, entries: u32, source: io::Error) -> DriverError {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => match disabled_level() {
            Some(2) => DriverError::Disabled,
            Some(1) => DriverError::Reserved,
            _ => DriverError::Denied { call },
        },
        Some(libc::ENOSYS) => DriverError::Absent,
        Some(libc::ENOMEM) => DriverError::Memory { entries },
        Some(libc::EMFILE | libc::ENFILE) => DriverError::Descriptors,
        _ => DriverError::System { call, source },
    }
}

/// A set-up feature, and what its absence means.
struct Step {
    name: &'static str,
    since: &'static str,
    without: &'static str,
    apply: fn(&mut Builder),
}

impl Step {
    fn missing(&self) -> String {
        format!("{} (Linux {}): {}", self.name, self.since, self.without)
    }
}

/// Newest first: a kernel that refuses one is asked again without it.
const STEPS: &[Step] = &[
    Step {
        name: "flat submission queue",
        since: "6.6",
        without: "one more memory read per operation",
        apply: |ring| {
            ring.setup_no_sqarray();
        },
    },
    Step {
        name: "deferred task run",
        since: "6.1",
        without: "completions may interrupt a turn",
        apply: |ring| {
            ring.setup_defer_taskrun();
        },
    },
    Step {
        name: "single issuer",
        since: "6.0",
        without: "the ring takes a lock per system call",
        apply: |ring| {
            ring.setup_single_issuer();
        },
    },
    Step {
        name: "task-run flag",
        since: "5.19",
        without: "every completion costs an inter-processor interrupt",
        apply: |ring| {
            ring.setup_coop_taskrun().setup_taskrun_flag();
        },
    },
    Step {
        name: "submit all",
        since: "5.18",
        without: "an invalid operation holds back the rest of its batch for one pass",
        apply: |ring| {
            ring.setup_submit_all();
        },
    },
];

/// Tries with ever fewer features; says how many were left out.
fn build(entries: u32, skip: usize) -> Result<(IoUring, usize), DriverError> {
    let mut skipped = skip;
    loop {
        let mut builder = IoUring::<Entry>::builder();
        // Room for every operation's completion and the bell, so that the kernel need not
        // keep completions aside.
        builder.dontfork().setup_cqsize(entries.saturating_mul(4));
        for step in &STEPS[skipped..] {
            (step.apply)(&mut builder);
        }
        match builder.build(entries) {
            Ok(ring) => return Ok((ring, skipped)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && skipped < STEPS.len() => {
                skipped += 1;
            }
            Err(error) => return Err(explain("io_uring_setup", entries, error)),
        }
    }
}

/// Refuses a kernel that lacks what the driver cannot do without.
fn check_features(ring: &IoUring) -> Result<(), DriverError> {
    let needs = [
        (ring.params().is_feature_nodrop(), "safe completion queue"),
        (ring.params().is_feature_ext_arg(), "wait with a time limit"),
        (ring.params().is_feature_fast_poll(), "internal polling"),
    ];
    if let Some((_, lacks)) = needs.into_iter().find(|(has, _)| !has) {
        return Err(DriverError::TooOld { lacks });
    }
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => DriverError::TooOld { lacks: "probe" },
            _ => explain("io_uring_register", ring.params().sq_entries(), error),
        })?;
    match OPERATIONS
        .iter()
        .find(|(code, _)| !probe.is_supported(*code))
    {
        Some((_, lacks)) => Err(DriverError::TooOld { lacks }),
        None => Ok(()),
    }
}

const OPERATIONS: &[(u8, &str)] = &[
    (opcode::OpenAt::CODE, "open"),
    (opcode::Read::CODE, "read"),
    (opcode::Write::CODE, "write"),
    (opcode::Fsync::CODE, "fsync"),
    (opcode::Accept::CODE, "accept"),
    (opcode::Connect::CODE, "connect"),
    (opcode::Recv::CODE, "receive"),
    (opcode::Send::CODE, "send"),
    (opcode::SendMsg::CODE, "send many"),
    (opcode::Close::CODE, "close"),
    (opcode::PollAdd::CODE, "poll"),
    (opcode::AsyncCancel::CODE, "cancel"),
    (opcode::Fallocate::CODE, "allocate"),
    (opcode::RenameAt::CODE, "rename"),
    (opcode::UnlinkAt::CODE, "remove"),
];

/// `kernel.io_uring_disabled`, where the kernel has it (Linux 6.6).
fn disabled_level() -> Option<u8> {
    fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
        .ok()?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
pub(super) const STEP_COUNT: usize = STEPS.len();
