//! A client that comes before its node knows who belongs to the cluster.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use quark::membership::MemoryTable;
use quark::testing::{SimCluster, SimOptions, for_seeds};
use quark::{ActorOptions, CallError, Client, Cluster, Engine, Listen};

use super::types::{new, old};

const NODE: u16 = 1;
const CLIENT: u16 = 100;

/// It asks what the other version's actors look like, and hears of the members before the answer.
#[test]
fn who_asks_before_the_members_are_known_is_not_cut_off_later() {
    for_seeds(0..60, |seed| {
        let mut world = SimCluster::new(seed, SimOptions::default());
        let builder = Engine::builder()
            .configure::<old::Desk>(ActorOptions::new())
            .listen(Listen::at(SimCluster::addr(NODE)).insecure())
            .cluster(Cluster::new("a", MemoryTable::default()));
        world.launch(NODE, builder).expect("it launches");
        world.run_for(Duration::from_micros(world.random() % 3_000));
        let client = Client::builder();
        world
            .connect(CLIENT, client, SimCluster::addr(NODE))
            .expect("it launches");
        let engine = world.engine(CLIENT).expect("it runs").clone();
        let answered = Rc::new(Cell::new(0));
        for key in 0..4_u64 {
            let (engine, answered) = (engine.clone(), answered.clone());
            world.spawn_on(CLIENT, 0, async move {
                // Longer than an answer about a schema may take.
                for _ in 0..50 {
                    let desk = engine.actor::<new::Desk>(key);
                    let mut held = desk.hold(100).await;
                    // It has not met the node yet.
                    while answered.get() == 0 && matches!(held, Err(CallError::Unreachable(_))) {
                        quark::sleep(Duration::from_micros(20)).await;
                        held = desk.hold(100).await;
                    }
                    assert_eq!(held, Ok(()));
                    answered.set(answered.get() + 1);
                }
            });
        }
        world.run_for(Duration::from_secs(10));
        assert_eq!(answered.get(), 200);
    });
}
