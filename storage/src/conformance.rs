//! What every provider must do, as a program that panics where one does not.
//!
//! For whoever writes a provider of their own: run it against a store that nobody else uses, in
//! the way that the provider will be used.

mod journals;
mod reminders;
mod states;

use std::rc::Rc;

use crate::provider::{Provider, RecordKey};

/// A provider under test.
pub trait Subject {
    /// The provider. Called several times: what one has written, the next must find. Asked again
    /// later, a durable one may come back from a restart.
    fn provider(&self) -> Rc<dyn Provider>;

    /// Told apart from other runs on the same store, so that it need not be emptied.
    fn run(&self) -> &str {
        ""
    }
}

/// Runs every check.
///
/// # Panics
/// Where the provider does something else than [`Provider`] says, with what it did.
pub async fn provider_conformance(subject: &dyn Subject) {
    states::check(subject).await;
    journals::check(subject).await;
    reminders::check(subject).await;
}

/// A key of this run.
fn key(subject: &dyn Subject, actor: &str, name: &str, slot: u16) -> RecordKey {
    RecordKey::new(
        "Conformance",
        &format!("{}{actor}", subject.run()),
        name,
        slot,
    )
}
