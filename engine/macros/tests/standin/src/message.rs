use std::fmt::{self, Display};

use crate::call::{Cx, RefCore};
use crate::options::ActorOptions;

pub trait Actor: Sized + 'static {
    type Ref: ActorRef<Actor = Self>;
    const NAME: &'static str;
    const HAS_ACTIVATE: bool;
    const HAS_DEACTIVATE: bool;
    fn token() -> &'static TypeToken;
    fn options() -> ActorOptions {
        ActorOptions::new()
    }
    fn fallback() -> Option<Self>;
    fn activate<'a>(
        &'a mut self,
        cx: &'a Cx<Self>,
    ) -> impl Future<Output = Result<(), ActivateError>> + 'a;
    fn deactivate<'a>(&'a mut self, cx: &'a Cx<Self>) -> impl Future<Output = ()> + 'a;
}

pub trait ActorRef: From<RefCore> + Clone {
    type Actor: Actor;
    fn core(&self) -> &RefCore;
}

pub struct TypeToken(&'static str);

impl TypeToken {
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    pub fn name(&self) -> &'static str {
        self.0
    }
}

pub trait Method: Sized + 'static {
    type Actor: Actor;
    type Receiver: Receiver;
    type Output;
    type Ok: Send + 'static;
    type Err: Send + 'static;
    const NAME: &'static str;
    const SYNC: bool;
    fn call<'a>(
        self,
        actor: <Self::Receiver as Receiver>::Of<'a, Self::Actor>,
        cx: &'a Cx<Self::Actor>,
    ) -> impl Future<Output = Self::Output> + 'a;
    fn reply(output: Self::Output) -> Result<Self::Ok, Self::Err>;
}

pub enum Exclusive {}

pub enum Shared {}

pub trait Receiver {
    type Of<'a, A: 'a>;
    fn lend<A>(actor: &mut A) -> Self::Of<'_, A>;
}

impl Receiver for Exclusive {
    type Of<'a, A: 'a> = &'a mut A;
    fn lend<A>(actor: &mut A) -> &mut A {
        actor
    }
}

impl Receiver for Shared {
    type Of<'a, A: 'a> = &'a A;
    fn lend<A>(actor: &mut A) -> &A {
        actor
    }
}

#[diagnostic::on_unimplemented(
    message = "a message's return type that is called `Result` must be a `core::result::Result`",
    label = "this is another type called `Result`",
    note = "rename the type, or return a `core::result::Result`"
)]
pub trait ResultParts {
    type Ok;
    type Err;
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
    fn into_result(self) -> Self {
        self
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct ActivateError(String);

impl ActivateError {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl Display for ActivateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[diagnostic::on_unimplemented(
    message = "`on_activate` cannot return `{Self}`",
    label = "return nothing, or a `Result<(), E>`",
    note = "the error `E` is any type that is `Display`"
)]
pub trait IntoActivation {
    fn into_activation(self) -> Result<(), ActivateError>;
}

impl IntoActivation for () {
    fn into_activation(self) -> Result<(), ActivateError> {
        Ok(())
    }
}

impl<E: Display> IntoActivation for Result<(), E> {
    fn into_activation(self) -> Result<(), ActivateError> {
        self.map_err(|error| ActivateError::new(error.to_string()))
    }
}
