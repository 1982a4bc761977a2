//! Executors for engines that have none of their own yet.

use std::future::Future;
use std::io;
use std::time::Duration;

use ::glommio::{
    GlommioError, LocalExecutorBuilder, Placement, PoolPlacement, ReactorErrorKind, early_init,
};

use crate::driver::{DriverError, uring};

/// Bytes that an executor registers with the kernel, on three rings. Only direct I/O would use
/// them, which the driver does not do; this is the least that glommio takes.
const IO_MEMORY: usize = 64 << 10;
/// How long other tasks of the executor may keep it from its reactor.
///
/// Not less: each time that it passes before any task has run, the executor may sleep with tasks
/// that wait (see [`super`]), and on a machine with more threads than cores milliseconds pass so.
const PREEMPT_AFTER: Duration = Duration::from_millis(10);

/// To be called once before the threads of the executors are started: what it does takes tens of
/// milliseconds later, out of the first park.
pub fn prepare() {
    early_init();
}

/// Makes an executor on this thread, which is pinned already if it should be, and runs what
/// `make` gives on it.
///
/// # Errors
/// If glommio has no executor for us, with the remedy.
pub fn run<F: Future>(make: impl FnOnce() -> F) -> Result<F::Output, DriverError> {
    // glommio remembers for all threads what it found out on the first, and says less of it.
    uring::probe()?;
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY)
        .preempt_timer(PREEMPT_AFTER)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
        .make()
        .map_err(explain)?;
    Ok(executor.run(async { make().await }))
}

fn explain(error: GlommioError<()>) -> DriverError {
    match error {
        GlommioError::ReactorError(ReactorErrorKind::MemLockLimit(limit, wanted)) => {
            DriverError::LockedMemory { limit, wanted }
        }
        other => {
            let source: io::Error = other.into();
            match source.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE) => DriverError::Descriptors,
                _ => DriverError::System {
                    call: "glommio",
                    source,
                },
            }
        }
    }
}
