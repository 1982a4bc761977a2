//! What actors keep: states with E-tags, journals of events, reminders, behind one trait.
//!
//! A [`Provider`](provider::Provider) is a shard's access to a store. [`memory`] forgets
//! everything when the process ends, [`embedded`] keeps it in a directory of this machine. With the
//! features of their names, `redis` and `postgres` keep it on servers, which `remote` takes the
//! shards' requests to. Knows nothing of actors but their names.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod conformance;
pub mod embedded;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod provider;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "remote")]
pub mod remote;
