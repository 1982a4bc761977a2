//! How the two sides of a link speak of an actor type, which may be of different versions.

use std::rc::Rc;

use quark_net::codec::Codec;
use quark_net::schema::{ActorSchema, Mismatch};
use quark_net::session::Way;

use crate::error::NotRemote;

/// How an actor type is spoken to at a peer.
#[derive(Clone)]
pub(super) enum Speech {
    /// Both have the same idea of it.
    Same(Way),
    /// Their ideas differ, and this is what comes of it.
    Mixed(Rc<Mixed>),
    /// Their ideas differ; the peer has been asked for its own.
    Asked(Way),
    /// The peer doesn't have it.
    Missing,
}

/// A type of which two sides have different ideas.
pub(super) struct Mixed {
    way: Way,
    /// By this side's number for each method: the peer's, or why it can't be called.
    methods: Vec<Result<u16, Box<Mismatch>>>,
}

impl Speech {
    /// What comes of the peer's idea of a type; `ours` is this side's.
    pub(super) fn learn(way: Way, ours: &ActorSchema, theirs: &ActorSchema) -> Self {
        let agreement = ours.compare(theirs);
        let number = |name: &str| {
            let mut theirs = theirs.methods().iter();
            theirs
                .position(|method| method.name == name)
                .and_then(|place| u16::try_from(place).ok())
        };
        let methods = ours.methods().iter().map(|method| {
            let agreed = agreement.methods.iter().find(|one| one.name == method.name);
            let missing = || {
                Box::new(Mismatch::NoMethod {
                    actor: ours.name().to_owned(),
                    method: method.name.clone(),
                })
            };
            match agreed.map(|one| &one.we_call) {
                Some(Ok(())) => number(&method.name).ok_or_else(missing),
                Some(Err(mismatch)) => Err(Box::new(mismatch.clone())),
                None => Err(missing()),
            }
        });
        Speech::Mixed(Rc::new(Mixed {
            way,
            methods: methods.collect(),
        }))
    }

    /// How this side's method `number` is called there.
    ///
    /// # Errors
    /// Why it can't be. [`None`] while nobody knows yet.
    pub(super) fn method(
        &self,
        number: u16,
        actor: &'static str,
    ) -> Option<Result<(Way, u16, Codec), NotRemote>> {
        Some(match self {
            Speech::Same(way) => Ok((*way, number, Codec::Exact)),
            Speech::Mixed(mixed) => match mixed.methods.get(usize::from(number)) {
                Some(Ok(number)) => Ok((mixed.way, *number, Codec::Tolerant)),
                Some(Err(mismatch)) => Err(NotRemote::Versions(mismatch.to_string())),
                None => Err(NotRemote::NoSuchMethod),
            },
            Speech::Asked(_) => return None,
            Speech::Missing => Err(NotRemote::NoSuchActor { actor }),
        })
    }
}
