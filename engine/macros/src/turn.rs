//! `#[turn(…)]` on a method: how its turns are taken.

use quote::ToTokens;
use syn::{Attribute, Ident, ImplItemFn, Meta, parse::ParseStream};

use crate::{
    list::{self, Form, Known, once},
    options::value,
    problems::Problems,
};

const EXAMPLE: &str = "#[turn(priority = \"high\")]";

const KNOWN: &[Known] = &[
    Known {
        name: "priority",
        form: Form::Value,
        example: "priority = \"high\"",
    },
    Known {
        name: "coalesce",
        form: Form::Flag,
        example: "coalesce",
    },
];

const PRIORITIES: &[(&str, &str)] = &[("low", "Low"), ("normal", "Normal"), ("high", "High")];

/// What a method's `#[turn]` asks for.
#[derive(Default)]
pub(crate) struct Turn {
    /// The engine's variant.
    pub(crate) priority: Option<Ident>,
    /// The word itself, for what the compiler has to say of it.
    pub(crate) coalesce: Option<Ident>,
}

impl Turn {
    /// Reads what stands on a message.
    pub(crate) fn read(function: &ImplItemFn, exclusive: bool, problems: &mut Problems) -> Self {
        let mut turn = Self::default();
        let mut attributes = function.attrs.iter().filter(|attribute| is_turn(attribute));
        let Some(attribute) = attributes.next() else {
            return turn;
        };
        if let Some(second) = attributes.next() {
            problems.at(
                second,
                "a method has one `#[turn]`: put the options of both into one",
            );
        }
        problems.ok(turn.options(attribute));
        if let Some(coalesce) = &turn.coalesce {
            if exclusive {
                problems.at(
                    coalesce,
                    "one turn cannot answer several calls of a `&mut self` method, because each \
                     may change the actor: take `&self`, or leave out `coalesce`",
                );
            } else if function.sig.asyncness.is_none() {
                problems.at(
                    coalesce,
                    "a method that is not `async` is over before another call can come: make it \
                     `async`, or leave out `coalesce`",
                );
            }
        }
        turn
    }

    fn options(&mut self, attribute: &Attribute) -> syn::Result<()> {
        let Meta::List(written) = &attribute.meta else {
            return Err(syn::Error::new_spanned(
                attribute,
                format!(
                    "`#[turn]` says nothing by itself: write `{EXAMPLE}` or `#[turn(coalesce)]`"
                ),
            ));
        };
        if written.tokens.is_empty() {
            return Err(syn::Error::new_spanned(
                attribute,
                format!("`#[turn()]` says nothing: write `{EXAMPLE}` or `#[turn(coalesce)]`"),
            ));
        }
        attribute.parse_args_with(|input: ParseStream<'_>| {
            list::read(input, KNOWN, |option, input| {
                if option == "priority" {
                    let priority = value::choice(input, option, PRIORITIES)?;
                    once(&mut self.priority, option, priority)
                } else {
                    once(&mut self.coalesce, option, option.clone())
                }
            })
        })
    }
}

/// Refuses `#[turn]` where there is no turn, or one that nobody sends.
pub(crate) fn misplaced(attributes: &[Attribute], why: &str, problems: &mut Problems) {
    for attribute in attributes.iter().filter(|attribute| is_turn(attribute)) {
        problems.at(attribute, why);
    }
}

/// Takes the attributes away: they are for `#[actor]` alone.
pub(crate) fn strip(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| !is_turn(attribute));
}

/// `#[turn]`, by itself or with the library's name before it.
fn is_turn(attribute: &Attribute) -> bool {
    let path = attribute.path();
    path.is_ident("turn") || path.to_token_stream().to_string() == "quark :: turn"
}
