use quark::prelude::*;

#[actor(mailbox = 8, name = "bank.account")]
trait Account: Send {
    const LIMIT: i64;

    fn deposit(&mut self, cents: i64) -> i64;

    fn open(owner: String);

    fn balance(&self) -> i64 {
        0
    }

    fn withdraw(&mut self, cx: &Cx<Self>, cents: i64) -> i64;

    #[turn(priority = "high")]
    fn freeze(&mut self);

    fn on_activate(&mut self);

    fn owner(&self) -> &str;
}

#[actor]
trait Log<T> {
    fn write(&mut self, what: T);
}

fn main() {}
