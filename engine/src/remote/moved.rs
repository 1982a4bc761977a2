//! Calls that have come to a node that does not serve their actors: they are sent back as they came,
//! so that whoever has sent them needs to keep nothing of them for that case. None of them has run.

use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use quark_net::session::{Request, SendError};
use quark_net::transport::Link;
use quark_shards::calls::Deadline;
use quark_shards::shard::Shard;
use quark_shards::slots;

use super::along;
use super::handler::RemoteHandler;
use super::incoming::codec;
use super::status;
use crate::actor::{Actor, Method};
use crate::error::CallError;
use crate::key::Key;
use crate::limits::Permit;
use crate::message::{Incoming, ReplyOf, ReplyTo, Toll};
use crate::reference::Hint;
use crate::runtime::with_runtime;

/// What tells the two kinds of keys.
const INT: u8 = 0;
const STR: u8 = 1;

/// Sends a call back: this node has the table's `version`, by which it is not its own to serve.
pub(super) fn send_back(link: &Rc<Link<RemoteHandler>>, request: &Request<'_>, version: u64) {
    let again = Again {
        version,
        left: request.left,
        context: request.context,
        key: request.key,
        args: request.args,
    };
    let sent = link.reply::<SendError>(request.number, status::MOVED, request.is_exact, |out| {
        again.write(out);
        Ok(())
    });
    if sent.is_err() {
        // It was longer than the peer reads.
        let why = "its actor has moved to another node, and it is too long to be sent back";
        let error: CallError<()> = CallError::Unreachable(Box::new(why.to_owned()));
        super::incoming::send_error(link, request.number, &error);
    }
}

/// A call was sent back: it is sent again when this side knows more.
pub(super) fn send_again<M: Method>(shard: &Shard, to: ReplyTo, is_exact: bool, body: &[u8]) {
    let again = Again::read(body).and_then(|again| {
        let decode = const { M::WIRE }?.decode;
        let context = match again.context {
            [] => None,
            context => Some(along::read(context)?),
        };
        Some((decode(again.args, codec(is_exact)).ok()?, context, again))
    });
    let Some((args, context, again)) = again else {
        let why = "its actor has moved to another node, and what was sent back can't be read";
        let error = CallError::Unreachable(Box::new(why.to_owned()));
        return to.send_apart::<ReplyOf<M>>(shard, Hint::NONE, Err(error));
    };
    let incoming = Incoming {
        args,
        reply: to,
        deadline: match again.left {
            None => Deadline::NEVER,
            Some(left) => Deadline::at(shard.now() + left, shard.now()),
        },
        // A chain may lead by here, and is looked at where that is so.
        depth: 1,
        context,
        toll: Toll::default(),
        permit: Permit::Unasked,
        is_relayed: false,
    };
    with_runtime(|shard, runtime| {
        let Some(remote) = runtime.remote() else {
            return;
        };
        let key = match again.key {
            slots::Key::Int(key) => Key::Int(key),
            slots::Key::Str(key) => Key::Str(key.into()),
        };
        let hash = runtime.engine().hash_of(M::Actor::token(), &key);
        remote.come_back(shard, runtime, key, hash, incoming, again.version);
    });
}

/// What is sent back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Again<'a> {
    version: u64,
    left: Option<Duration>,
    /// As a frame carries it.
    context: &'a [u8],
    key: slots::Key<'a>,
    args: &'a [u8],
}

impl<'a> Again<'a> {
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let left = self.left.map_or(u64::MAX, |left| {
            u64::try_from(left.as_nanos()).map_or(u64::MAX - 1, |left| left.min(u64::MAX - 1))
        });
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&left.to_le_bytes());
        let long = u32::try_from(self.context.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&long.to_le_bytes());
        out.extend_from_slice(self.context);
        match self.key {
            slots::Key::Int(key) => {
                out.extend_from_slice(&[INT]);
                out.extend_from_slice(&key.to_le_bytes());
            }
            slots::Key::Str(key) => {
                let long = u32::try_from(key.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&[STR]);
                out.extend_from_slice(&long.to_le_bytes());
                out.extend_from_slice(key.as_bytes());
            }
        }
        out.extend_from_slice(self.args);
    }

    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let (version, body) = body.split_first_chunk()?;
        let (left, body) = body.split_first_chunk()?;
        let (long, body) = body.split_first_chunk()?;
        let long = usize::try_from(u32::from_le_bytes(*long)).ok()?;
        let (context, body) = body.split_at_checked(long)?;
        let (kind, body) = body.split_first()?;
        let (key, args) = match *kind {
            INT => {
                let (key, args) = body.split_first_chunk()?;
                (slots::Key::Int(u64::from_le_bytes(*key)), args)
            }
            STR => {
                let (long, body) = body.split_first_chunk()?;
                let long = usize::try_from(u32::from_le_bytes(*long)).ok()?;
                let (key, args) = body.split_at_checked(long)?;
                (slots::Key::Str(std::str::from_utf8(key).ok()?), args)
            }
            _ => return None,
        };
        let left = u64::from_le_bytes(*left);
        Some(Again {
            version: u64::from_le_bytes(*version),
            left: (left != u64::MAX).then(|| Duration::from_nanos(left)),
            context,
            key,
            args,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_sent_back_comes_back_whole() {
        for (key, context, left) in [
            (slots::Key::Int(3), &b"context"[..], Some(40)),
            (slots::Key::Str("bob"), &[], None),
        ] {
            let sent = Again {
                version: 9,
                left: left.map(Duration::from_millis),
                context,
                key,
                args: b"args",
            };
            let mut out = BytesMut::new();
            sent.write(&mut out);
            assert_eq!(Again::read(&out).as_ref(), Some(&sent));
            for cut in 0..out.len() - sent.args.len() {
                assert_eq!(Again::read(&out[..cut]), None, "cut at {cut}");
            }
        }
    }
}
