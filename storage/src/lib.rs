//! What actors keep: states with E-tags, journals of events, reminders, behind one trait.
//!
//! A [`Provider`](provider::Provider) is a shard's access to a store. [`memory`] forgets
//! everything when the process ends. Knows nothing of actors but their names.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod conformance;
pub mod memory;
pub mod provider;
