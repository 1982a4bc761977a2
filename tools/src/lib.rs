//! What the `quark` command is made of, for those who want it without the command.

pub mod house;
