use std::ops::Add;

use quark_shards::shard::Shard;

use super::Remote;
use crate::engine::Engine;
use crate::errand::ask_all;
use crate::runtime::Runtime;

/// What has become of the connections that an engine has accepted so far: see
/// [`Engine::connections`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connections {
    /// All of them.
    pub accepted: u64,
    /// Closed at once, since [as many sessions](crate::Listen::sessions) were open as may be.
    pub turned_away: u64,
    /// Given up before their handshake's end, for newer ones:
    /// [as many](crate::Listen::handshakes) were under way as may be.
    pub crowded_out: u64,
    /// Given up since their handshake had not come to its end [in time](crate::Listen::handshake_within).
    pub slow: u64,
    /// Not let in: by their certificate, their cluster, or since what they said was no session's.
    pub refused: u64,
    /// Gone by themselves before their handshake's end.
    pub gone: u64,
    /// Let in, and cut off later for what their peer sent, or had this side [keep](crate::Listen::memory).
    pub cut_off: u64,
}

impl Add for Connections {
    type Output = Connections;

    fn add(self, other: Connections) -> Connections {
        Connections {
            accepted: self.accepted + other.accepted,
            turned_away: self.turned_away + other.turned_away,
            crowded_out: self.crowded_out + other.crowded_out,
            slow: self.slow + other.slow,
            refused: self.refused + other.refused,
            gone: self.gone + other.gone,
            cut_off: self.cut_off + other.cut_off,
        }
    }
}

impl Engine {
    /// What has become of the connections that were accepted so far. Asks every shard and blocks for
    /// the answers: not for use on a shard, nor often.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let each = ask_all(self, connections).into_iter().flatten();
        each.fold(Connections::default(), Add::add)
    }
}

fn connections(_: &Shard, runtime: &Runtime) -> Connections {
    let remote = runtime.remote();
    remote.map_or_else(Connections::default, |remote| remote.connections())
}

impl Remote {
    fn connections(&self) -> Connections {
        let Some(acceptor) = self.acceptor.get() else {
            return Connections::default();
        };
        let report = acceptor.report();
        Connections {
            accepted: report.accepted.get(),
            turned_away: report.turned_away.get(),
            crowded_out: report.crowded_out.get(),
            slow: report.slow.get(),
            refused: report.refused.get(),
            gone: report.gone.get(),
            cut_off: report.cut_off.get(),
        }
    }
}
