//! Many machines: what nodes and clients say to each other. Knows of actors only their names.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
#![forbid(unsafe_code)]
