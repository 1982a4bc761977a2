use quark::prelude::*;

struct View<'a> {
    bytes: &'a [u8],
}

#[actor]
impl<'a> View<'a> {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

fn main() {}
