//! The callee of most workloads, which counts; and one-way messages.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use orlando_core::{Envelope, Grain, GrainContext, GrainHandler, GrainRef, HandleFn, Message};
use orlando_runtime::Silo;
use peers_common::tokio_modes::Home;

/// Counts.
pub struct Counter;

/// Add, and say how far it has come.
pub struct Add(pub u64);

/// Add.
pub struct Note(pub u64);

/// How far it has come since this was last asked.
pub struct Taken;

impl Grain for Counter {
    type State = u64;
}

impl Message for Add {
    type Result = u64;
}

impl Message for Note {
    type Result = ();
}

impl Message for Taken {
    type Result = u64;
}

#[async_trait]
impl GrainHandler<Add> for Counter {
    async fn handle(sum: &mut u64, add: Add, _: &GrainContext) -> u64 {
        *sum += black_box(add.0);
        *sum
    }
}

#[async_trait]
impl GrainHandler<Note> for Counter {
    async fn handle(sum: &mut u64, note: Note, _: &GrainContext) {
        *sum += black_box(note.0);
    }
}

#[async_trait]
impl GrainHandler<Taken> for Counter {
    async fn handle(sum: &mut u64, _: Taken, _: &GrainContext) -> u64 {
        std::mem::take(sum)
    }
}

/// Activates the grains `0..count` of a type on `home`.
pub async fn grains<G: Grain>(
    silo: &Arc<Silo>,
    home: &impl Home,
    count: usize,
) -> Vec<GrainRef<G>> {
    let silo = silo.clone();
    let activate = async move {
        let keys = 0..count;
        keys.map(|key| silo.get_ref(key.to_string())).collect()
    };
    home.run(activate).await
}

/// Puts `message` into a mailbox without an answer to come, in an envelope such as Orlando's own
/// notifications travel in: references can but ask.
pub fn one_way<G, M>(message: M) -> Envelope
where
    G: GrainHandler<M>,
    M: Message<Result = ()>,
{
    let handle: HandleFn = Box::new(|state, context| {
        let state = state.downcast_mut().expect("the grain has its own state");
        G::handle(state, message, context)
    });
    Envelope::with_label(handle, std::any::type_name::<M>())
}
