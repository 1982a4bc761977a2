//! The arguments of `#[actor(…)]`.

mod breaker;
mod place;
mod supervise;
pub(crate) mod value;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Ident,
    parse::{Parse, ParseStream},
};

use self::{breaker::Breaker, place::Place, supervise::Supervise};
use crate::{
    list::{self, Form, Known, once},
    problems::Problems,
};

const fn value(name: &'static str, example: &'static str) -> Known {
    Known {
        name,
        form: Form::Value,
        example,
    }
}

const fn list(name: &'static str, example: &'static str) -> Known {
    Known {
        name,
        form: Form::List,
        example,
    }
}

const KNOWN: &[Known] = &[
    value("name", "name = \"bank.account\""),
    value("placement", "placement = \"local\""),
    value("pinned", "pinned = 0"),
    value("near", "near = \"node:0\""),
    value("workers", "workers = 4"),
    value("affinity", "affinity = group_of"),
    value("mailbox", "mailbox = 64"),
    value("when_full", "when_full = \"wait\""),
    value("adaptive_ms", "adaptive_ms = 10"),
    value("rate_limit", "rate_limit = 1000"),
    value("burst", "burst = 100"),
    list("breaker", breaker::EXAMPLE),
    value("idle_after_ms", "idle_after_ms = 60000"),
    value("keep", "keep = true"),
    value("timeout_ms", "timeout_ms = 1000"),
    list("supervise", supervise::EXAMPLE),
];

const WHEN_FULL: &[(&str, &str)] = &[
    ("refuse", "Refuse"),
    ("wait", "Wait"),
    ("drop_oldest", "DropOldest"),
    ("drop_newest", "DropNewest"),
];

/// What the attribute asks for; what is absent is left to the engine.
#[derive(Default)]
pub(crate) struct Options {
    name: Option<String>,
    place: Place,
    mailbox: Option<u32>,
    when_full: Option<Ident>,
    adaptive_ms: Option<u64>,
    rate_limit: Option<u32>,
    burst: Option<u32>,
    breaker: Option<Breaker>,
    idle_after_ms: Option<u64>,
    keep: Option<bool>,
    timeout_ms: Option<u64>,
    supervise: Option<Supervise>,
    /// Their names, as they were written.
    given: Vec<Ident>,
}

