use quark::prelude::*;

#[derive(Default)]
struct A;

#[actor(placement = "everywhere")]
impl A {}

#[derive(Default)]
struct B;

#[actor(placement = Random)]
impl B {}

#[derive(Default)]
struct C;

#[actor(near = "socket:0")]
impl C {}

#[derive(Default)]
struct D;

#[actor(near = "node:+1")]
impl D {}

#[derive(Default)]
struct E;

#[actor(near = 0)]
impl E {}

#[derive(Default)]
struct F;

#[actor(workers = 0)]
impl F {}

#[derive(Default)]
struct G;

#[actor(affinity = "group_of")]
impl G {}

#[derive(Default)]
struct H;

#[actor(affinity = |key: &Key| key.clone())]
impl H {}

fn main() {}
