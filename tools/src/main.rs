//! The quark command.
fn main() {}
