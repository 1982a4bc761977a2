#![allow(missing_docs)]
use crate::driver::*;
#[derive(Default)] pub struct Operations;
impl Operations { pub fn complete(&self, _: Completion) {} }
pub trait IoContext { fn with_driver(&self, f: &mut dyn FnMut(&mut dyn Driver)); fn operations(&self) -> &Operations; }
