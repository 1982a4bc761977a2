//! `tell-local` and `tell-cross`.

use peers_common::tokio_modes::Cores;
use peers_common::{Answer, Job};

use crate::fans::pour;

/// Sender and receiver on one core.
pub fn local(job: Job) -> Answer {
    tell(job, Cores::One)
}

/// The receiver on the other core.
pub fn across(job: Job) -> Answer {
    tell(job, Cores::Two)
}

fn tell(job: Job, cores: Cores) -> Answer {
    let measured = pour(job, cores, 1);
    Answer::of(&measured).figure("messages_per_s", measured.per_s())
}
