//! `load --durable`: calls to counters of a cluster that are kept before they answer, by its own clients;
//! and at the end, whether all that was acknowledged is there.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use quark::{CallError, Client, IdlePolicy};
use quark_tools::cluster::{Counter, tls_of};
use serde::Serialize;

use super::Generate;
use super::command::Latencies;
use crate::cli::Format;
use crate::error::Error;
use crate::latency::{Latency, Summary};
use crate::launch::launch_error;
use crate::pace::{Measured, Pace};
use crate::rng::Rng;
use crate::units::{quantity, time};

/// The cluster, as all are called that were given no name; their nodes show certificates for it.
const CLUSTER: &str = "quark";
/// Whose certificate clients show.
const NAME: &str = "load";
/// How long a caller rests after a call that has failed.
const REST: Duration = Duration::from_millis(20);

/// Loads a cluster and tells what came of it.
///
/// # Errors
///
/// When it can't be reached; and, after it was told, when a call has failed or something was lost.
pub(super) fn command(asked: &Generate, pace: &Pace, out: &mut impl Write) -> Result<(), Error> {
    let clients: Vec<_> = (0..asked.connections as usize)
        .map(|number| connect(asked, number))
        .collect::<Result<_, _>>()?;
    let before = counts(&clients[0], asked.keys)?;
    let calls = Arc::new(Calls::new(asked.keys));
    let measured = pace.watched("load", || run(&clients, asked, pace, &calls))?;
    let after = counts(&clients[0], asked.keys)?;
    clients.into_iter().for_each(Client::shutdown);
    let told = Told::new(asked, &measured, &calls, &before, &after);
    told.write(asked.format, out)?;
    if told.failed + told.lost + told.excess > 0 {
        return Err(wrong(format!(
            "{} calls failed, {} additions are lost and {} too many",
            told.failed, told.lost, told.excess
        )));
    }
    Ok(())
}

/// A client, by whichever node lets it in: another one first for each.
fn connect(asked: &Generate, number: usize) -> Result<Client, Error> {
    let tls = asked.tls_dir.as_ref().map(|folder| tls_of(folder, NAME));
    let tls = tls.transpose().map_err(launch_error)?;
    let mut refused = None;
    for addr in asked
        .connect
        .iter()
        .cycle()
        .skip(number)
        .take(asked.connect.len())
    {
        let mut client = Client::builder().cluster(CLUSTER).idle(IdlePolicy::Park);
        if let Some(tls) = &tls {
            client = client.tls(tls.clone(), CLUSTER);
        }
        match client.connect(*addr) {
            Ok(client) => return Ok(client),
            Err(error) => refused = Some(error),
        }
    }
    Err(wrong(
        refused.map_or_else(String::new, |error| error.to_string()),
    ))
}

/// What the counters are.
fn counts(client: &Client, keys: u64) -> Result<Vec<u64>, Error> {
    let counts = (0..keys).map(|key| client.actor::<Counter>(key).count().wait());
    counts
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(format!("a counter can't be read: {error}")))
}

/// What all callers have in common.
struct Calls {
    /// Additions by counter: those that were acknowledged, and those of which nobody knows.
    acknowledged: Vec<AtomicU64>,
    unknown: Vec<AtomicU64>,
    failed: Mutex<BTreeMap<String, u64>>,
    latency: Mutex<Latency>,
}

impl Calls {
    fn new(keys: u64) -> Self {
        let zeros = || (0..keys).map(|_| AtomicU64::new(0)).collect();
        Calls {
            acknowledged: zeros(),
            unknown: zeros(),
            failed: Mutex::default(),
            latency: Mutex::new(Latency::new()),
        }
    }

    fn fail(&self, key: u64, error: &CallError) {
        let unknown = u64::from(!error.never_ran());
        self.unknown[key as usize].fetch_add(unknown, Ordering::Relaxed);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed.entry(error.to_string()).or_default() += 1;
    }
}

