//! Taking calls from other processes: bound before the shards run, listened on once they all are.

use std::net::SocketAddr;
use std::rc::Rc;

use quark_net::session::Patience;
use quark_net::transport::Acceptor;
use quark_shards::io::TcpListener;

use super::{ListenError, Remote};
use crate::error::Refusal;
use crate::runtime::with_runtime;

impl Remote {
    /// Binds this shard's port, if it is to listen.
    pub(crate) fn bind(&self) -> Result<Option<SocketAddr>, ListenError> {
        let Some(settings) = &self.settings().listen else {
            return Ok(None);
        };
        settings.check(self.engine.shards(), self.handler.served().len())?;
        let shard = self.shard();
        let addr = settings.addr_of(shard.id());
        let listener = TcpListener::bind(&*shard, addr, settings.limits.backlog)?;
        let addr = listener.local_addr(&*shard)?;
        *self.listener.borrow_mut() = Some(listener);
        Ok(Some(addr))
    }

    /// Begins to take sessions: every shard's port is known.
    pub(crate) fn serve(self: &Rc<Self>) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let Some(settings) = &self.settings().listen else {
            return;
        };
        let patience = Patience {
            handshake: settings.handshake_within,
            ..self.settings().patience
        };
        let acceptor = Rc::new(Acceptor::new(
            self.terms(),
            patience,
            settings.limits,
            settings.tls.clone(),
            self.handler.clone(),
        ));
        let shard = self.shard();
        let (accepts, on) = (acceptor.clone(), shard.clone());
        shard.spawn(async move { accepts.run(on, listener).await });
        let _ = self.acceptor.set(acceptor);
        self.join();
    }

    /// Takes no more calls from other processes; those under way are answered.
    pub(crate) fn leave(&self) {
        if let Some(acceptor) = self.acceptor.get() {
            acceptor.leave();
        }
    }

    /// Whether all calls from other processes were answered, and no more come; and all that was to
    /// leave has left.
    pub(crate) fn is_quiet(&self) -> bool {
        let acceptor = self.acceptor.get();
        acceptor.is_none_or(|acceptor| acceptor.is_quiet())
            && self.limbo.is_empty()
            && self.lines.borrow().iter().all(|line| line.is_quiet())
    }

    /// Answers all who wait for a line: the shard ends.
    pub(crate) fn refuse_waiting(&self) {
        for line in self.all_lines() {
            line.refuse_waiting(&Refusal::Stopped);
        }
        with_runtime(|shard, runtime| self.refuse_held(shard, runtime));
    }
}
