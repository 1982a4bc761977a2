//! Naming a kind of message.

use crate::actor::{Actor, Method};
use crate::call::Call;

/// A method of `A`'s reference, written `AccountRef::deposit`: what tests name a message by. The
/// message's arguments and reply follow from it.
#[diagnostic::on_unimplemented(
    message = "this names no message of `{A}`",
    label = "not a method of its reference",
    note = "write the reference's own method, as in `AccountRef::deposit`"
)]
pub trait MethodOf<A, M, Args> {}

macro_rules! arities {
    ($($argument:ident)*) => {
        impl<A, M, F $(, $argument)*> MethodOf<A, M, ($($argument,)*)> for F
        where
            A: Actor,
            M: Method<Actor = A>,
            F: for<'r> Fn(&'r A::Ref $(, $argument)*) -> Call<'r, M>,
        {
        }
    };
}

arities!();
arities!(A1);
arities!(A1 A2);
arities!(A1 A2 A3);
arities!(A1 A2 A3 A4);
arities!(A1 A2 A3 A4 A5);
arities!(A1 A2 A3 A4 A5 A6);
arities!(A1 A2 A3 A4 A5 A6 A7);
arities!(A1 A2 A3 A4 A5 A6 A7 A8);
arities!(A1 A2 A3 A4 A5 A6 A7 A8 A9);
arities!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
arities!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
arities!(A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12);
