use std::str::FromStr;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Ident, LitInt, LitStr, Token,
    parse::{Parse, ParseStream},
};

use crate::problems::Problems;

const KNOWN: &str = "`name`, `mailbox`, `when_full`, `idle_after_ms`, `timeout_ms` and `pinned`";

/// The arguments of `#[actor(…)]`; what is absent is left to the engine.
#[derive(Debug, Default)]
pub(crate) struct Options {
    name: Option<String>,
    mailbox: Option<u32>,
    when_full: Option<WhenFull>,
    idle_after_ms: Option<u64>,
    timeout_ms: Option<u64>,
    pinned: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenFull {
    Refuse,
    Wait,
}

impl Options {
    /// Reads what stands between the attribute's parentheses.
    ///
    /// # Errors
    ///
    /// On an option that is unknown, given twice, or whose value cannot be.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        syn::parse2(tokens)
    }

    /// The registered name: the one given, or the type's own.
    pub(crate) fn name_or(&self, ident: &Ident) -> String {
        use syn::ext::IdentExt;
        self.name
            .clone()
            .unwrap_or_else(|| ident.unraw().to_string())
    }

    /// The expression that builds the engine's `ActorOptions`.
    pub(crate) fn expression(&self) -> TokenStream {
        let private = quote!(::quark::__private);
        let mut built = quote!(#private::ActorOptions::new());
        let millis = |n: u64| quote!(::core::time::Duration::from_millis(#n));
        if let Some(messages) = self.mailbox {
            let messages = proc_macro2::Literal::u32_unsuffixed(messages);
            built.extend(quote!(.mailbox(#messages)));
        }
        match self.when_full {
            Some(WhenFull::Refuse) => built.extend(quote!(.when_full(#private::WhenFull::Refuse))),
            Some(WhenFull::Wait) => built.extend(quote!(.when_full(#private::WhenFull::Wait))),
            None => {}
        }
        if let Some(idle) = self.idle_after_ms.map(millis) {
            built.extend(quote!(.idle_after(#idle)));
        }
        if let Some(timeout) = self.timeout_ms.map(millis) {
            built.extend(quote!(.timeout(#timeout)));
        }
        if let Some(shard) = self.pinned {
            built.extend(quote!(.pinned(#shard)));
        }
        built
    }

    fn read(&mut self, option: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match option.to_string().as_str() {
            "name" => once(&mut self.name, option, name(input)?),
            "mailbox" => once(
                &mut self.mailbox,
                option,
                number(input, option, 1u32, "from 1 to 4294967295")?,
            ),
            "when_full" => once(&mut self.when_full, option, when_full(input)?),
            "idle_after_ms" => once(
                &mut self.idle_after_ms,
                option,
                number(input, option, 1u64, "from 1 up")?,
            ),
            "timeout_ms" => once(
                &mut self.timeout_ms,
                option,
                number(input, option, 1u64, "from 1 up")?,
            ),
            "pinned" => once(
                &mut self.pinned,
                option,
                number(input, option, 0u16, "from 0 to 65535")?,
            ),
            _ => Err(syn::Error::new(
                option.span(),
                format!("an actor has no option `{option}`: the options are {KNOWN}"),
            )),
        }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut problems = Problems::default();
        while !input.is_empty() {
            let option: Ident = input.parse().map_err(|error| {
                syn::Error::new(
                    error.span(),
                    format!("write options as `name = \"…\"`: the options are {KNOWN}"),
                )
            })?;
            if !input.peek(Token![=]) {
                let example = example(&option);
                return Err(syn::Error::new(
                    option.span(),
                    format!("the option `{option}` needs a value: write `{option} = {example}`"),
                ));
            }
            input.parse::<Token![=]>()?;
            let read = options.read(&option, input);
            if problems.ok(read).is_none() {
                // The rest of a bad value is not worth an error of its own.
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<proc_macro2::TokenTree>()?;
                }
            }
            if !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() {
                problems.push(input.error("options are parted by commas: write a `,` before this"));
                break;
            }
        }
        problems.finish(options)
    }
}

fn once<T>(slot: &mut Option<T>, option: &Ident, value: T) -> syn::Result<()> {
    if slot.replace(value).is_some() {
        return Err(syn::Error::new(
            option.span(),
            format!("the option `{option}` is given twice: keep one"),
        ));
    }
    Ok(())
}

fn name(input: ParseStream<'_>) -> syn::Result<String> {
    let literal = text(input, "name", "\"bank.account\"")?;
    let name = literal.value();
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(syn::Error::new(
            literal.span(),
            "an actor's name is not empty and holds no spaces: write something like \
             `name = \"bank.account\"`",
        ));
    }
    Ok(name)
}

fn when_full(input: ParseStream<'_>) -> syn::Result<WhenFull> {
    let literal = text(input, "when_full", "\"wait\"")?;
    match literal.value().as_str() {
        "refuse" => Ok(WhenFull::Refuse),
        "wait" => Ok(WhenFull::Wait),
        other => Err(syn::Error::new(
            literal.span(),
            format!("a full mailbox cannot `{other}`: write \"refuse\" or \"wait\""),
        )),
    }
}

fn text(input: ParseStream<'_>, option: &str, example: &str) -> syn::Result<LitStr> {
    input.parse().map_err(|error| {
        syn::Error::new(
            error.span(),
            format!("`{option}` takes a string: write `{option} = {example}`"),
        )
    })
}

/// A number of at least `least` that fits its type; `bounds` says both in words.
fn number<N>(input: ParseStream<'_>, option: &Ident, least: N, bounds: &str) -> syn::Result<N>
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

fn example(option: &Ident) -> &'static str {
    match option.to_string().as_str() {
        "name" => "\"bank.account\"",
        "when_full" => "\"wait\"",
        _ => "64",
    }
}

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    fn parse(text: &str) -> syn::Result<Options> {
        Options::parse(text.parse().unwrap())
    }

    #[test]
    fn every_option_reaches_the_builder() {
        let options = parse(
            "name = \"bank.account\", mailbox = 1_024, when_full = \"wait\", \
             idle_after_ms = 5, timeout_ms = 6, pinned = 0,",
        )
        .unwrap();
        assert_eq!(options.name_or(&format_ident!("Account")), "bank.account");
        let expected = quote!(
            ::quark::__private::ActorOptions::new()
                .mailbox(1024)
                .when_full(::quark::__private::WhenFull::Wait)
                .idle_after(::core::time::Duration::from_millis(5u64))
                .timeout(::core::time::Duration::from_millis(6u64))
                .pinned(0u16)
        );
        assert_eq!(options.expression().to_string(), expected.to_string());
    }

    #[test]
    fn without_options_the_engine_decides() {
        let options = parse("").unwrap();
        assert_eq!(options.name_or(&format_ident!("r#Account")), "Account");
        let expected = quote!(::quark::__private::ActorOptions::new());
        assert_eq!(options.expression().to_string(), expected.to_string());
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        for text in [
            "mailbox = 0",
            "mailbox = 4_294_967_296",
            "mailbox = 1u8",
            "mailbox = -1",
            "timeout_ms = 0",
            "pinned = 65_536",
        ] {
            assert!(
                parse(text)
                    .unwrap_err()
                    .to_string()
                    .contains("whole number"),
                "{text}"
            );
        }
    }

    #[test]
    fn every_bad_option_is_reported_at_once() {
        let error = parse("mailbox = 0, colour = 1 + 2, when_full = \"drop\"").unwrap_err();
        assert_eq!(error.into_iter().count(), 3);
    }
}
