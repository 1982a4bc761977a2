//! A model of how an engine must behave, checked against simulated runs of it.
//!
//! A run is a mixed load on two types of actors, by clients on every shard and outside, in a
//! world drawn from its seed. Every message carries a slip of paper (`oracle`) that tells the
//! oracle what became of it; the oracle knows the rules.

mod actors;
mod clients;
mod counts;
mod families;
mod load;
mod members;
mod oracle;
mod profile;
mod random;

pub use counts::{Counts, KINDS, Kind};
pub use families::{FAMILY_EVENTS, FamilyOutcome, run_families};
pub use load::{Outcome, run};
