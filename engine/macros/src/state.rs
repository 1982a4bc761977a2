//! `#[derive(Stateful)]`: which fields of an actor are kept in a store.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Ident, LitStr, Member, Meta, PathArguments, Type,
    ext::IdentExt, parse::ParseStream, spanned::Spanned,
};

use crate::{
    list::{self, Form, Known, once},
    options::value,
    problems::Problems,
    types,
};

const KNOWN: &[Known] = &[
    Known {
        name: "name",
        form: Form::Value,
        example: "name = \"balance\"",
    },
    Known {
        name: "store",
        form: Form::Value,
        example: "store = \"fast\"",
    },
    Known {
        name: "save",
        form: Form::Value,
        example: "save = \"each_turn\"",
    },
];

/// When a state is saved; each is a variant of [`Save`].
const SAVES: &[(&str, &str)] = &[("each_turn", "EachTurn"), ("by_hand", "ByHand")];

/// The store that has no other name: the engine's `DEFAULT_STORE`.
const DEFAULT_STORE: &str = "default";

/// A field that is kept.
struct Field<'ast> {
    member: Member,
    ty: &'ast Type,
    name: LitStr,
    store: String,
    save: Save,
}

/// When a field is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Save {
    /// By the user's own calls.
    #[default]
    ByHand,
    /// Also when a turn ends that has changed it.
    EachTurn,
}

/// What stands in an attribute.
#[derive(Default)]
struct Written {
    name: Option<LitStr>,
    store: Option<LitStr>,
    save: Option<Save>,
}

/// What the derive writes.
pub(crate) fn derive(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let mut problems = Problems::default();
    let Some(structure) = problems.ok(structure(&input)) else {
        return Ok(quote!(#problems));
    };
    let fields = read(structure, &mut problems);
    let mut seen = Vec::new();
    for field in &fields {
        let place = (field.name.value(), field.store.clone());
        if seen.contains(&place) {
            problems.push(syn::Error::new(
                field.name.span(),
                format!(
                    "two states are kept as {:?}: give one another name, `#[state(name = \"…\")]`",
                    place.0
                ),
            ));
        }
        seen.push(place);
    }
    if fields.is_empty() && problems.is_empty() {
        problems.at(
            &input.ident,
            "no field is kept: write `#[state]` above those that are, or leave out `Stateful`",
        );
    }
    let expanded = expand(&input.ident, &fields);
    Ok(quote!(#expanded #problems))
}

fn structure(input: &DeriveInput) -> syn::Result<&DataStruct> {
    let refuse = |tokens: &dyn quote::ToTokens, message| {
        Err(syn::Error::new_spanned(tokens.to_token_stream(), message))
    };
    if !input.generics.params.is_empty() {
        return refuse(
            &input.generics,
            "an actor cannot be generic, because its registered name stands for one type: wrap \
             the instance you need in a struct of its own",
        );
    }
    match &input.data {
        Data::Struct(structure) => Ok(structure),
        _ => refuse(
            &input.ident,
            "states are fields of a struct: make this one, and put the enum into a field",
        ),
    }
}

fn read<'ast>(structure: &'ast DataStruct, problems: &mut Problems) -> Vec<Field<'ast>> {
    let mut fields = Vec::new();
    for (member, field) in structure.fields.members().zip(&structure.fields) {
        let mut attributes = field
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("state"));
        let Some(attribute) = attributes.next() else {
            if is_state(&field.ty) {
                problems.at(
                    &field.ty,
                    "this state would never be loaded: write `#[state]` above the field",
                );
            }
            continue;
        };
        if let Some(second) = attributes.next() {
            problems.at(
                second,
                "a field has one `#[state]`: put the options of both into one",
            );
        }
        let Some(written) = problems.ok(options(attribute)) else {
            continue;
        };
        let default = match &member {
            Member::Named(ident) => Some(LitStr::new(&ident.unraw().to_string(), ident.span())),
            Member::Unnamed(_) => None,
        };
        let Some(name) = written.name.or(default) else {
            problems.at(
                attribute,
                "a field without a name needs one to be kept by: write `#[state(name = \"…\")]`",
            );
            continue;
        };
        fields.push(Field {
            member,
            ty: &field.ty,
            name,
            store: (written.store).map_or_else(|| DEFAULT_STORE.to_owned(), |it| it.value()),
            save: written.save.unwrap_or_default(),
        });
    }
    fields
}

/// What the attribute says.
fn options(attribute: &Attribute) -> syn::Result<Written> {
    let mut written = Written::default();
    if let Meta::Path(_) = &attribute.meta {
        return Ok(written);
    }
    let Written { name, store, save } = &mut written;
    attribute.parse_args_with(|input: ParseStream<'_>| {
        list::read(input, KNOWN, |option, input| {
            if option == "save" {
                let word = value::choice(input, option, SAVES)?;
                let choice = if word == "EachTurn" {
                    Save::EachTurn
                } else {
                    Save::ByHand
                };
                return once(save, option, choice);
            }
            let (place, example) = if option == "name" {
                (&mut *name, "\"balance\"")
            } else {
                (&mut *store, "\"fast\"")
            };
            let value = value::text(input, option, example)?;
            if value.value().is_empty() {
                return Err(syn::Error::new(
                    value.span(),
                    format!("`{option}` cannot be empty: write `{option} = {example}`"),
                ));
            }
            once(place, option, value)
        })
    })?;
    Ok(written)
}

/// `State<…>`, by its name, as the macro sees no types.
fn is_state(ty: &Type) -> bool {
    let Type::Path(named) = types::peel(ty) else {
        return false;
    };
    named.path.segments.last().is_some_and(|last| {
        last.ident == "State" && matches!(last.arguments, PathArguments::AngleBracketed(_))
    })
}

fn expand(actor: &Ident, fields: &[Field<'_>]) -> TokenStream {
    let unsaved = unsaved(fields);
    let fields = fields.iter().map(|field| {
        let Field {
            member,
            ty,
            name,
            store,
            ..
        } = field;
        // Where the type stands, so that what is no state is an error there.
        let span = ty.span().resolved_at(Span::call_site());
        quote_spanned! {span=>
            ::quark::__private::Field::new(
                #name,
                #store,
                ::quark::__private::Versions(&mut self.#member).told(),
            )
        }
    });
    quote! {
        #[automatically_derived]
        impl ::quark::__private::Stateful for #actor {
            fn fields(&mut self) -> ::std::vec::Vec<::quark::__private::Field<'_>> {
                #[allow(unused_imports, reason = "used by types without versions")]
                use ::quark::__private::HasNoVersions as _;
                ::std::vec![#(#fields),*]
            }

            #unsaved
        }
    }
}

/// The saves at the end of a turn; nothing where there are none. What has not changed costs a look.
fn unsaved(fields: &[Field<'_>]) -> Option<TokenStream> {
    let saved: Vec<_> = fields
        .iter()
        .filter(|field| field.save == Save::EachTurn)
        .map(|Field { member, ty, .. }| {
            let span = ty.span().resolved_at(Span::call_site());
            quote_spanned! {span=>
                if ::quark::__private::SavedEachTurn::is_changed(&self.#member) {
                    saves.push(::quark::__private::SavedEachTurn::save_changed(&mut self.#member));
                }
            }
        })
        .collect();
    (!saved.is_empty()).then(|| {
        quote! {
            const SAVES_EACH_TURN: bool = true;

            fn unsaved(&mut self) -> ::std::vec::Vec<::quark::__private::Saving<'_>> {
                let mut saves = ::std::vec::Vec::new();
                #(#saved)*
                saves
            }
        }
    })
}
