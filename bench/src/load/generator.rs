use std::net::SocketAddr;
use std::time::Duration;

use super::connection::Connection;
use super::{LoadError, Speech};
use crate::clock::Clock;
use crate::cpu_time;
use crate::latency::Latency;
use crate::pace::{Measured, Pace};
use crate::rng::Rng;

/// Requests between two readings of how far the load has come.
const BATCH: u64 = 256;
/// Requests before any count: keys come to be, memory is grown.
const WARM_UP: u64 = 5_000;
/// What is read at once.
const READ: usize = 64 << 10;

/// How many seconds a server may say nothing at all; and once somebody wants the run to end.
const SILENCE: (u64, u64) = (10, 1);

/// A load to be put on a server.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where it listens; connections go to one after the other.
    pub to: Vec<SocketAddr>,
    /// How many connections there are.
    pub connections: usize,
    /// How many requests are under way on each: an answer is followed by the next request.
    pub outstanding: usize,
    /// How many keys there are; each request draws one.
    pub keys: u64,
    /// Decides which are drawn.
    pub seed: u64,
    /// How far it goes.
    pub pace: Pace,
}

/// What a load came to.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Requests that were answered.
    pub measured: Measured,
    /// From the making of each request until its answer was read, in nanoseconds.
    pub latency: Latency,
    /// How often answers were read; each brings as many as lay there.
    pub reads: u64,
    /// CPU time of the server meanwhile, zero where nobody knows.
    pub server: Duration,
    /// That of the generator: all of it, unless somebody else was on its core.
    pub generator: Duration,
}

impl Loaded {
    /// Requests a second of the server's CPU time; zero where nobody knows that.
    #[must_use]
    pub fn per_core_s(&self) -> f64 {
        if self.server.is_zero() {
            0.0
        } else {
            self.measured.count as f64 / self.server.as_secs_f64()
        }
    }

    /// Answers that one read brings.
    #[must_use]
    pub fn per_read(&self) -> f64 {
        self.measured.count as f64 / self.reads.max(1) as f64
    }

    /// CPU time of the server, in percent of a core.
    #[must_use]
    pub fn server_percent(&self) -> f64 {
        cpu_time::percent(self.server, self.measured.elapsed())
    }
}

impl Load {
    /// Puts it on the server, by the calling thread, which is kept busy throughout. Each connection
    /// is spoken on as `speak` says; `server` tells the server's CPU time so far.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; one request that fails ends it.
    pub fn run<S: Speech>(
        &self,
        mut speak: impl FnMut() -> Result<S, LoadError>,
        server: &dyn Fn() -> Duration,
    ) -> Result<Loaded, LoadError> {
        let mut connections = Vec::with_capacity(self.connections);
        for to in self.to.iter().cycle().take(self.connections) {
            connections.push(Connection::open(*to, speak()?)?);
        }
        let mut running = Running {
            connections,
            pace: self.pace.clone(),
            heard: self.pace.clock().now(),
            clock: self.pace.clock().clone(),
            outstanding: self.outstanding,
            keys: self.keys,
            rng: Rng::new(self.seed),
            buffer: vec![0; READ],
            latency: Latency::new(),
            answered: 0,
            reads: 0,
        };
        running.open()?;
        running.begin()?;
        running.until(WARM_UP)?;
        // From a clean slate: what was answered apart, as keys came to be, would be asked apart again.
        running.end()?;
        running.latency.clear();
        (running.answered, running.reads) = (0, 0);
        let before = (server(), cpu_time::thread());
        let mut laps = self.pace.clone().start();
        running.begin()?;
        let mut goal = 0;
        while let Some(lap) = laps.next(BATCH) {
            // What came beyond a lap counts for the next.
            goal += lap;
            running.until(goal)?;
        }
        let measured = laps.end();
        let after = (server(), cpu_time::thread());
        let (latency, reads) = (std::mem::take(&mut running.latency), running.reads);
        running.end()?;
        Ok(Loaded {
            measured,
            latency,
            reads,
            server: after.0.saturating_sub(before.0),
            generator: after.1.saturating_sub(before.1),
        })
    }
}

struct Running<S> {
    connections: Vec<Connection<S>>,
    pace: Pace,
    clock: Clock,
    /// When the server last said anything.
    heard: u64,
    outstanding: usize,
    keys: u64,
    rng: Rng,
    buffer: Vec<u8>,
    latency: Latency,
    answered: u64,
    reads: u64,
}

impl<S: Speech> Running<S> {
    /// Brings all handshakes to their end.
    fn open(&mut self) -> Result<(), LoadError> {
        while !self.connections.iter().all(|one| one.speech.is_open()) {
            self.round(0)?;
        }
        Ok(())
    }

    /// Makes the first requests.
    fn begin(&mut self) -> Result<(), LoadError> {
        for connection in &mut self.connections {
            let now = self.clock.now();
            connection.ask(self.outstanding, now, || self.rng.below(self.keys))?;
            connection.send()?;
        }
        Ok(())
    }

    /// Goes round all connections until so many requests were answered; each answer is followed by
    /// a request.
    fn until(&mut self, answered: u64) -> Result<(), LoadError> {
        while self.answered < answered {
            self.round(self.outstanding)?;
        }
        Ok(())
    }

    /// Waits for the answers that are under way; they count for nothing.
    fn end(&mut self) -> Result<(), LoadError> {
        while self.connections.iter().any(|one| one.under_way > 0) {
            self.round(0)?;
        }
        Ok(())
    }

    #[inline]
    fn round(&mut self, outstanding: usize) -> Result<(), LoadError> {
        let reads = self.reads;
        for connection in &mut self.connections {
            let heard = connection.hear(
                &mut self.buffer,
                || self.clock.now(),
                |ns| {
                    self.latency.record(ns);
                    self.answered += 1;
                },
            )?;
            if let Some(now) = heard {
                self.reads += 1;
                self.heard = now;
                connection.ask(outstanding, now, || self.rng.below(self.keys))?;
            }
            connection.send()?;
        }
        if self.reads == reads {
            self.bear_silence()?;
        }
        Ok(())
    }

    fn bear_silence(&self) -> Result<(), LoadError> {
        let (usual, interrupted) = SILENCE;
        let most = if self.pace.is_interrupted() {
            interrupted
        } else {
            usual
        };
        if self.clock.now().saturating_sub(self.heard) > most * 1_000_000_000 {
            return Err(LoadError::Silent(most));
        }
        Ok(())
    }
}
