//! As many arguments as the user likes, mutable or unused, and called anything.
#![deny(warnings)]

use quark::prelude::*;

#[derive(Default)]
struct Wide;

#[actor]
impl Wide {
    pub fn add(
        &self,
        cx: u8,
        actor: u8,
        output: u8,
        core: u8,
        message: u8,
        f: u8,
        mut total: u64,
        _unused: String,
        nine: u8,
        ten: u8,
        eleven: u8,
        twelve: u8,
        thirteen: u8,
        fourteen: (u8, [u8; 2]),
    ) -> u64 {
        for n in [cx, actor, output, core, message, f, nine, ten, eleven, twelve, thirteen] {
            total += u64::from(n);
        }
        total + u64::from(fourteen.0)
    }
}

fn uses(wide: &WideRef) {
    let _ = wide.add(1, 2, 3, 4, 5, 6, 7, String::new(), 9, 10, 11, 12, 13, (14, [0, 0]));
}

pub(super) fn main() {
    let _checked: fn(&WideRef) = uses;
    let _ = Wide::default();
}
