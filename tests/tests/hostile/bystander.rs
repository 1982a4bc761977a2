//! A good client that calls all along.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use quark::{Client, Engine};

use crate::Account;

/// The longest that a good client's call may take while others do their worst. It leaves room for
/// machines whose cores are few and shared.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls that are made at least.
const ENOUGH: u64 = 50;

/// Calls one actor after the other until it is stopped.
pub(crate) struct Bystander {
    is_over: Arc<AtomicBool>,
    calls: JoinHandle<(u64, Duration, Duration)>,
}

impl Bystander {
    pub(crate) fn of(server: &Engine) -> Self {
        Bystander::by(Client::builder().cluster("bank"), server)
    }

    pub(crate) fn by(builder: quark::ClientBuilder, server: &Engine) -> Self {
        let client = crate::patient(builder).connect(server.addresses()[0]);
        let client = client.expect("it lets in");
        // Its connections to all shards are there before anybody else comes.
        for key in 0..64_u64 {
            let begun = client.actor::<Account>(key).deposit(1).wait();
            assert_eq!(begun, Ok(1));
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let calls = std::thread::spawn(move || {
            let (mut calls, mut longest, mut at) = (0_u64, Duration::ZERO, Duration::ZERO);
            let since = Instant::now();
            while calls < ENOUGH || !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let account = client.actor::<Account>(calls % 64);
                let total = account.deposit(1).wait().expect("it is answered");
                assert_eq!(total, calls.cast_signed() / 64 + 2, "once, and in order");
                if begun.elapsed() > longest {
                    (longest, at) = (begun.elapsed(), since.elapsed());
                }
                calls += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            (calls, longest, at)
        });
        Bystander { is_over, calls }
    }

    /// All its calls were answered, and each in time.
    pub(crate) fn must_be_unharmed(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let (calls, longest, at) = self.calls.join().expect("all its calls are answered");
        println!("the bystander's {calls} calls took {longest:?} at most, after {at:?}");
        assert!(longest < PATIENCE, "{longest:?}");
    }
}
