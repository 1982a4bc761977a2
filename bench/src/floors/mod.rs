//! Floors: what the machine itself can do, measured in the same process just before and just
//! after a workload. Figures from rented machines mean something only held against these.

#[cfg(any(feature = "redis", feature = "postgres"))]
mod bare;
pub mod call;
pub mod disk;
pub mod echo;
pub mod hop;
mod interleaved;
pub mod line;
pub mod pinned;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
pub mod ring;
pub mod wake;

use std::time::Duration;

use serde::Serialize;

pub use interleaved::{Interleaved, Sides};
pub use pinned::{FloorError, allowed_cores};

/// A measured floor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Floor {
    /// What was measured.
    pub name: &'static str,
    /// The figure, in `unit`.
    pub value: f64,
    /// The unit: "ns" is better small, anything per second is better large.
    pub unit: &'static str,
    /// Of times that vary much, the 99th percentile beside their median in `value`.
    #[serde(skip)]
    pub p99: Option<f64>,
}

/// Which floor a workload is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A cache line handed over and back between two cores.
    CacheLine,
    /// Messages of one slot through a ring of the mesh, and nothing round it.
    Ring,
    /// Two threads that wake each other after a pause of 1 ms.
    Wake,
    /// The same without a pause: whoever waits sleeps.
    Park,
    /// A call on a boxed trait object.
    VirtualCall,
    /// A message through a bare queue to the next of a ring of counters.
    QueueHop,
    /// The bytes of a call and its answer over loopback TCP, one call at a time.
    Echo,
    /// The same with 64 under way.
    EchoMany,
    /// The same, of which either side takes 32 at once: both are at work at the same time.
    EchoHalves,
}

/// What `add` of the workloads' counter takes on a connection in plain text, and its answer.
const CALL: echo::Sizes = echo::Sizes {
    asked: 45,
    answered: 36,
};

impl Kind {
    /// What is measured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::CacheLine => "cache-line round trip",
            Kind::Ring => "bare SPSC ring",
            Kind::Wake => "futex ping-pong",
            Kind::Park => "futex ping-pong without a pause",
            Kind::VirtualCall => "virtual call",
            Kind::QueueHop => "bare VecDeque hop",
            Kind::Echo => "spinning TCP echo",
            Kind::EchoMany => "spinning TCP echo, 64 under way",
            Kind::EchoHalves => "spinning TCP echo, 64 under way in halves",
        }
    }

    /// The unit it is measured in.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Kind::Ring => "messages/s",
            Kind::CacheLine
            | Kind::Wake
            | Kind::Park
            | Kind::VirtualCall
            | Kind::QueueHop
            | Kind::Echo
            | Kind::EchoMany
            | Kind::EchoHalves => "ns",
        }
    }

    /// Measures the floor once, on (or between) these cores. Takes 10 ms to a second, most for
    /// [`Kind::Wake`]. Nothing else should run on the cores meanwhile.
    ///
    /// # Errors
    ///
    /// When a core may not be used, or two are needed and the two are one.
    pub fn measure(self, cores: Cores) -> Result<Floor, FloorError> {
        let Cores { first, second } = cores;
        let mut p99 = None;
        let mut sleepers = |pause, trips| {
            let summary = wake::round_trips(first, second, pause, trips)?.summary();
            p99 = summary.map(|summary| summary.p99 as f64);
            Ok(summary.map_or(0.0, |summary| summary.p50 as f64))
        };
        let echoed = |under_way, at_once| {
            let flow = echo::Flow { under_way, at_once };
            echo::message_ns(first, second, CALL, flow)
        };
        let value = match self {
            Kind::CacheLine => line::round_trip_ns(first, second)?,
            Kind::Ring => ring::messages_per_s(first, second)?,
            Kind::Wake => sleepers(Duration::from_millis(1), 300)?,
            Kind::Park => sleepers(Duration::ZERO, 5_000)?,
            Kind::VirtualCall => call::virtual_call_ns(first)?,
            Kind::QueueHop => hop::hop_ns(first)?,
            Kind::Echo => echoed(1, 1)?,
            Kind::EchoMany => echoed(64, 64)?,
            Kind::EchoHalves => echoed(64, 32)?,
        };
        Ok(Floor {
            name: self.name(),
            value,
            unit: self.unit(),
            p99,
        })
    }
}

