//! What engines trace, as lines on standard error.

use std::env;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Which events are written: `error`, `warn`, `info` (without it), `debug` or `trace`.
const LEVEL: &str = "QUARK_LOG";

/// Writes what this process's engines trace to standard error from now on, a line each, with the
/// time in seconds: as much as the environment's `QUARK_LOG` says.
pub fn log_to_stderr() {
    let level = env::var(LEVEL).ok().and_then(|level| level.parse().ok());
    let lines = Lines {
        most: level.unwrap_or(Level::INFO),
        spans: AtomicU64::new(1),
    };
    // Whoever was there first goes on listening.
    let _ = tracing::subscriber::set_global_default(lines);
}

struct Lines {
    most: Level,
    spans: AtomicU64,
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("quark") && *metadata.level() <= self.most
    }

    fn event(&self, event: &Event<'_>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let mut line = Line(String::new());
        event.record(&mut line);
        // One write, for shards and the control thread write at once. Nobody is told when it fails.
        let line = format!("{:.3} {level} {target}:{}\n", now.as_secs_f64(), line.0);
        let _ = io::stderr().write_all(line.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed).max(1))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
