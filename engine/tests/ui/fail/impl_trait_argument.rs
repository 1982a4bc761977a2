use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn import(&mut self, lines: impl Iterator<Item = i64>) {
        self.cents += lines.sum::<i64>();
    }

    pub fn nested(&mut self, lines: Vec<impl Into<i64>>) -> usize {
        lines.len()
    }
}

fn main() {}
