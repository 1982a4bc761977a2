//! Where the actors of a type live: one answer, and perhaps groups.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ExprPath, Ident, LitStr, parse::ParseStream};

use super::value;
use crate::{list::once, problems::Problems};

const PLACEMENTS: &[(&str, &str)] = &[("hash", "Hash"), ("random", "Random"), ("local", "Local")];

/// `placement`, `pinned`, `near` or `workers`, and `affinity`.
#[derive(Default)]
pub(super) struct Place {
    chosen: Option<Chosen>,
    affinity: Option<(Ident, ExprPath)>,
}

/// One answer to the question.
struct Chosen {
    option: Ident,
    /// The engine's variant, with what it holds.
    variant: TokenStream,
    /// Whether the key, or its group, has a say in it.
    by_key: bool,
}

impl Place {
    pub(super) fn read(&mut self, option: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        let (variant, by_key) = match option.to_string().as_str() {
            "placement" => {
                let variant = value::choice(input, option, PLACEMENTS)?;
                let by_key = variant == "Hash";
                (quote!(#variant), by_key)
            }
            "pinned" => {
                let shard = value::number(input, option, 0u16, "from 0 to 65535")?;
                (quote!(Pinned(#shard)), false)
            }
            "near" => {
                let place = near(&value::text(input, option, "\"node:0\"")?)?;
                (quote!(Near(::quark::__private::Near::#place)), true)
            }
            "workers" => {
                let most = value::number(input, option, 1u16, "from 1 to 65535")?;
                (quote!(Workers { most: #most }), false)
            }
            _ => {
                let group = input.parse().map_err(|error: syn::Error| {
                    syn::Error::new(
                        error.span(),
                        "`affinity` takes the name of a function from a key to its group's: \
                         write `affinity = group_of` with `fn group_of(key: &Key) -> Key`",
                    )
                })?;
                return once(&mut self.affinity, option, (option.clone(), group));
            }
        };
        if let Some(Chosen { option: other, .. }) = &self.chosen
            && other != option
        {
            return Err(syn::Error::new(
                option.span(),
                format!("`{other}` and `{option}` both say where the actors live: keep one"),
            ));
        }
        let chosen = Chosen {
            option: option.clone(),
            variant,
            by_key,
        };
        once(&mut self.chosen, option, chosen)
    }

    /// Refuses groups where keys decide nothing.
    pub(super) fn agree(&self, problems: &mut Problems) {
        if let (Some(Chosen { option, by_key, .. }), Some((affinity, _))) =
            (&self.chosen, &self.affinity)
            && !by_key
        {
            problems.at(
                affinity,
                format!(
                    "`affinity` places actors by their group's key, and `{option}` places them \
                     by no key: keep one"
                ),
            );
        }
    }
}

/// The setters.
impl ToTokens for Place {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        if let Some(Chosen { variant, .. }) = &self.chosen {
            tokens.extend(quote!(.placement(::quark::__private::Placement::#variant)));
        }
        if let Some((_, group)) = &self.affinity {
            tokens.extend(quote!(.affinity(#group)));
        }
    }
}

fn near(literal: &LitStr) -> syn::Result<TokenStream> {
    let place = literal.value();
    let parsed = place.split_once(':').and_then(|(kind, number)| {
        // A number of digits alone: `parse` would take a sign.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u16 = number.parse().ok().filter(|_| digits)?;
        match kind {
            "node" => Some(quote!(Node(#number))),
            "core" => Some(quote!(Core(#number))),
            _ => None,
        }
    });
    parsed.ok_or_else(|| {
        syn::Error::new(
            literal.span(),
            format!(
                "nothing is near {place:?}: write \"node:0\" for a NUMA node, or \"core:0\" for \
                 a core, by its number up to 65535"
            ),
        )
    })
}
