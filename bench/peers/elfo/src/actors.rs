//! The callee of most workloads: it counts.

use std::hint::black_box;

use elfo::prelude::*;
use elfo::routers::{MapRouter, Outcome};
use elfo::{Addr, Local};

/// What a mailbox holds: as many as one of Quark's. By default it is a tenth.
pub const MAILBOX: usize = 1_024;

/// Where the actor of that key is.
#[message(ret = Local<Addr>)]
pub struct Locate {
    pub key: u64,
}

/// Add, and say how far it has come.
#[message(ret = u64)]
pub struct Add {
    pub more: u64,
}

/// Add.
#[message]
pub struct Note {
    pub more: u64,
}

/// How far it has come since this was last asked.
#[message(ret = u64)]
pub struct Taken;

/// [`Add`], to the actor of that key.
#[message(ret = u64)]
pub struct Meet {
    pub key: u64,
    pub more: u64,
}

/// End, actor of that key.
#[message]
pub struct Leave {
    pub key: u64,
}

/// A group of callees, made by key.
pub fn counters() -> Blueprint {
    ActorGroup::new()
        .router(MapRouter::new(|envelope| {
            msg!(match envelope {
                Locate { key } | Meet { key, .. } => Outcome::Unicast(*key),
                Leave { key } => Outcome::GentleUnicast(*key),
                _ => Outcome::Default,
            })
        }))
        .exec(count)
}

async fn count(mut ctx: Context<(), u64>) {
    ctx.set_mailbox_capacity(MAILBOX);
    let mut sum = 0_u64;
    while let Some(envelope) = ctx.recv().await {
        msg!(match envelope {
            (Add { more }, token) => {
                sum += black_box(more);
                ctx.respond(token, sum);
            }
            Note { more } => sum += black_box(more),
            (Taken, token) => ctx.respond(token, std::mem::take(&mut sum)),
            (Meet { more, .. }, token) => {
                sum += black_box(more);
                ctx.respond(token, sum);
            }
            Leave => return,
            (Locate, token) => ctx.respond(token, ctx.addr().into()),
        });
    }
}
