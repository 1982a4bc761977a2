//! A method that `#[cfg]` takes away leaves no message behind, and hooks likewise.
#![deny(warnings)]

use quark::{__private::Actor, prelude::*};

#[derive(Default)]
struct Gauge(f64);

#[actor]
impl Gauge {
    #[cfg(any())]
    pub fn read(&self) -> NoSuchType {
        missing()
    }

    #[cfg(not(any()))]
    pub fn read(&self) -> f64 {
        self.0
    }

    #[cfg(any())]
    pub fn gone(&self, missing: NoSuchType) {}

    #[cfg(all())]
    #[cfg(any())]
    async fn on_activate(&mut self) -> NoSuchType {
        missing()
    }

    #[cfg(all())]
    #[cfg(not(any()))]
    async fn on_deactivate(&mut self) {}
}

fn uses(gauge: &GaugeRef) {
    let _ = gauge.read();
}

pub(super) fn main() {
    let _checked: fn(&GaugeRef) = uses;
    drop(Gauge::default());
    const { assert!(!Gauge::HAS_ACTIVATE && Gauge::HAS_DEACTIVATE) };
}
