use quark::prelude::*;

struct Stack<T> {
    items: Vec<T>,
}

#[actor]
impl Stack<u8> {
    pub fn push(&mut self, item: u8) {
        self.items.push(item);
    }
}

fn main() {}
