//! Ports: a plain thread's own rings to every shard.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use quark_shards::port::{Port as Rings, PortError};

use crate::engine::{Engine, EngineId};

thread_local! {
    static PORTS: RefCell<Vec<Rc<Joined>>> = const { RefCell::new(Vec::new()) };
}

/// An engine that a thread has joined, and the rings it did so by.
struct Joined {
    engine: Engine,
    rings: Rings,
}

/// A thread's membership in an engine's mesh; see [`Engine::port`].
///
/// While it lives, [`Call::wait`](crate::Call::wait) and [`Call::tell`](crate::Call::tell) on
/// this thread go through rings of its own. It stays on its thread.
#[must_use = "the thread leaves the mesh when its port is dropped"]
#[derive(Debug)]
pub struct Port {
    engine: EngineId,
    _stays: PhantomData<*const ()>,
}

impl Engine {
    /// Joins this thread to the mesh, so that its calls cost about what calls between shards do.
    ///
    /// # Errors
    /// [`PortError`], when the engine stops or has had too many ports, or is simulated.
    pub fn port(&self) -> Result<Port, PortError> {
        if self.settings().simulated {
            return Err(PortError::Refused { shard: 0 });
        }
        if !self.takes_calls() {
            return Err(PortError::Refused { shard: 0 });
        }
        let rings = Rings::join(
            self.mesh(),
            self.port_numbers(),
            self.settings().port_spin(),
        )?;
        self.clear_if_ended();
        PORTS.with_borrow_mut(|ports| {
            ports.retain(|port| port.engine.id() != self.id());
            ports.push(Rc::new(Joined {
                engine: self.unowned(),
                rings,
            }));
        });
        Ok(Port {
            engine: self.id(),
            _stays: PhantomData,
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // The thread's locals may be gone already; then so is the port.
        let _ = PORTS.try_with(|ports| {
            ports
                .borrow_mut()
                .retain(|port| port.engine.id() != self.engine);
        });
    }
}

/// Runs `f` with this thread's port to `engine`, if it has one.
#[inline]
pub(crate) fn with_port<R>(engine: EngineId, f: impl FnOnce(&Engine, &Rings) -> R) -> Option<R> {
    // A port may be dropped while `f` waits, so it is held, and nothing is borrowed meanwhile.
    let port = PORTS.with_borrow(|ports| {
        let known = ports.iter().find(|port| port.engine.id() == engine)?;
        Some(known.clone())
    })?;
    Some(f(&port.engine, &port.rings))
}
