//! What may be carried from core to core, and what the compiler says of what may not. The
//! engine itself asks for `Send`; the attribute's code asks for these, so that the remedy is said.

/// One argument of a message.
#[diagnostic::on_unimplemented(
    message = "an argument is carried to the actor's core, and `{Self}` is not `Send`",
    label = "must be `Send` and `'static`",
    note = "take a type that is `Send`, such as `Arc` in place of `Rc`"
)]
pub trait Argument: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Argument for T {}

/// What a message is answered with: each side of a `Result` by itself.
#[diagnostic::on_unimplemented(
    message = "a reply is carried to its caller's core, and `{Self}` is not `Send`",
    label = "must be `Send` and `'static`",
    note = "return a type that is `Send`, such as `Arc` in place of `Rc`, or \
            `Box<dyn Error + Send + Sync>` in place of `Box<dyn Error>`"
)]
pub trait Reply: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> Reply for T {}
