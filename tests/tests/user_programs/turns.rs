//! What `#[turn]` takes, and where its name may come from.
#![deny(warnings, clippy::all, clippy::pedantic)]

use std::sync::Arc;

mod market {
    use quark::actor;

    use super::{Depth, Gone};

    #[derive(Default)]
    pub struct Book {
        levels: usize,
    }

    #[actor]
    impl Book {
        #[turn(priority = "high")]
        pub fn cancel(&mut self, order: u64) -> bool {
            self.levels += 1;
            order > 5
        }

        #[turn(coalesce, priority = "low",)]
        pub async fn depth(&self, levels: usize, of: Option<String>) -> super::Answer {
            let _ = of;
            Ok(Depth(levels.min(self.levels)))
        }

        #[quark::turn(coalesce)]
        pub async fn shared(&self, cx: &quark::Cx<Self>) -> super::Arc<Gone> {
            let _ = cx.shard();
            super::Arc::new(Gone)
        }

        #[cfg(any())]
        #[turn(coalesce)]
        pub async fn absent(&self, missing: Missing) {}
    }
}

#[derive(Clone, Debug)]
pub struct Depth(pub usize);

/// Neither compared nor copied: a coalesced reply may hold it in an `Arc`.
pub struct Gone;

type Answer = Result<Depth, std::fmt::Error>;

fn uses(book: &market::BookRef) {
    drop(book.cancel(5));
    drop(book.depth(5, None));
    drop(book.shared());
}

pub(super) fn main() {
    let _: fn(&market::BookRef) = uses;
    let _: Arc<Gone> = Arc::new(Gone);
}
