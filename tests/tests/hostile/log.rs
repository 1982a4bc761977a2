//! What the engines of this process say, for tests to look at.

use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

static SAID: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// Tests have the log, the descriptors and the memory of this process to themselves, one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static LISTENS: Once = Once::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    LISTENS.call_once(|| {
        tracing::subscriber::set_global_default(Listener).expect("nobody else listens");
    });
    said().clear();
    alone
}

/// All warnings, and what is graver, since this test has begun; but for stalls, which a machine has
/// whose cores have much else to do.
pub(crate) fn warnings() -> Vec<String> {
    let said = said();
    let warnings = said.iter().filter(|(level, _)| *level <= Level::WARN);
    warnings.map(|(_, line)| line.clone()).collect()
}

/// Lines of any level.
pub(crate) fn lines() -> usize {
    said().len()
}

fn said() -> MutexGuard<'static, Vec<(Level, String)>> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("quark") && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        if line.0.contains("stall") {
            return;
        }
        said().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
