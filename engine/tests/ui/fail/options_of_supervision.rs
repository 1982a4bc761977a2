use quark::prelude::*;

#[derive(Default)]
struct A;

#[actor(supervise = "restart")]
impl A {}

#[derive(Default)]
struct B;

#[actor(supervise(strategy = "all", on_failure = "retry"))]
impl B {}

#[derive(Default)]
struct C;

#[actor(supervise(restarts = -1, within_ms = 0))]
impl C {}

#[derive(Default)]
struct D;

#[actor(supervise(backoff_ms = 5))]
impl D {}

#[derive(Default)]
struct E;

#[actor(supervise(backoff_ms = 50..=5))]
impl E {}

#[derive(Default)]
struct F;

#[actor(supervise(backoff_ms = 0..10))]
impl F {}

#[derive(Default)]
struct G;

#[actor(supervise(jitter_percent = 101))]
impl G {}

#[derive(Default)]
struct H;

#[actor(supervise(restarts = 5, restarts = 6))]
impl H {}

#[derive(Default)]
struct I;

#[actor(supervise(retries = 5))]
impl I {}

#[derive(Default)]
struct J;

#[actor(supervise("restart"))]
impl J {}

fn main() {}
