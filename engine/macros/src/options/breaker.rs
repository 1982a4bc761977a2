//! `breaker(…)`: when calls are refused because too many have failed.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Ident, parse::ParseStream};

use super::{millis, value};
use crate::list::{self, Known, once, one_of};

pub(super) const EXAMPLE: &str = "breaker(failures = 5, within_ms = 1000, open_ms = 5000)";

const KNOWN: &[Known] = &[
    super::value("failures", "failures = 5"),
    super::value("within_ms", "within_ms = 1000"),
    super::value("open_ms", "open_ms = 5000"),
];

pub(super) struct Breaker {
    failures: u16,
    within_ms: u64,
    open_ms: u64,
}

impl Breaker {
    pub(super) fn read(option: &Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut failures, mut within_ms, mut open_ms) = (None, None, None);
        list::read(input, KNOWN, |option, input| {
            match option.to_string().as_str() {
                "failures" => {
                    let most = value::number(input, option, 1u16, "from 1 to 65535")?;
                    once(&mut failures, option, most)
                }
                "within_ms" => once(&mut within_ms, option, value::millis(input, option)?),
                _ => once(&mut open_ms, option, value::millis(input, option)?),
            }
        })?;
        if let (Some(failures), Some(within_ms), Some(open_ms)) = (failures, within_ms, open_ms) {
            return Ok(Breaker {
                failures,
                within_ms,
                open_ms,
            });
        }
        let given = [failures.is_some(), within_ms.is_some(), open_ms.is_some()];
        let missing: Vec<_> = KNOWN
            .iter()
            .zip(given)
            .filter(|(_, given)| !given)
            .map(|(known, _)| format!("`{}`", known.name))
            .collect();
        Err(syn::Error::new(
            option.span(),
            format!(
                "a breaker needs {} too: write `{EXAMPLE}`",
                one_of(&missing, "and")
            ),
        ))
    }
}

impl ToTokens for Breaker {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let failures = self.failures;
        let (within, open) = (millis(self.within_ms), millis(self.open_ms));
        tokens.extend(quote!(::quark::__private::Breaker {
            failures: #failures,
            within: #within,
            open: #open,
        }));
    }
}
