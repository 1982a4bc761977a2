//! `tell-local` and `tell-cross`.

use peers_common::tokio_modes::Cores;
use peers_common::{Answer, Job};

use crate::fans::pour;
use crate::system::run;

/// Sender and receiver on one core.
pub fn local(job: Job) -> Answer {
    run(&job, Cores::One, async move |driver| {
        let measured = pour(&driver, &job, driver.near, 1).await;
        Answer::of(&measured).figure("messages_per_s", measured.per_s())
    })
}

/// The receiver on the other core.
pub fn across(job: Job) -> Answer {
    run(&job, Cores::Two, async move |driver| {
        let measured = pour(&driver, &job, driver.far, 1).await;
        Answer::of(&measured).figure("messages_per_s", measured.per_s())
    })
}
