//! Lists of options, as they stand between an attribute's parentheses.

use syn::{Ident, Token, ext::IdentExt, parse::ParseStream};

use crate::problems::Problems;

/// An option that a list may hold.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// How it is written, for those who wrote it otherwise.
    pub(crate) example: &'static str,
}

/// What follows an option's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// ` = value`
    Value,
    /// `(options)`
    List,
    /// Nothing.
    Flag,
}

/// Reads options parted by commas, each known one's value by `read`. All that is wrong is
/// gathered: a bad value does not hide the next.
///
/// # Errors
///
/// On an option that is unknown or written in another form, and those of `read`.
pub(crate) fn read(
    input: ParseStream<'_>,
    known: &[Known],
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let mut problems = Problems::default();
    while !input.is_empty() {
        let option: Ident = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(
                error.span(),
                format!(
                    "write options as `{}`: the options are {}",
                    known[0].example,
                    names(known)
                ),
            )
        })?;
        let read = entry(&option, input, known, &mut read);
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
    problems.finish(())
}

fn entry(
    option: &Ident,
    input: ParseStream<'_>,
    known: &[Known],
    read: &mut impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let refuse = |message| Err(syn::Error::new(option.span(), message));
    let Some(entry) = known.iter().find(|entry| option == entry.name) else {
        return refuse(format!(
            "there is no option `{option}` here: the options are {}",
            names(known)
        ));
    };
    let form = if input.peek(Token![=]) {
        Some(Form::Value)
    } else if input.peek(syn::token::Paren) {
        Some(Form::List)
    } else if input.is_empty() || input.peek(Token![,]) {
        Some(Form::Flag)
    } else {
        None
    };
    match (entry.form, form) {
        (Form::Value, Some(Form::Value)) => {
            input.parse::<Token![=]>()?;
            read(option, input)
        }
        (Form::List, Some(Form::List)) => {
            let content;
            syn::parenthesized!(content in input);
            read(option, &content)
        }
        (Form::Flag, Some(Form::Flag)) => read(option, input),
        (Form::Value, _) => refuse(format!(
            "the option `{option}` needs a value: write `{}`",
            entry.example
        )),
        (Form::List, _) => refuse(format!(
            "the option `{option}` has options of its own: write `{}`",
            entry.example
        )),
        (Form::Flag, _) => refuse(format!(
            "the option `{option}` takes no value: write `{}`",
            entry.example
        )),
    }
}

/// Keeps a value, unless its option was given before.
///
/// # Errors
///
/// When it was.
pub(crate) fn once<T>(slot: &mut Option<T>, option: &Ident, value: T) -> syn::Result<()> {
    if slot.replace(value).is_some() {
        return Err(syn::Error::new(
            option.span(),
            format!("the option `{option}` is given twice: keep one"),
        ));
    }
    Ok(())
}

fn names(known: &[Known]) -> String {
    let names: Vec<_> = known
        .iter()
        .map(|entry| format!("`{}`", entry.name))
        .collect();
    one_of(&names, "and")
}

/// "a, b and c".
pub(crate) fn one_of(words: &[String], joint: &str) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => {
            format!("{} {joint} {last}", first.join(", "))
        }
        _ => words.concat(),
    }
}
