use quark::prelude::*;

#[derive(Default)]
struct A;

#[actor(adaptive_ms = 0)]
impl A {}

#[derive(Default)]
struct B;

#[actor(rate_limit = "1000/s")]
impl B {}

#[derive(Default)]
struct C;

#[actor(rate_limit = 1000, burst = 0)]
impl C {}

#[derive(Default)]
struct D;

#[actor(breaker = 5)]
impl D {}

#[derive(Default)]
struct E;

#[actor(breaker)]
impl E {}

#[derive(Default)]
struct F;

#[actor(breaker(failures = 5))]
impl F {}

#[derive(Default)]
struct G;

#[actor(breaker(failures = 0, within_ms = 1000, open_ms = 5s))]
impl G {}

#[derive(Default)]
struct H;

#[actor(breaker(failures = 5, within_ms = 1000, open_ms = 5000, half_open = 1))]
impl H {}

#[derive(Default)]
struct I;

#[actor(keep = 1)]
impl I {}

#[derive(Default)]
struct J;

#[actor(keep)]
impl J {}

#[derive(Default)]
struct K;

#[actor(when_full(wait))]
impl K {}

fn main() {}
