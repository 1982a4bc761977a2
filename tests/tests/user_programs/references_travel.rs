//! References are ordinary types: stored, returned, sent to other modules and threads.
#![deny(warnings)]

pub mod bank {
    #[derive(Default)]
    pub struct Account(pub i64);

    #[quark::actor]
    impl Account {
        pub fn balance(&self) -> i64 {
            self.0
        }
    }
}

use bank::{Account, AccountRef};
use quark::{
    __private::{Actor, ActorRef, RefCore},
    Call,
};

#[derive(Clone, Debug)]
struct Teller {
    account: AccountRef,
}

fn refers<A: Actor>(core: RefCore) -> A::Ref {
    A::Ref::from(core)
}

fn core_of<R: ActorRef>(reference: &R) -> &RefCore {
    reference.core()
}

fn uses(teller: &Teller, core: RefCore) {
    let same = teller.clone();
    let again: AccountRef = refers::<Account>(core);
    let _ = (core_of(&teller.account), core_of(&again));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let call: Call<'_, _> = same.account.balance();
            drop(call);
        });
    });
}

pub(super) fn main() {
    let _checked: fn(&Teller, RefCore) = uses;
}
