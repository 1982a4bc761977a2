//! Keywords with `r#` before them are names like others.
#![deny(warnings)]

use quark::prelude::*;

#[derive(Default)]
struct r#Struct;

#[actor]
impl r#Struct {
    pub fn r#type(&self, r#fn: u32) -> u32 {
        r#fn
    }

    pub async fn r#ref(&self, r#mut: &'static str) -> &'static str {
        r#mut
    }
}

fn uses(actor: &StructRef) {
    let _ = actor.r#type(3);
    let _ = actor.r#ref("x");
}

pub(super) fn main() {
    let _checked: fn(&StructRef) = uses;
    let _ = Struct::default();
    assert_eq!(<Struct as quark::__private::Actor>::NAME, "Struct");
}
