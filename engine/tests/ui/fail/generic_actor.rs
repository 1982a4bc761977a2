use quark::prelude::*;

struct Stack<T> {
    items: Vec<T>,
}

#[actor]
impl<T: Send + 'static> Stack<T> {
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }
}

fn main() {}
