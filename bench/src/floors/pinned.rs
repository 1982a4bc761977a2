//! Threads pinned to a core, for as long as a floor is measured.

use core_affinity::CoreId;

/// Why a floor could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FloorError {
    /// The core is not there, or not this process's.
    #[error("core {core} cannot be used for a floor; this process may use {allowed:?}")]
    NoSuchCore {
        /// The core asked for.
        core: usize,
        /// Those there are.
        allowed: Vec<usize>,
    },
    /// Two cores are needed.
    #[error("this floor needs two cores, and both of those given are core {core}")]
    SameCore {
        /// The core given twice.
        core: usize,
    },
    /// The disk, or the way to it, fails.
    #[error("the floor of durable writes can't be measured in {folder}: {reason}")]
    Disk {
        /// Where it was to be measured.
        folder: String,
        /// What the system said.
        reason: String,
    },
    /// There is no loopback, or it fails.
    #[error("the floor of calls over TCP can't be measured: {reason}")]
    Socket {
        /// What the system said.
        reason: String,
    },
    /// A server, or the way to it, fails.
    #[error("the floor of saves on {place} can't be measured: {reason}")]
    Server {
        /// What kind of server.
        place: &'static str,
        /// What its client said.
        reason: String,
    },
}

/// The cores this process may use, by the system's numbers, lowest first.
#[must_use]
pub fn allowed_cores() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let mut cores: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
    cores.sort_unstable();
    cores
}

/// Runs `measured` on a thread of its own, pinned to `core`.
///
/// # Errors
///
/// When the core may not be used.
pub fn on<T: Send>(core: usize, measured: impl FnOnce() -> T + Send) -> Result<T, FloorError> {
    check(core)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(core)?;
            Ok(measured())
        });
        join(thread)
    })
}

/// Runs `first` and `second` at the same time, each on a thread pinned to its core, both pinned
/// before either begins. Returns what `first` does, which is told of the other's thread.
///
/// # Errors
///
/// When the cores are one, or either may not be used.
pub fn on_both<T: Send>(
    cores: (usize, usize),
    first: impl FnOnce(&std::thread::Thread) -> T + Send,
    second: impl FnOnce() + Send,
) -> Result<T, FloorError> {
    check(cores.0)?;
    check(cores.1)?;
    if cores.0 == cores.1 {
        return Err(FloorError::SameCore { core: cores.0 });
    }
    let (ready, both_ready) = std::sync::mpsc::sync_channel(1);
    let (begin, told_to_begin) = std::sync::mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        let answering = scope.spawn(move || {
            let pinned = pin(cores.1);
            let _ = ready.send(pinned.clone());
            // An error here means the other could not be pinned: there is nothing to answer.
            if pinned.is_ok() && told_to_begin.recv().is_ok() {
                second();
            }
            pinned
        });
        let partner = answering.thread().clone();
        let asking = scope.spawn(move || {
            pin(cores.0)?;
            match both_ready.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(unusable(cores.1)),
            }
            let _ = begin.send(());
            Ok(first(&partner))
        });
        let measured = join(asking);
        join(answering)?;
        measured
    })
}

fn join<T>(
    thread: std::thread::ScopedJoinHandle<'_, Result<T, FloorError>>,
) -> Result<T, FloorError> {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn check(core: usize) -> Result<(), FloorError> {
    if allowed_cores().contains(&core) {
        Ok(())
    } else {
        Err(unusable(core))
    }
}

fn pin(core: usize) -> Result<(), FloorError> {
    if core_affinity::set_for_current(CoreId { id: core }) {
        Ok(())
    } else {
        Err(unusable(core))
    }
}

fn unusable(core: usize) -> FloorError {
    FloorError::NoSuchCore {
        core,
        allowed: allowed_cores(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_returned() {
        let allowed = allowed_cores();
        assert_eq!(on(allowed[0], || 42), Ok(42));
        if let [first, .., second] = allowed[..] {
            assert_eq!(on_both((first, second), |_| 7, || {}), Ok(7));
        }
        let same = on_both((allowed[0], allowed[0]), |_| 7, || {});
        assert_eq!(same, Err(FloorError::SameCore { core: allowed[0] }));
    }
}
