//! Deterministic tests: an engine in one thread, on a virtual clock, by one seed.

mod hooks;

pub(crate) use hooks::Hooks;
