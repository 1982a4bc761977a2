//! Where threads run.

use core_affinity::CoreId;

/// Where callers run.
pub const CALLER_CORE: usize = 0;
/// Where callees run that are on another core.
pub const CALLEE_CORE: usize = 1;

/// Pins this thread to the core `index` of those that the process may use.
///
/// # Panics
/// If there is no such core, or the system refuses: a figure would mean nothing.
pub fn pin(index: usize) {
    let cores: Vec<CoreId> = core_affinity::get_core_ids().expect("the system tells of its cores");
    let core = cores.get(index).expect("two cores at least");
    assert!(core_affinity::set_for_current(*core), "pinning is allowed");
}
