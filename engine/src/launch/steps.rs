//! What a launch has each shard do, step by step, before it runs.
//!
//! Runs on the user's thread and on shards' threads before their loops.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use quark_shards::driver::DriverReport;
use quark_shards::shard::Shard;
use quark_shards::stall::Pulse;
use quark_storage::provider::StoreError;

use super::LaunchError;
use crate::runtime::{RUNTIME, Runtime};
use crate::state::{NotOpened, Reports, StoreStage, add_reports, bring_up};

/// The next thing that a shard is to do. Where no more comes, the launch has failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Stores(StoreStage),
    /// Bind the port that other processes call.
    Bind,
    /// The last one.
    Run,
}

/// What a shard says when it is up.
pub(crate) struct Up {
    pub(crate) driver: DriverReport,
    pub(crate) pulse: Arc<Pulse>,
}

/// What a shard says of each step, its coming up first.
pub(crate) enum Said {
    Up(Up),
    Stores(Reports),
    Bound(Option<SocketAddr>),
}

/// What a shard says, or why it ends instead.
pub(crate) type Saying = Result<Said, LaunchError>;

/// The launch's ends of the ways to a shard.
pub(crate) struct Line {
    pub(crate) shard: u16,
    pub(crate) steps: Sender<Step>,
    pub(crate) said: Receiver<Saying>,
}

impl Line {
    pub(crate) fn hear(&self) -> Result<Said, LaunchError> {
        let shard = self.shard;
        self.said.recv().map_err(|_| LaunchError::Died { shard })?
    }

    fn tell(&self, step: Step) {
        // One that has died says so when it is heard.
        let _ = self.steps.send(step);
    }

    fn hear_of_stores(&self, all: &mut Reports) -> Result<(), LaunchError> {
        if let Said::Stores(reports) = self.hear()? {
            add_reports(all, reports);
        }
        Ok(())
    }
}

/// What the shards say when all of them may run.
pub(super) struct Ready {
    pub(super) driver: DriverReport,
    pub(super) pulses: Vec<Arc<Pulse>>,
    pub(super) stores: Reports,
    /// Where the shards listen, in their order.
    pub(super) addresses: Vec<SocketAddr>,
}

/// Waits until every shard is up, and has opened its stores.
pub(super) fn make_ready(
    lines: &[Line],
    with_stores: bool,
    listens: bool,
) -> Result<Ready, LaunchError> {
    let mut ready = Ready {
        driver: DriverReport::default(),
        pulses: Vec::new(),
        stores: Reports::new(),
        addresses: Vec::new(),
    };
    for line in lines {
        if let Said::Up(up) = line.hear()? {
            ready.driver = up.driver;
            ready.pulses.push(up.pulse);
        }
    }
    if with_stores {
        ready.stores = open_stores(lines)?;
    }
    if listens {
        lines.iter().for_each(|line| line.tell(Step::Bind));
        for line in lines {
            if let Said::Bound(addr) = line.hear()? {
                ready.addresses.extend(addr);
            }
        }
    }
    Ok(ready)
}

/// Has the shards open their stores: prepared by the first, opened by all.
fn open_stores(lines: &[Line]) -> Result<Reports, LaunchError> {
    let mut reports = Reports::new();
    let prepares = lines.iter().take(1);
    for (stage, lines) in [
        (StoreStage::Prepare, prepares.collect::<Vec<_>>()),
        (StoreStage::Open, lines.iter().collect()),
    ] {
        lines.iter().for_each(|line| line.tell(Step::Stores(stage)));
        for line in lines {
            line.hear_of_stores(&mut reports)?;
        }
    }
    Ok(reports)
}

/// Has the shards run.
pub(crate) fn set_going(lines: &[Line]) {
    lines.iter().for_each(|line| line.tell(Step::Run));
}

/// The shard's end: takes the steps on its own thread, until the last (true) or the launch fails.
pub(super) fn follow(shard: &Rc<Shard>, said: &Sender<Saying>, steps: &Receiver<Step>) -> bool {
    while let Ok(step) = steps.recv() {
        match step {
            Step::Stores(stage) => {
                let opening = Opening::begin(shard, stage);
                shard.run_while(|| opening.goes_on());
                let _ = said.send(opening.result().map(Said::Stores).map_err(Into::into));
            }
            Step::Bind => drop(said.send(bind(shard))),
            Step::Run => {
                serve(shard);
                return true;
            }
        }
    }
    false
}

/// Has the shard bind the port that other processes call.
pub(crate) fn bind(shard: &Shard) -> Saying {
    let remote = shard.attached(&RUNTIME).and_then(Runtime::remote);
    let bound = remote.map_or(Ok(None), |remote| remote.bind());
    let shard = shard.id();
    bound
        .map(Said::Bound)
        .map_err(|source| LaunchError::Listen { shard, source })
}

/// Has the shard take calls from other processes, if it has bound a port for them.
pub(crate) fn serve(shard: &Shard) {
    if let Some(remote) = shard.attached(&RUNTIME).and_then(Runtime::remote) {
        shard.enter(|_| remote.serve());
    }
}

/// One stage of the stores, as a task of a shard.
pub(crate) struct Opening(Rc<RefCell<Option<Result<Reports, NotOpened>>>>);

impl Opening {
    /// Starts it; the shard's loop must then run until it no longer [goes on](Self::goes_on).
    pub(crate) fn begin(shard: &Rc<Shard>, stage: StoreStage) -> Self {
        let result = Rc::new(RefCell::new(None));
        let task = {
            let (shard, result) = (shard.clone(), result.clone());
            async move {
                let came = bring_up(shard, stage).await;
                *result.borrow_mut() = Some(came);
            }
        };
        shard.enter(|shard| shard.spawn(task));
        Opening(result)
    }

    /// Whether the task is still at it; one that panicked is not.
    pub(crate) fn goes_on(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }

    pub(crate) fn result(&self) -> Result<Reports, NotOpened> {
        let result = self.0.borrow_mut().take();
        result.unwrap_or_else(|| {
            Err(NotOpened {
                store: "?".to_owned(),
                source: StoreError::Refused {
                    place: "what opens it".to_owned(),
                    why: "it panicked".to_owned(),
                },
            })
        })
    }
}

impl From<NotOpened> for LaunchError {
    fn from(not: NotOpened) -> Self {
        LaunchError::Store {
            store: not.store,
            source: not.source,
        }
    }
}