/// The cores a floor is measured on, by the system's numbers. Floors of one core use the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The caller's.
    pub first: usize,
    /// The callee's.
    pub second: usize,
}

/// A floor measured before a workload, waiting for its second measurement.
#[derive(Clone, Debug)]
pub struct Bracket {
    kind: Kind,
    cores: Cores,
    before: Floor,
}

/// A floor measured before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Bracketed {
    /// The better of the two.
    pub best: Floor,
    /// The first figure.
    pub before: f64,
    /// The second figure.
    pub after: f64,
}

impl Bracket {
    /// Measures the floor; the workload comes next.
    ///
    /// # Errors
    ///
    /// See [`Kind::measure`].
    pub fn open(kind: Kind, cores: Cores) -> Result<Self, FloorError> {
        Ok(Bracket {
            kind,
            cores,
            before: kind.measure(cores)?,
        })
    }

    /// Measures it again; the better figure counts.
    ///
    /// # Errors
    ///
    /// See [`Kind::measure`].
    pub fn close(self) -> Result<Bracketed, FloorError> {
        Ok(Bracketed::of(self.before, &self.kind.measure(self.cores)?))
    }
}

impl Bracketed {
    /// Of two measurements of one floor, the first made before the workload.
    #[must_use]
    pub fn of(before: Floor, after: &Floor) -> Self {
        let small_is_better = before.unit == "ns";
        let value = if small_is_better {
            before.value.min(after.value)
        } else {
            before.value.max(after.value)
        };
        let (first, second) = (before.value, after.value);
        Bracketed {
            best: Floor {
                value,
                p99: before.p99.zip(after.p99).map(|(one, other)| one.min(other)),
                ..before
            },
            before: first,
            after: second,
        }
    }
}

/// The middle of many figures; the upper one of two.
///
/// # Panics
///
/// When there are none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(value: f64, unit: &'static str) -> Floor {
        Floor {
            name: "x",
            value,
            unit,
            p99: None,
        }
    }

    #[test]
    fn the_better_figure_counts() {
        let time = Bracketed::of(floor(120.0, "ns"), &floor(100.0, "ns"));
        assert_eq!(
            (time.best.value, time.before, time.after),
            (100.0, 120.0, 100.0)
        );
        let rate = Bracketed::of(floor(5e6, "messages/s"), &floor(4e6, "messages/s"));
        assert_eq!(rate.best.value, 5e6);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![4.0]), 4.0);
    }

    #[test]
    fn floors_of_one_core_are_measured_and_small() {
        let core = allowed_cores()[0];
        let cores = Cores {
            first: core,
            second: core,
        };
        for kind in [Kind::VirtualCall, Kind::QueueHop] {
            let bracketed = Bracket::open(kind, cores).unwrap().close().unwrap();
            assert!(bracketed.best.value > 0.0, "{kind:?}");
            assert!(
                bracketed.best.value < 100_000.0,
                "{kind:?}: {}",
                bracketed.best.value
            );
            assert!(bracketed.best.value <= bracketed.before);
            assert!(bracketed.best.value <= bracketed.after);
        }
    }

    #[test]
    fn floors_of_two_cores_are_measured_where_there_are_two() {
        let allowed = allowed_cores();
        let cores = Cores {
            first: allowed[0],
            second: allowed[allowed.len() - 1],
        };
        for kind in [Kind::CacheLine, Kind::Ring, Kind::Wake, Kind::Park] {
            match kind.measure(cores) {
                Ok(floor) => assert!(floor.value > 1.0, "{floor:?}"),
                Err(error) => {
                    assert_eq!(allowed.len(), 1, "{error}");
                    assert!(matches!(error, FloorError::SameCore { .. }));
                }
            }
        }
    }

    #[test]
    fn a_core_that_is_not_there_is_an_error() {
        let cores = Cores {
            first: allowed_cores()[0],
            second: 99_999,
        };
        for kind in [Kind::CacheLine, Kind::Ring, Kind::Wake, Kind::Park] {
            let error = kind.measure(cores).unwrap_err().to_string();
            assert!(
                error.starts_with("core 99999 cannot be used for a floor; "),
                "{error}"
            );
        }
    }
}
