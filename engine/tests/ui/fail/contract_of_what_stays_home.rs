use quark::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(u64);

#[actor]
pub trait Account {
    fn deposit(&mut self, cents: i64) -> Receipt;

    fn take(&mut self, receipt: Receipt) -> Result<(), Receipt>;

    fn note(&mut self, text: Option<Option<String>>);
}

fn main() {}
