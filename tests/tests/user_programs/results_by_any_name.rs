//! Whatever is called `Result` answers with its error, aliases too.
#![deny(warnings)]

use std::{convert::Infallible, fmt, io};

use quark::{__private::Method, Call, prelude::*};

type Answer = std::result::Result<u8, String>;

mod own {
    pub type Result<T> = std::result::Result<T, std::num::ParseIntError>;
}

#[derive(Default)]
struct Parser;

#[actor]
impl Parser {
    pub fn long(&self, text: String) -> std::result::Result<u32, std::num::ParseIntError> {
        text.parse()
    }

    pub fn own(&self, text: String) -> own::Result<u32> {
        text.parse()
    }

    pub async fn io(&self) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    pub fn fmt_like(&self) -> fmt::Result {
        Ok(())
    }

    /// Not called `Result`, so an answer as it is.
    pub fn whole(&self) -> Answer {
        Ok(1)
    }
}

fn splits<M: Method<Ok = O, Err = E>, O, E>(call: Call<'_, M>) {
    drop(call);
}

fn uses(parser: &ParserRef) {
    splits::<_, u32, std::num::ParseIntError>(parser.long(String::new()));
    splits::<_, u32, std::num::ParseIntError>(parser.own(String::new()));
    splits::<_, Vec<u8>, io::Error>(parser.io());
    splits::<_, (), fmt::Error>(parser.fmt_like());
    splits::<_, Answer, Infallible>(parser.whole());
}

pub(super) fn main() {
    let _checked: fn(&ParserRef) = uses;
    let _ = Parser::default();
}
