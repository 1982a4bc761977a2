//! One shard's window into the simulated world.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::driver::{Bell, Completion, Driver, DriverReport, Handle, Op, Token};
use crate::time::Time;

/// The driver of one simulated shard, from [`SimWorld::driver`](super::SimWorld::driver).
///
/// [`park`](Driver::park) never blocks: it says that the shard is parked and until when, and
/// the shard must then give way to the world's owner. After a crash of its node, or once the
/// shard has a newer driver, it is dead: it takes everything and completes nothing.
pub struct SimDriver {
    world: Rc<RefCell<World>>,
    shard: u16,
    life: u64,
}

impl SimDriver {
    pub(super) fn new(world: Rc<RefCell<World>>, node: u16, shard: u16) -> Self {
        let life = world.borrow_mut().start(node, shard);
        SimDriver { world, shard, life }
    }

    /// The world, unless this driver is dead in it.
    fn alive<R>(&self, then: impl FnOnce(&mut World, u16) -> R) -> Option<R> {
        let mut world = self.world.borrow_mut();
        let alive = world.is_alive(self.shard, self.life);
        alive.then(|| then(&mut world, self.shard))
    }
}

impl Driver for SimDriver {
    fn now(&mut self) -> Time {
        self.world.borrow().shown_time(self.shard)
    }

    fn wall_time(&mut self) -> Duration {
        self.alive(World::wall_time).unwrap_or_default()
    }

    fn random(&mut self) -> u64 {
        self.alive(World::shard_random).unwrap_or(0)
    }

    fn unique(&mut self) -> u64 {
        self.alive(|world, _| world.random.next()).unwrap_or(0)
    }

    fn submit(&mut self, token: Token, op: Op) {
        self.alive(|world, shard| world.submit(shard, token, op));
    }

    fn cancel(&mut self, token: Token) {
        self.alive(|world, shard| world.cancel(shard, token));
    }

    fn in_flight(&self) -> usize {
        self.alive(|world, shard| world.in_flight(shard))
            .unwrap_or(0)
    }

    fn poll(&mut self, done: &mut Vec<Completion>) {
        self.alive(|world, shard| world.take_ready(shard, done));
    }

    fn park(&mut self, until: Option<Time>) {
        self.alive(|world, shard| world.park(shard, until));
    }

    fn bell(&self) -> Arc<dyn Bell> {
        match self.alive(|world, shard| world.bell(shard)) {
            Some(bell) => bell,
            None => Arc::<super::world::SimBell>::default(),
        }
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn mesh_is_held(&mut self, peer: u16) -> bool {
        self.alive(|world, shard| world.mesh_is_held(shard, peer))
            .unwrap_or(false)
    }

    fn mesh_budget(&mut self, peer: u16) -> usize {
        self.alive(|world, shard| world.mesh_budget(shard, peer))
            .unwrap_or(0)
    }

    fn listen(&mut self, addr: SocketAddr, backlog: u32) -> io::Result<Handle> {
        self.alive(|world, shard| world.listen(shard, addr, backlog))
            .unwrap_or_else(dead)
    }

    fn local_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        self.alive(|world, shard| world.addresses(shard, handle).map(|(local, _)| local))
            .unwrap_or_else(dead)
    }

    fn peer_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        let (_, remote) = self
            .alive(|world, shard| world.addresses(shard, handle))
            .unwrap_or_else(dead)?;
        remote.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))
    }

    fn report(&self) -> DriverReport {
        DriverReport {
            name: "sim",
            on: vec!["virtual clock", "virtual disk", "virtual network"],
            missing: Vec::new(),
        }
    }
}

impl Drop for SimDriver {
    fn drop(&mut self) {
        self.alive(World::end);
    }
}

fn dead<T>() -> io::Result<T> {
    Err(io::Error::other("this shard's simulated node has crashed"))
}
