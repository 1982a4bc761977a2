use quark::prelude::*;

#[derive(Default)]
struct A;

#[actor(workers = 4, pinned = 1)]
impl A {}

#[derive(Default)]
struct B;

#[actor(placement = "random", near = "node:0")]
impl B {}

#[derive(Default)]
struct C;

#[actor(affinity = group_of, workers = 4)]
impl C {}

#[derive(Default)]
struct D;

#[actor(placement = "local", affinity = group_of)]
impl D {}

#[derive(Default)]
struct E;

#[actor(keep = true, idle_after_ms = 5000)]
impl E {}

#[derive(Default)]
struct F;

#[actor(burst = 50)]
impl F {}

fn main() {}
