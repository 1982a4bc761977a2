//! What an engine knows of its actor types, and what it tells of its actors.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::actor::{Actor, TypeToken};
use crate::contract::{Addressed, Implementer, RefOf};
use crate::engine::Engine;
use crate::error::RegisterError;
use crate::key::{ActorId, Key};
use crate::neighbourhood::Neighbourhoods;
use crate::options::{ActorOptions, Placement};
use crate::reminders::{Delivery, Due, deliver};
use crate::remote::Served;
use crate::testing::{Double, Doubles};

/// Makes an instance of an actor type, on the shard where it will live.
pub(crate) type Factory<A> = dyn Fn(&FactoryCx) -> A + Send + Sync;

/// What a factory may know of the actor it makes.
#[derive(Debug)]
pub struct FactoryCx {
    pub(crate) key: Key,
    pub(crate) engine: Engine,
}

impl FactoryCx {
    /// The key of the actor that is being made.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A reference to another actor.
    #[must_use]
    pub fn actor<B: Addressed + ?Sized>(&self, key: impl Into<Key>) -> RefOf<B> {
        self.engine.actor::<B>(key)
    }
}

/// An actor in memory, as [`Engine::list`] tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorInfo {
    /// Who.
    pub id: ActorId,
    /// Where.
    pub shard: u16,
    /// Messages that wait for it.
    pub waiting: usize,
    /// Restarts within its type's window ([`Supervision::within`](crate::Supervision)); for a
    /// child, those that its parent had it go through.
    pub restarts: u16,
}

/// An engine's actor types, by the hash of their names.
#[derive(Default)]
pub(crate) struct Registry {
    types: RwLock<BTreeMap<u64, Registered>>,
    pub(crate) doubles: Doubles,
}

struct Registered {
    token: &'static TypeToken,
    options: ActorOptions,
    factory: Option<Arc<dyn Any + Send + Sync>>,
    /// How one of its actors is told of a reminder, if that means anything to them.
    deliver: Option<Deliver>,
    /// What other processes can call of it.
    serve: fn() -> Served,
    /// The contract that it implements, and how it takes the contract's messages.
    implements: Option<&'static TypeToken>,
    implementer: fn() -> Implementer,
}

type Deliver = fn(&Engine, Key, Due) -> Delivery;

/// What a shard needs of a registration.
pub(crate) struct Registration<A: Actor> {
    pub(crate) options: ActorOptions,
    pub(crate) factory: Option<Arc<Factory<A>>>,
    pub(crate) double: Option<Double<A>>,
    /// What has the actors, if `A` is a contract.
    pub(crate) implementer: Option<fn() -> Implementer>,
}

impl Registry {
    pub(crate) fn register<A: Actor>(
        &self,
        over: ActorOptions,
        factory: Option<Arc<Factory<A>>>,
    ) -> Result<(), RegisterError> {
        let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = types.get(&A::token().hash()) {
            return Err(if std::ptr::eq(known.token, A::token()) {
                RegisterError::Twice { name: A::NAME }
            } else if known.implements.is_some() && A::implements().is_some() {
                RegisterError::ImplementedTwice { name: A::NAME }
            } else {
                RegisterError::NameTaken { name: A::NAME }
            });
        }
        let factory = factory.map(|factory| Arc::new(factory) as Arc<dyn Any + Send + Sync>);
        let options = A::options().overridden(over);
        check::<A>(options)?;
        types.insert(
            A::token().hash(),
            Registered {
                token: A::token(),
                options,
                factory,
                deliver: A::HAS_REMINDER.then_some(deliver::<A> as Deliver),
                serve: Served::of::<A>,
                implements: A::implements(),
                implementer: Implementer::of::<A>,
            },
        );
        Ok(())
    }

    /// The registered types of which other processes can call anything, in a fixed order.
    pub(crate) fn served(&self) -> Arc<[Served]> {
        let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
        let served = types.values().map(|known| (known.serve)());
        served.filter(Served::can_be_told_of).collect()
    }

    /// How actors of the type registered as `name` are told of reminders; `None` if there is no
    /// such type, or it does not listen.
    pub(crate) fn deliver(&self, name: &str) -> Option<Deliver> {
        let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
        let known = types.get(&TypeToken::hash_of(name))?;
        known.deliver.filter(|_| known.token.name() == name)
    }

    /// The registration of `A`; types that nobody registered are on the spot.
    pub(crate) fn get<A: Actor>(
        &self,
        shards: u16,
        neighbourhoods: &Neighbourhoods,
        lives_elsewhere: bool,
    ) -> Result<Registration<A>, RegisterError> {
        let find = |types: &BTreeMap<u64, Registered>| {
            let known = types.get(&A::token().hash())?;
            if known
                .implements
                .is_some_and(|contract| std::ptr::eq(contract, A::token()))
            {
                return Some(Ok(Registration {
                    options: known.options.overridden(A::options()),
                    factory: None,
                    double: None,
                    implementer: Some(known.implementer),
                }));
            }
            if !std::ptr::eq(known.token, A::token()) {
                return Some(Err(RegisterError::NameTaken { name: A::NAME }));
            }
            let factory = known
                .factory
                .as_ref()
                .and_then(|factory| factory.downcast_ref());
            Some(Ok(Registration {
                options: known.options,
                factory: factory.cloned(),
                double: self.doubles.get(),
                implementer: None,
            }))
        };
        let found = find(&self.types.read().unwrap_or_else(PoisonError::into_inner));
        let found = match found {
            Some(found) => found?,
            None if A::IS_CONTRACT && !lives_elsewhere => {
                return Err(RegisterError::NotImplemented { name: A::NAME });
            }
            None => {
                check::<A>(A::options())?;
                // Another thread may be as fast; then its registration is as good.
                let _ = self.register::<A>(ActorOptions::new(), None);
                let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
                find(&types).unwrap_or(Err(RegisterError::NameTaken { name: A::NAME }))?
            }
        };
        match found.options.placement {
            // They live on another machine.
            _ if lives_elsewhere => Ok(found),
            Some(Placement::Pinned(shard)) if shard >= shards => Err(RegisterError::NoSuchShard {
                name: A::NAME,
                shard,
                shards,
            }),
            Some(Placement::Near(place)) if neighbourhoods.near(place).is_empty() => {
                Err(RegisterError::NoSuchPlace {
                    name: A::NAME,
                    place,
                    has: neighbourhoods.places(),
                })
            }
            _ => Ok(found),
        }
    }
}

/// What no type can be, whatever the machine.
fn check<A: Actor>(options: ActorOptions) -> Result<(), RegisterError> {
    match options.placement {
        Some(Placement::Workers { .. }) if A::HAS_STATES => {
            Err(RegisterError::WorkersKeepStates { name: A::NAME })
        }
        _ => Ok(()),
    }
}
