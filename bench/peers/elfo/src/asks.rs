//! `ask-local` and `ask-cross`.

use peers_common::tokio_modes::Cores;
use peers_common::{Answer, Job, Measured, Stamps};

use crate::caller::{Ask, AskStamped};
use crate::fans::walk;
use crate::system::{Driver, run};

/// Asks outstanding in the loop that wants many.
const MANY: usize = 256;

/// Caller and callee on one core.
pub fn local(job: Job) -> Answer {
    run(&job, Cores::One, async move |driver| {
        let (measured, stamps) = ask(&driver, &job, driver.near).await;
        Answer::of(&measured)
            .figure("ask_ns", measured.median_ns)
            .latency(&stamps)
    })
}

/// The callee on the other core.
pub fn across(job: Job) -> Answer {
    run(&job, Cores::Two, async move |driver| {
        let (measured, stamps) = ask(&driver, &job, driver.far).await;
        let many = walk(&driver, &job, driver.far, 1, MANY).await;
        Answer::of(&measured)
            .figure("ask_ns", stamps.median_ns())
            .figure("asks_per_s_256", many.per_s())
            .latency(&stamps)
    })
}

async fn ask(driver: &Driver, job: &Job, callees: elfo::Addr) -> (Measured, Stamps) {
    let caller = driver.locate(driver.callers, 0).await;
    let target = driver.locate(callees, 0).await.into();
    let lasts = job.lasts;
    let plain = driver.ctx.request_to(caller, Ask { target, lasts });
    let plain = plain.resolve().await.expect("the caller answers");
    let stamped = driver.ctx.request_to(caller, AskStamped { target, lasts });
    let stamped = stamped.resolve().await.expect("the caller answers");
    let (_, stamps) = stamped.take().expect("nobody else takes it");
    (plain.into_inner(), stamps)
}
