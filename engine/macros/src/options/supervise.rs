//! `supervise(…)`: what becomes of actors that fail.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Ident, parse::ParseStream};

use super::{millis, value};
use crate::list::{self, Known, once};

pub(super) const EXAMPLE: &str = "supervise(strategy = \"one_for_one\", restarts = 10)";

const KNOWN: &[Known] = &[
    super::value("strategy", "strategy = \"one_for_one\""),
    super::value("on_failure", "on_failure = \"restart\""),
    super::value("restarts", "restarts = 10"),
    super::value("within_ms", "within_ms = 60000"),
    super::value("backoff_ms", "backoff_ms = 1..=10000"),
    super::value("jitter_percent", "jitter_percent = 20"),
];

const STRATEGIES: &[(&str, &str)] = &[
    ("one_for_one", "OneForOne"),
    ("all_for_one", "AllForOne"),
    ("rest_for_one", "RestForOne"),
];

const DIRECTIVES: &[(&str, &str)] = &[
    ("restart", "Restart"),
    ("resume", "Resume"),
    ("stop", "Stop"),
    ("escalate", "Escalate"),
];

#[derive(Default)]
pub(super) struct Supervise {
    strategy: Option<Ident>,
    on_failure: Option<Ident>,
    restarts: Option<u16>,
    within_ms: Option<u64>,
    backoff_ms: Option<(u64, u64)>,
    jitter_percent: Option<u8>,
}

impl Supervise {
    pub(super) fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut read = Self::default();
        list::read(input, KNOWN, |option, input| read.option(option, input))?;
        Ok(read)
    }

    fn option(&mut self, option: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match option.to_string().as_str() {
            "strategy" => {
                let strategy = value::choice(input, option, STRATEGIES)?;
                once(&mut self.strategy, option, strategy)
            }
            "on_failure" => {
                let directive = value::choice(input, option, DIRECTIVES)?;
                once(&mut self.on_failure, option, directive)
            }
            "restarts" => {
                let restarts = value::number(input, option, 0u16, "from 0 to 65535")?;
                once(&mut self.restarts, option, restarts)
            }
            "within_ms" => once(&mut self.within_ms, option, value::millis(input, option)?),
            "backoff_ms" => {
                let waits = value::millis_range(input, option, "1..=10000")?;
                once(&mut self.backoff_ms, option, waits)
            }
            _ => {
                let percent = value::percent(input, option)?;
                once(&mut self.jitter_percent, option, percent)
            }
        }
    }

    /// The waits between restarts, if anything is said of them.
    fn backoff(&self) -> Option<TokenStream> {
        if self.backoff_ms.is_none() && self.jitter_percent.is_none() {
            return None;
        }
        let mut fields = TokenStream::new();
        if let Some((first, longest)) = self.backoff_ms {
            let (first, longest) = (millis(first), millis(longest));
            fields.extend(quote!(first: #first, longest: #longest,));
        }
        if let Some(percent) = self.jitter_percent {
            fields.extend(quote!(jitter_percent: #percent,));
        }
        Some(quote!(::quark::__private::Backoff {
            #fields
            ..::quark::__private::Supervision::DEFAULT.backoff
        }))
    }
}

impl ToTokens for Supervise {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let private = quote!(::quark::__private);
        let mut fields = TokenStream::new();
        if let Some(strategy) = &self.strategy {
            fields.extend(quote!(strategy: #private::Strategy::#strategy,));
        }
        if let Some(directive) = &self.on_failure {
            fields.extend(quote!(on_failure: #private::Directive::#directive,));
        }
        if let Some(restarts) = self.restarts {
            fields.extend(quote!(restarts: #restarts,));
        }
        if let Some(within) = self.within_ms.map(millis) {
            fields.extend(quote!(within: #within,));
        }
        if let Some(backoff) = self.backoff() {
            fields.extend(quote!(backoff: #backoff,));
        }
        tokens.extend(quote!(#private::Supervision {
            #fields
            ..#private::Supervision::DEFAULT
        }));
    }
}