/// Keeps so many calls under way by each client, until it is time to end.
fn run(
    clients: &[Client],
    asked: &Generate,
    pace: &Pace,
    calls: &Arc<Calls>,
) -> Result<Measured, Error> {
    let callers = u64::from(asked.outstanding) * clients.len() as u64;
    let pace = pace.shared(callers);
    let (end, ends) = mpsc::channel();
    for caller in 0..callers {
        let client = &clients[caller as usize % clients.len()];
        let (calls, pace, end) = (calls.clone(), pace.clone(), end.clone());
        let (engine, keys) = (client.engine().clone(), asked.keys);
        let mut rng = Rng::new(asked.seed.wrapping_add(caller));
        client.spawn(move || async move {
            let mut laps = pace.start();
            let (clock, mut latency) = (laps.clock(), Latency::new());
            while laps.next(1).is_some() {
                let key = rng.below(keys);
                let begun = clock.now();
                match engine.actor::<Counter>(key).add(1).await {
                    Ok(_) => {
                        latency.record(clock.now() - begun);
                        calls.acknowledged[key as usize].fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => {
                        calls.fail(key, &error);
                        quark::sleep(REST).await;
                    }
                }
            }
            let mut all = calls.latency.lock().unwrap_or_else(PoisonError::into_inner);
            all.merge(&latency);
            // Whoever waits for it may have given up.
            let _ = end.send(laps.end());
        });
    }
    drop(end);
    let parts: Vec<Measured> = ends.iter().collect();
    if parts.len() as u64 != callers {
        return Err(wrong("a client has ended before its calls".to_owned()));
    }
    let all = parts.into_iter().reduce(Measured::and);
    all.ok_or_else(|| wrong("nobody has called".to_owned()))
}

/// What came of it, as `--format json` has it.
#[derive(Serialize)]
struct Told {
    clients: u32,
    outstanding: u32,
    keys: u64,
    /// Additions that were acknowledged.
    count: u64,
    seconds: f64,
    rate_per_s: f64,
    latency_ns: Option<Summary>,
    failed: u64,
    /// Why, and how often.
    errors: BTreeMap<String, u64>,
    /// What was acknowledged and is not there.
    lost: u64,
    /// What is there and nobody has added.
    excess: u64,
    /// What all counters are together.
    total: u64,
}

impl Told {
    fn new(
        asked: &Generate,
        measured: &Measured,
        calls: &Calls,
        before: &[u64],
        after: &[u64],
    ) -> Self {
        let errors = calls.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = calls.latency.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut count, mut lost, mut excess) = (0, 0, 0);
        for (key, (before, after)) in before.iter().zip(after).enumerate() {
            let acknowledged = calls.acknowledged[key].load(Ordering::Relaxed);
            let unknown = calls.unknown[key].load(Ordering::Relaxed);
            count += acknowledged;
            lost += (before + acknowledged).saturating_sub(*after);
            excess += after.saturating_sub(before + acknowledged + unknown);
        }
        let seconds = measured.elapsed().as_secs_f64();
        Told {
            clients: asked.connections,
            outstanding: asked.outstanding,
            keys: asked.keys,
            count,
            seconds,
            rate_per_s: count as f64 / seconds.max(1e-9),
            latency_ns: latency.summary(),
            failed: errors.values().sum(),
            errors: errors.clone(),
            lost,
            excess,
            total: after.iter().sum(),
        }
    }

    fn write(&self, format: Format, out: &mut impl Write) -> Result<(), Error> {
        if format == Format::Json {
            serde_json::to_writer(&mut *out, self).map_err(std::io::Error::from)?;
            writeln!(out)?;
            return Ok(out.flush()?);
        }
        writeln!(
            out,
            "{}: {} in {}{} · {} failed, {} lost, {} too many",
            quantity(self.rate_per_s, "calls/s"),
            quantity(self.count as f64, "calls"),
            time(self.seconds * 1e9),
            Latencies(self.latency_ns),
            self.failed,
            self.lost,
            self.excess,
        )?;
        for (error, count) in &self.errors {
            writeln!(out, "{count} ×: {error}")?;
        }
        Ok(out.flush()?)
    }
}

fn wrong(reason: String) -> Error {
    Error::Workload {
        workload: "load",
        reason,
    }
}
