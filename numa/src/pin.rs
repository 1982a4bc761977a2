//! Pinning the calling thread.

use std::io;

use core_affinity::CoreId;

use crate::{CpuList, TopologyError};

/// The cpus that fit the set the system call takes.
const MOST: usize = 1024;

/// Binds the calling thread to one cpu, and checks that it is so.
///
/// # Errors
///
/// [`TopologyError::Pin`] when the cpu does not exist, the cpuset forbids it, or a sandbox
/// denies the system call. The thread then runs where it ran before.
pub fn pin_current_thread(cpu: usize) -> Result<(), TopologyError> {
    let fail = |reason: String| Err(TopologyError::Pin { cpu, reason });
    if cpu >= MOST {
        return fail(format!("only cpus below {MOST} can be pinned to"));
    }
    if !core_affinity::set_for_current(CoreId { id: cpu }) {
        let source = io::Error::last_os_error();
        return match current_affinity() {
            Ok(may) => fail(format!("{source} (the thread may use cpus {may})")),
            Err(_) => fail(source.to_string()),
        };
    }
    let now = current_affinity()?;
    if now.len() == 1 && now.contains(cpu) {
        Ok(())
    } else {
        fail(format!(
            "the system accepted, yet the thread may use cpus {now}"
        ))
    }
}

/// The cpus that the calling thread may run on.
///
/// # Errors
///
/// [`TopologyError::Unreadable`] when the system will not say.
pub fn current_affinity() -> Result<CpuList, TopologyError> {
    match core_affinity::get_core_ids() {
        Some(ids) => Ok(ids.into_iter().map(|core| core.id).collect()),
        None => Err(TopologyError::Unreadable {
            path: "the affinity of this thread".into(),
            source: io::Error::last_os_error(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_pinned_thread_has_one_cpu() {
        for cpu in current_affinity().unwrap().iter() {
            let now = thread::spawn(move || {
                pin_current_thread(cpu).unwrap();
                current_affinity().unwrap()
            });
            assert_eq!(now.join().unwrap(), CpuList::from_iter([cpu]));
        }
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error_and_changes_nothing() {
        thread::spawn(|| {
            let before = current_affinity().unwrap();
            for cpu in [1023, 1024, usize::MAX] {
                assert!(!before.contains(cpu));
                let error = pin_current_thread(cpu).unwrap_err();
                assert!(
                    matches!(error, TopologyError::Pin { cpu: of, .. } if of == cpu),
                    "{error}"
                );
            }
            assert_eq!(current_affinity().unwrap(), before);
        })
        .join()
        .unwrap();
    }
}
