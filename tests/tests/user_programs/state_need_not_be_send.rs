//! State, and futures that hold it across an await, stay on one core.
#![deny(warnings)]

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use quark::prelude::*;

#[derive(Default)]
struct Cache {
    hits: Cell<u32>,
    pages: Rc<RefCell<Vec<u8>>>,
}

#[actor]
impl Cache {
    pub async fn fill(&self, page: Vec<u8>) -> usize {
        let pages = Rc::clone(&self.pages);
        std::future::ready(()).await;
        pages.borrow_mut().extend(page);
        self.hits.set(self.hits.get() + 1);
        std::future::ready(()).await;
        pages.borrow().len()
    }
}

fn uses(cache: &CacheRef) {
    let _ = cache.fill(vec![1, 2]);
}

pub(super) fn main() {
    let _checked: fn(&CacheRef) = uses;
    drop(Cache::default());
}
