use quark::prelude::*;

struct Ring<const N: usize>([u8; N]);

#[actor]
impl<const N: usize> Ring<N> {
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

struct Plain;

#[actor]
impl Plain
where
    Plain: Sized,
{
    pub fn size(&self) -> usize {
        0
    }
}

fn main() {}
