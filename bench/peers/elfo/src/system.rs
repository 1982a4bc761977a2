//! A system of its own for each run: who runs on which core, and the driver that starts the work.

use elfo::batteries::configurer::fixture;
use elfo::config::AnyConfig;
use elfo::topology::Topology;
use elfo::{Addr, Context};
use peers_common::Job;
use peers_common::tokio_modes::{Cores, Home, Stage};

use crate::actors::{Locate, counters};
use crate::caller::callers;
use crate::relay::runners;

/// Talks to the groups from outside of them.
pub struct Driver {
    /// The system's own actor, which may ask others.
    pub ctx: Context,
    /// Callers, on the first core.
    pub callers: Addr,
    /// Callees on the first core.
    pub near: Addr,
    /// Callees on the second core, where there are two.
    pub far: Addr,
    /// Runners on the first core.
    pub near_runners: Addr,
    /// Runners on the second core, where there are two.
    pub far_runners: Addr,
}

impl Driver {
    /// The address of the actor `key` of `group`, which is made if there is none.
    pub async fn locate(&self, group: Addr, key: u64) -> Addr {
        let located = self.ctx.request_to(group, Locate { key }).resolve().await;
        located.expect("the group makes it").into_inner()
    }
}

/// Has `work` drive a system on `cores`.
pub fn run<F, W>(job: &Job, cores: Cores, work: W) -> F::Output
where
    W: FnOnce(Driver) -> F + Send + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let stage = Stage::tokio(job.mode, cores);
    let topology = Topology::empty();
    topology.add_dedicated_rt(|meta| meta.group.starts_with("far"), stage.callee.clone());
    let driver = async move {
        let mount = |name, blueprint| {
            let group = topology.local(name);
            let addr = group.addr();
            group.mount(blueprint);
            addr
        };
        let callers = mount("callers", callers());
        let near = mount("near", counters());
        let far = mount("far", counters());
        let near_runners = mount("near_runners", runners());
        let far_runners = mount("far_runners", runners());
        let configurers = topology.local("system.configurers").entrypoint();
        configurers.mount(fixture(&topology, AnyConfig::default()));
        let start = |ctx, _| {
            work(Driver {
                ctx,
                callers,
                near,
                far,
                near_runners,
                far_runners,
            })
        };
        let worked = elfo::_priv::do_start(topology, false, start).await;
        worked.expect("the topology is sound")
    };
    stage.caller.drive(driver)
}
