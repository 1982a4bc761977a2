use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

use std::{borrow::Cow, path::Path};

#[actor]
impl Account {
    pub fn rename(&mut self, name: &str) {
        drop(name.len());
    }

    pub fn import(&mut self, lines: &[u64], from: &Path) -> usize {
        lines.len() + from.as_os_str().len()
    }

    pub fn visit(&self, other: Option<&Account>) -> bool {
        other.is_some()
    }

    pub fn swap(&mut self, other: &mut Vec<u8>) {
        other.clear();
    }

    pub fn label(&mut self, label: Cow<'_, str>) -> usize {
        label.len()
    }
}

fn main() {}
