use quark::prelude::*;

#[derive(Default)]
struct Book;

pub struct Filter(pub u64);

#[derive(PartialEq)]
pub struct Depth(pub usize);

pub struct Page(pub Vec<u64>);

pub struct Missing(pub u64);

#[actor]
impl Book {
    #[turn(coalesce)]
    pub async fn find(&self, filter: Filter) -> u64 {
        filter.0
    }

    #[turn(coalesce)]
    pub async fn top(&self, levels: Vec<Depth>) -> usize {
        levels.len()
    }

    #[turn(coalesce)]
    pub async fn page(&self, number: usize) -> Page {
        Page(vec![0; number])
    }

    #[turn(coalesce)]
    pub async fn order(&self, number: u64) -> Result<Page, Missing> {
        Err(Missing(number))
    }
}

fn main() {}
