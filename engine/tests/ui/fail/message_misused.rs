use quark::prelude::*;

#[message]
pub struct Generic<T> {
    value: T,
}

#[message]
pub fn function() {}

#[message(default)]
pub struct Options {
    value: u32,
}

#[message]
pub struct Fields {
    #[message(optional)]
    value: u32,
    #[serde(rename = "other")]
    renamed: u32,
}

#[message]
pub struct Unnamed(#[message(default)] u32);

#[message]
#[derive(Debug, serde::Serialize)]
pub struct Twice {
    value: u32,
}

#[message]
pub enum Nothing {}

#[message]
pub enum Variants {
    #[message(default)]
    One,
}

fn main() {}
