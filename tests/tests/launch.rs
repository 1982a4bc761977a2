//! What stands in the way of a launch is said in one line, with the remedy; engines share nothing.
#![allow(missing_docs)]
// A seccomp filter is a system call.
#![allow(unsafe_code)]

use std::io;
use std::thread;
use std::time::Duration;

use quark::{IdlePolicy, LaunchError, RegisterError, Topology, prelude::*};
use quark_tests::{block_on, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

pub mod one {
    use quark::prelude::*;

    #[derive(Default)]
    pub struct Account;

    #[actor]
    impl Account {
        pub fn which(&self) -> u8 {
            1
        }
    }
}

pub mod other {
    use quark::prelude::*;

    #[derive(Default)]
    pub struct Account;

    #[actor]
    impl Account {
        pub fn which(&self) -> u8 {
            2
        }
    }
}

fn one_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn two_types_with_one_name_are_refused() {
    in_time(LONG, || {
        // At launch, where both are registered.
        let both = small()
            .register::<one::Account>(|_| one::Account)
            .register::<other::Account>(|_| other::Account);
        let error = both.launch().unwrap_err();
        let text = one_line(&error);
        assert!(
            text.contains("\"Account\"") && text.contains("rename"),
            "{text}"
        );
        // At the call, where nobody said a word before.
        let engine = small().launch().unwrap();
        assert_eq!(engine.actor::<one::Account>(1).which().wait(), Ok(1));
        for shard in 0..2 {
            let key = key_on(shard, |key| engine.home_of::<one::Account>(key));
            let refused = engine
                .actor::<other::Account>(key)
                .which()
                .wait()
                .unwrap_err();
            let CallError::Unregistered(why) = &refused else {
                panic!("{refused}")
            };
            assert_eq!(**why, RegisterError::NameTaken { name: "Account" });
            assert!(refused.never_ran());
            // The first is not disturbed.
            assert_eq!(engine.actor::<one::Account>(key).which().wait(), Ok(1));
        }
    });
}

#[test]
fn a_type_registered_twice_is_refused() {
    let twice = small().register::<one::Account>(|_| one::Account);
    let error = twice
        .register::<one::Account>(|_| one::Account)
        .launch()
        .unwrap_err();
    assert!(one_line(&error).contains("registered twice"), "{error}");
}

#[test]
fn what_the_machine_lacks_is_named() {
    let machine = Topology::detect().unwrap();
    let cores = machine.usable_cores();
    let launch = |topology: Topology| {
        let error = Engine::launch(topology).unwrap_err();
        assert!(matches!(error, LaunchError::Topology(_)), "{error}");
        one_line(&error)
    };
    let text = launch(machine.clone().shards(cores + 1));
    assert!(
        text.contains(&(cores + 1).to_string()) && text.contains(&cores.to_string()),
        "{text}"
    );
    assert!(text.contains("oversubscribe"), "{text}");
    let text = launch(machine.clone().shards(0));
    assert!(text.contains("zero shards"), "{text}");
    let text = launch(machine.cpus([100_000]));
    assert!(text.contains("100000"), "{text}");
}

#[test]
fn a_denied_io_uring_names_its_remedy() {
    // The filter holds for the thread that sets it and those it starts, and for ever.
    let launched = thread::spawn(|| {
        deny_io_uring();
        small().launch().map(drop)
    });
    let error = launched.join().unwrap().unwrap_err();
    assert!(matches!(error, LaunchError::Driver { .. }), "{error}");
    let text = one_line(&error);
    assert!(
        text.contains("io_uring_setup is denied") && text.contains("seccomp"),
        "{text}"
    );
    // Other threads may launch all the same.
    assert_eq!(
        small()
            .launch()
            .unwrap()
            .actor::<one::Account>(1)
            .which()
            .wait(),
        Ok(1)
    );
}

#[test]
fn the_report_says_what_was_chosen() {
    in_time(LONG, || {
        let report = small().launch().unwrap().report();
        assert_eq!((report.shards.len(), report.idle), (2, IdlePolicy::Park));
        let text = report.to_string();
        let driver = std::env::var("QUARK_DRIVER").unwrap_or_else(|_| "uring".into());
        for part in [
            "shard 0: ",
            "shard 1: ",
            "idle: park (as asked for)",
            &format!("driver: {driver}"),
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        // Where shards outnumber cores they park, and it is said why.
        let machine = Topology::detect().unwrap();
        let many = machine.usable_cores() + 1;
        let engine = Engine::launch(machine.shards(many).oversubscribe(true)).unwrap();
        let report = engine.report();
        assert_eq!(report.idle, IdlePolicy::Park);
        assert!(
            report.idle_because.contains("more shards than cores"),
            "{report}"
        );
    });
}

#[derive(Default)]
pub struct Stray {
    count: u64,
}

#[actor]
impl Stray {
    pub fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Calls an actor of another engine.
    pub async fn call_other(&self, other: StrayRef) -> Result<u64, CallError> {
        other.count().await
    }

    pub fn tell_other(&self, other: StrayRef) -> Option<CallError> {
        other.count().tell().err().map(|error| error.reason)
    }
}

#[test]
fn engines_share_nothing() {
    in_time(LONG, || {
        let engines: Vec<_> = (0..4)
            .map(|seed| small().seed(seed).launch().unwrap())
            .collect();
        for (round, engine) in (1..).zip(&engines) {
            assert_eq!(
                engine.actor::<Stray>("x").count().wait(),
                Ok(1),
                "a Stray of its own"
            );
            assert_eq!(engine.count(), 1);
            for calls in 2..=round {
                assert_eq!(engine.actor::<Stray>("x").count().wait(), Ok(calls));
            }
        }
        // A reference means its own engine's actor, wherever it is used.
        let [first, second] = [&engines[0], &engines[1]].map(|engine| engine.actor::<Stray>("x"));
        assert_eq!(second.call_other(first.clone()).wait(), Ok(2));
        assert_eq!(second.tell_other(first.clone()).wait(), Ok(None));
        while first.count().wait().unwrap() < 4 {
            thread::yield_now();
        }
        // A port of one is no port of the other.
        let _port = engines[0].port().unwrap();
        assert_eq!(second.count().wait(), Ok(3));
        // And it ends with its own engine alone.
        let mut engines = engines;
        engines.remove(0).shutdown();
        let stopped = CallError::Failed(CallError::Stopped);
        assert_eq!(second.call_other(first.clone()).wait(), Err(stopped));
        assert_eq!(
            second.tell_other(first.clone()).wait(),
            Ok(Some(CallError::Stopped))
        );
        assert_eq!(block_on(first.count()), Err(CallError::Stopped));
        assert_eq!(second.count().wait(), Ok(4));
    });
}

/// Makes `io_uring_setup` fail with `EPERM` on this thread and those it starts.
fn deny_io_uring() {
    let statement = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut program = [
        statement(load, 0, 0, 0), // seccomp_data.nr
        statement(equal, 0, 1, libc::SYS_io_uring_setup as u32),
        statement(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        statement(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: plain numbers; the thread gives up rights that it does not need.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(promised, 0, "{}", io::Error::last_os_error());
    // SAFETY: the filter and its program outlive the call, which copies them.
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        )
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}
