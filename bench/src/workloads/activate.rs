//! `activate`: first calls to 1 M distinct keys, and the memory an idle actor keeps.

use super::{Workload, pending};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "activate",
    about: "First calls to 1 M distinct keys, and the memory an idle actor keeps.",
    unit: "activations",
    floor: None,
    run: pending,
};
