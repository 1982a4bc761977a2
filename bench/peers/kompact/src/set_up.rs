//! Systems on one worker or two, components in them, and waiting for what these report.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use kompact::config_keys::system::{MESSAGE_PRIORITY, THREADS, THROUGHPUT};
use kompact::executors::crossbeam_workstealing_pool::ThreadPool;
use kompact::executors::parker;
use kompact::get_core_ids;
use kompact::prelude::*;
use peers_common::{CALLEE_CORE, CALLER_CORE, Job};

/// Both sides of what crosses cores have threads of their own.
pub const DEDICATED: &str = "dedicated";

/// Nothing here takes longer; a lost message would.
const PATIENCE: Duration = Duration::from_secs(60);
/// Messages that a component takes before others run; the default is 50, and the documentation
/// advises more for messages of little work.
const MESSAGES: usize = 256;
/// The share of these that messages have, the rest being events, of which there are none.
const SHARE: f32 = 0.9;

/// A system, ended when this is dropped: its workers would go on spinning where they do.
pub struct Running(KompactSystem);

impl Deref for Running {
    type Target = KompactSystem;

    fn deref(&self) -> &KompactSystem {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What was measured is known; an end that fails changes nothing.
        let _ = self.0.clone().kill_system();
    }
}

/// A system whose workers are pinned to the first cores.
pub fn system(workers: usize) -> Running {
    let mut config = KompactConfig::default();
    config.set_config_value(&THREADS, workers);
    config.set_config_value(&THROUGHPUT, MESSAGES);
    config.set_config_value(&MESSAGE_PRIORITY, SHARE);
    config.executor(|workers| {
        let cores = get_core_ids().expect("the system tells of its cores");
        ThreadPool::with_affinity(&cores[..workers], 0, parker::small())
    });
    Running(config.build().wait().expect("a system starts"))
}

/// A started component, on whichever worker comes by.
pub fn pooled<C: ComponentDefinition + 'static>(
    system: &KompactSystem,
    component: C,
) -> Arc<Component<C>> {
    let component = system.create(|| component);
    system.start(&component);
    component
}

/// Two started components that are to run on two cores: on two workers, if these share them so,
/// or on two pinned threads.
pub fn across<A, B>(
    job: &Job,
    system: &KompactSystem,
    caller: A,
    callee: B,
) -> (Arc<Component<A>>, Arc<Component<B>>)
where
    A: ComponentDefinition + 'static,
    B: ComponentDefinition + 'static,
{
    if job.mode.name != DEDICATED {
        return (pooled(system, caller), pooled(system, callee));
    }
    let cores = get_core_ids().expect("the system tells of its cores");
    let caller = system.create_dedicated_pinned(|| caller, cores[CALLER_CORE]);
    let callee = system.create_dedicated_pinned(|| callee, cores[CALLEE_CORE]);
    system.start(&caller);
    system.start(&callee);
    (caller, callee)
}

/// A reference that needs no upgrade for each message.
pub fn strong<C>(component: &Arc<Component<C>>) -> ActorRefStrong<C::Message>
where
    C: ComponentDefinition + 'static,
{
    let reference = component.actor_ref().hold();
    reference.expect("the component is held")
}

/// What a component reports at its end.
pub fn reported<T>(reports: &Receiver<T>) -> T {
    let report = reports.recv_timeout(PATIENCE);
    report.expect("a component panicked, or a message was lost")
}
