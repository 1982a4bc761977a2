//! Taking calls from other processes: bound before the shards run, listened on once they all are.

use std::net::SocketAddr;
use std::rc::Rc;

use quark_net::transport::listen;
use quark_shards::io::TcpListener;

use super::{ListenError, Remote};

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
        let handler = self.handler.clone();
        let shard = self.shard();
        shard.spawn(listen(
            shard.clone(),
            listener,
            settings.tls.clone(),
            self.terms(),
            self.settings().patience,
            settings.limits,
            self.report.clone(),
            move || handler.clone(),
        ));
    }
}
