use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

struct Book;

#[actor]
impl Account {
    pub fn deposit(&mut self, cx: &Cx<Book>, cents: i64) {
        let _ = cx;
        self.cents += cents;
    }
}

fn main() {}
