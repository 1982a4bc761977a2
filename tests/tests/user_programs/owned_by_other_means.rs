//! What looks borrowed but is not: `'static`, and borrows within function types.
#![deny(warnings)]

use std::borrow::Cow;

use quark::prelude::*;

#[derive(Default)]
struct Shop;

#[actor]
impl Shop {
    pub fn label(&self, text: &'static str, more: Cow<'static, str>) -> Cow<'static, str> {
        more + text
    }

    pub fn apply(
        &self,
        short: fn(&str) -> &str,
        long: Box<dyn for<'a> Fn(&'a [u8]) -> &'a [u8] + Send>,
        once: impl_free::Once,
    ) -> usize {
        short("a").len() + long(b"bc").len() + once("def")
    }

    pub fn boxed(&self) -> Box<dyn Fn(&str) -> Option<&str> + Send + Sync> {
        Box::new(|text| text.get(1..))
    }
}

mod impl_free {
    pub type Once = Box<dyn FnOnce(&str) -> usize + Send>;
}

fn uses(shop: &ShopRef) {
    let _ = shop.label("b", "a".into());
    let _ = shop.apply(|text| text, Box::new(|bytes| bytes), Box::new(str::len));
    let _ = shop.boxed();
}

pub(super) fn main() {
    let _checked: fn(&ShopRef) = uses;
    let _ = Shop::default();
}