impl Options {
    /// Reads what stands between the attribute's parentheses.
    ///
    /// # Errors
    ///
    /// On an option that is unknown, given twice, or whose value cannot be, and on options that
    /// contradict each other.
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        syn::parse2(tokens)
    }

    /// Those that were given, in order.
    pub(crate) fn given(&self) -> &[Ident] {
        &self.given
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
        let place = &self.place;
        let mut built = quote!(#private::ActorOptions::new() #place);
        if let Some(messages) = self.mailbox {
            let messages = proc_macro2::Literal::u32_unsuffixed(messages);
            built.extend(quote!(.mailbox(#messages)));
        }
        if let Some(policy) = &self.when_full {
            built.extend(quote!(.when_full(#private::WhenFull::#policy)));
        }
        if let Some(pace) = self.adaptive_ms.map(millis) {
            built.extend(quote!(.adaptive(#pace)));
        }
        if let Some(rate) = self.rate_limit {
            let burst = self.burst.unwrap_or(rate);
            built.extend(quote!(
                .rate_limit(#private::RateLimit { per_second: #rate, burst: #burst })
            ));
        }
        if let Some(breaker) = &self.breaker {
            built.extend(quote!(.breaker(#breaker)));
        }
        if let Some(idle) = self.idle_after_ms.map(millis) {
            built.extend(quote!(.idle_after(#idle)));
        }
        if let Some(keep) = self.keep {
            built.extend(quote!(.keep(#keep)));
        }
        if let Some(timeout) = self.timeout_ms.map(millis) {
            built.extend(quote!(.timeout(#timeout)));
        }
        if let Some(supervise) = &self.supervise {
            built.extend(quote!(.supervision(#supervise)));
        }
        built
    }

    fn read(&mut self, option: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match option.to_string().as_str() {
            "name" => once(&mut self.name, option, name(option, input)?),
            "mailbox" => {
                let messages = value::number(input, option, 1u32, "from 1 to 4294967295")?;
                once(&mut self.mailbox, option, messages)
            }
            "when_full" => {
                let policy = value::choice(input, option, WHEN_FULL)?;
                once(&mut self.when_full, option, policy)
            }
            "adaptive_ms" => once(&mut self.adaptive_ms, option, value::millis(input, option)?),
            "rate_limit" => {
                let rate =
                    value::number(input, option, 1u32, "from 1 to 4294967295: calls a second")?;
                once(&mut self.rate_limit, option, rate)
            }
            "burst" => {
                let burst = value::number(input, option, 1u32, "from 1 to 4294967295")?;
                once(&mut self.burst, option, burst)
            }
            "breaker" => once(&mut self.breaker, option, Breaker::read(option, input)?),
            "idle_after_ms" => {
                let idle = value::millis(input, option)?;
                once(&mut self.idle_after_ms, option, idle)
            }
            "keep" => once(&mut self.keep, option, value::flag(input, option)?),
            "timeout_ms" => once(&mut self.timeout_ms, option, value::millis(input, option)?),
            "supervise" => once(&mut self.supervise, option, Supervise::read(input)?),
            _ => self.place.read(option, input),
        }
    }

    /// Refuses options that say nothing, or the contrary of each other.
    fn agree(&self, given: &[Ident], problems: &mut Problems) {
        let find = |name: &str| given.iter().find(|option| *option == name);
        if let (Some(burst), None) = (find("burst"), find("rate_limit")) {
            problems.at(
                burst,
                "a burst is what a rate lets through at once: write \
                 `rate_limit = 1000, burst = 100`",
            );
        }
        if let (Some(true), Some(idle)) = (self.keep, find("idle_after_ms")) {
            problems.at(
                idle,
                "`keep = true` keeps actors in memory however long they are idle: leave out one \
                 of the two",
            );
        }
        self.place.agree(problems);
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut given = Vec::new();
        let mut problems = Problems::default();
        problems.ok(list::read(input, KNOWN, |option, input| {
            given.push(option.clone());
            options.read(option, input)
        }));
        options.agree(&given, &mut problems);
        options.given = given;
        problems.finish(options)
    }
}

fn millis(millis: u64) -> TokenStream {
    quote!(::core::time::Duration::from_millis(#millis))
}

fn name(option: &Ident, input: ParseStream<'_>) -> syn::Result<String> {
    let literal = value::text(input, option, "\"bank.account\"")?;
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

#[cfg(test)]
mod tests {
    use quote::format_ident;

    use super::*;

    fn parse(text: &str) -> syn::Result<Options> {
        Options::parse(text.parse().unwrap())
    }

    fn errors(text: &str) -> Vec<String> {
        let error = parse(text).err().expect(text);
        error.into_iter().map(|error| error.to_string()).collect()
    }

    /// The setters called, without what every expression begins with.
    #[track_caller]
    fn sets(text: &str, setters: TokenStream) {
        let expected = quote!(::quark::__private::ActorOptions::new() #setters);
        let options = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(options.expression().to_string(), expected.to_string());
    }

    #[test]
    fn every_option_reaches_the_builder() {
        let options = parse("name = \"bank.account\",").unwrap();
        assert_eq!(options.name_or(&format_ident!("Account")), "bank.account");
        sets(
            "timeout_ms = 6, idle_after_ms = 5, when_full = \"drop_oldest\", mailbox = 1_024",
            quote!(
                .mailbox(1024)
                .when_full(::quark::__private::WhenFull::DropOldest)
                .idle_after(::core::time::Duration::from_millis(5u64))
                .timeout(::core::time::Duration::from_millis(6u64))
            ),
        );
        sets(
            "keep = true, adaptive_ms = 7, rate_limit = 100, burst = 9",
            quote!(
                .adaptive(::core::time::Duration::from_millis(7u64))
                .rate_limit(::quark::__private::RateLimit { per_second: 100u32, burst: 9u32 })
                .keep(true)
            ),
        );
    }

    #[test]
    fn a_rate_lets_a_second_through_at_once_unless_told_otherwise() {
        sets(
            "rate_limit = 50",
            quote!(.rate_limit(::quark::__private::RateLimit { per_second: 50u32, burst: 50u32 })),
        );
    }

    #[test]
    fn every_place_is_a_placement() {
        for (text, variant) in [
            ("placement = \"hash\"", quote!(Hash)),
            ("placement = \"random\"", quote!(Random)),
            ("placement = \"local\"", quote!(Local)),
            ("pinned = 0", quote!(Pinned(0u16))),
            (
                "near = \"node:1\"",
                quote!(Near(::quark::__private::Near::Node(1u16))),
            ),
            (
                "near = \"core:12\"",
                quote!(Near(::quark::__private::Near::Core(12u16))),
            ),
            ("workers = 4", quote!(Workers { most: 4u16 })),
        ] {
            sets(
                text,
                quote!(.placement(::quark::__private::Placement::#variant)),
            );
        }
        sets(
            "affinity = Self::group, near = \"node:0\"",
            quote!(
                .placement(::quark::__private::Placement::Near(::quark::__private::Near::Node(0u16)))
                .affinity(Self::group)
            ),
        );
    }

    #[test]
    fn what_supervision_leaves_open_is_the_default() {
        let default = quote!(::quark::__private::Supervision::DEFAULT);
        sets(
            "supervise(strategy = \"rest_for_one\", restarts = 0)",
            quote!(.supervision(::quark::__private::Supervision {
                strategy: ::quark::__private::Strategy::RestForOne,
                restarts: 0u16,
                ..#default
            })),
        );
        sets(
            "supervise(on_failure = \"escalate\", within_ms = 5, backoff_ms = 2..=8)",
            quote!(.supervision(::quark::__private::Supervision {
                on_failure: ::quark::__private::Directive::Escalate,
                within: ::core::time::Duration::from_millis(5u64),
                backoff: ::quark::__private::Backoff {
                    first: ::core::time::Duration::from_millis(2u64),
                    longest: ::core::time::Duration::from_millis(8u64),
                    ..#default.backoff
                },
                ..#default
            })),
        );
    }

    #[test]
    fn a_breaker_is_said_whole() {
        sets(
            "breaker(failures = 5, within_ms = 1000, open_ms = 5000)",
            quote!(.breaker(::quark::__private::Breaker {
                failures: 5u16,
                within: ::core::time::Duration::from_millis(1000u64),
                open: ::core::time::Duration::from_millis(5000u64),
            })),
        );
        assert!(errors("breaker(failures = 5)")[0].contains("`within_ms` and `open_ms`"));
    }

    #[test]
    fn without_options_the_engine_decides() {
        let options = parse("").unwrap();
        assert_eq!(options.name_or(&format_ident!("r#Account")), "Account");
        sets("", quote!());
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
            "workers = 0",
            "rate_limit = 0",
            "breaker(failures = 0, within_ms = 1, open_ms = 1)",
            "supervise(restarts = 65_536)",
        ] {
            assert!(errors(text)[0].contains("whole number"), "{text}");
        }
        assert!(errors("supervise(backoff_ms = 0..=5)")[0].contains("1..=10000"));
        assert!(errors("supervise(jitter_percent = 101)")[0].contains("0 to 100"));
    }

    #[test]
    fn every_bad_option_is_reported_at_once() {
        let text = "mailbox = 0, colour = 1 + 2, when_full = \"drop\", \
                    supervise(strategy = \"all\", restarts = -1)";
        assert_eq!(errors(text).len(), 5);
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for text in [
            "workers = 4, pinned = 1",
            "near = \"node:0\", placement = \"hash\"",
            "workers = 4, affinity = group_of",
            "affinity = group_of, placement = \"random\"",
            "affinity = group_of, pinned = 0",
            "keep = true, idle_after_ms = 5",
            "burst = 5",
        ] {
            assert_eq!(errors(text).len(), 1, "{text}");
        }
        for text in [
            "affinity = group_of, placement = \"hash\"",
            "keep = false, idle_after_ms = 5",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }
}
