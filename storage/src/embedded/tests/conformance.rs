//! What every provider does, the log does; also with its files full of zeros, and small.

use std::rc::Rc;

use quark_shards::driver::sim::SimConfig;

use super::bench::{Bench, config};
use crate::conformance::{Subject, provider_conformance};
use crate::embedded::EmbeddedStore;
use crate::provider::Provider;

struct Embedded(EmbeddedStore);

impl Subject for Embedded {
    fn provider(&self) -> Rc<dyn Provider> {
        Rc::new(self.0.clone())
    }
}

fn conforms(segment_bytes: u64, zero_ahead: bool) {
    let world = SimConfig {
        disk_bytes: 1 << 30,
        short_probability: 0.1,
        ..SimConfig::default()
    };
    let bench = Bench::new(1, world);
    let config = config(segment_bytes, zero_ahead);
    let (prepared, stores) = bench.open(&config, 1).expect("it opens");
    let subject = Embedded(stores[0].clone());
    bench.run(async move { provider_conformance(&subject).await });
    drop(prepared);
}

#[test]
fn conforms_with_large_segments() {
    conforms(8 << 20, false);
}

#[test]
fn conforms_with_small_segments() {
    conforms(64 << 10, false);
}

#[test]
fn conforms_with_zeros_ahead() {
    conforms(1 << 20, true);
}
