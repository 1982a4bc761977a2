//! The values that options take.

use std::str::FromStr;

use quote::format_ident;
use syn::{Ident, LitBool, LitInt, LitStr, Token, parse::ParseStream};

use crate::list::one_of;

/// Something written as a string, with where.
pub(crate) fn text(input: ParseStream<'_>, option: &Ident, example: &str) -> syn::Result<LitStr> {
    input.parse().map_err(|error| {
        syn::Error::new(
            error.span(),
            format!("`{option}` takes a string: write `{option} = {example}`"),
        )
    })
}

/// One of several words, each with the variant of the engine's that it means.
pub(crate) fn choice(
    input: ParseStream<'_>,
    option: &Ident,
    choices: &[(&str, &str)],
) -> syn::Result<Ident> {
    let literal = text(input, option, &format!("{:?}", choices[0].0))?;
    let word = literal.value();
    match choices.iter().find(|(choice, _)| *choice == word) {
        Some((_, variant)) => Ok(format_ident!("{variant}")),
        None => {
            let words: Vec<_> = choices
                .iter()
                .map(|(word, _)| format!("{word:?}"))
                .collect();
            Err(syn::Error::new(
                literal.span(),
                format!(
                    "`{option}` cannot be {word:?}: write {}",
                    one_of(&words, "or")
                ),
            ))
        }
    }
}

/// A number of at least `least` that fits its type; `bounds` says both in words.
pub(super) fn number<N>(
    input: ParseStream<'_>,
    option: &Ident,
    least: N,
    bounds: &str,
) -> syn::Result<N>
where
    N: FromStr + PartialOrd,
{
    let refusal = |span| {
        syn::Error::new(
            span,
            format!("`{option}` takes a plain whole number {bounds}"),
        )
    };
    let literal: LitInt = input.parse().map_err(|error| refusal(error.span()))?;
    literal
        .base10_digits()
        .parse::<N>()
        .ok()
        .filter(|value| *value >= least && literal.suffix().is_empty())
        .ok_or_else(|| refusal(literal.span()))
}

/// Milliseconds, from 1 up.
pub(super) fn millis(input: ParseStream<'_>, option: &Ident) -> syn::Result<u64> {
    number(input, option, 1, "from 1 up")
}

/// `first..=last` in milliseconds, from 1 up.
pub(super) fn millis_range(
    input: ParseStream<'_>,
    option: &Ident,
    example: &str,
) -> syn::Result<(u64, u64)> {
    let begin = input.span();
    let range = || {
        let first = millis(input, option)?;
        input.parse::<Token![..=]>()?;
        syn::Result::Ok((first, millis(input, option)?))
    };
    range()
        .ok()
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| {
            syn::Error::new(
                begin,
                format!(
                    "`{option}` takes the first wait and the longest, in milliseconds from 1 \
                     up: write `{option} = {example}`"
                ),
            )
        })
}

/// From 0 to 100.
pub(super) fn percent(input: ParseStream<'_>, option: &Ident) -> syn::Result<u8> {
    let span = input.span();
    let percent = number(input, option, 0u8, "from 0 to 100")?;
    if percent > 100 {
        return Err(syn::Error::new(
            span,
            format!("`{option}` takes a plain whole number from 0 to 100"),
        ));
    }
    Ok(percent)
}

/// `true` or `false`.
pub(super) fn flag(input: ParseStream<'_>, option: &Ident) -> syn::Result<bool> {
    let literal: LitBool = input.parse().map_err(|error| {
        syn::Error::new(
            error.span(),
            format!("`{option}` is on or off: write `{option} = true` or `{option} = false`"),
        )
    })?;
    Ok(literal.value)
}
