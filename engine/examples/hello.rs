//! The README's first program.

use quark::prelude::*;

#[derive(Default)]
pub struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    pub async fn slow(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    pub async fn transfer(
        &mut self,
        cx: &Cx<Self>,
        to: String,
        cents: i64,
    ) -> Result<i64, CallError> {
        self.cents -= cents;
        cx.actor::<Account>(to).deposit(cents).await
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::launch(Topology::detect()?)?;
    println!("{}", engine.report());
    let alice = engine.actor::<Account>("alice");
    let total = alice.deposit(5).wait()?;
    println!("alice has {total}");
    println!("{}", alice.slow(6).wait()?);
    println!(
        "bob {:?} {:?}",
        alice.transfer("bob".into(), 2).wait(),
        alice.transfer("carol".into(), 2).wait()
    );
    Ok(())
}
