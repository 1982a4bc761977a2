use proc_macro2::{Span, TokenStream};
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Ident, Item, Meta, Path, Token, Type,
    punctuated::Punctuated, spanned::Spanned,
};

use crate::{problems::Problems, types};

/// A type that is to leave the process.
pub(super) struct Message {
    pub(super) ident: Ident,
    /// Whether its values are in an order: those of its archived form must be then, to be keys.
    pub(super) ordered: bool,
    pub(super) shape: Shape,
}

/// A struct or enum.
pub(super) enum Shape {
    Struct(Content),
    Enum(Vec<Variant>),
}

/// One of an enum's variants.
pub(super) struct Variant {
    pub(super) ident: Ident,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) content: Content,
}

/// What a struct or variant holds.
pub(super) enum Content {
    Unit,
    Unnamed(Vec<Part>),
    Named(Vec<Part>),
}

/// A field.
pub(super) struct Part {
    /// Without a name, that of its place.
    pub(super) ident: Ident,
    pub(super) cfgs: Vec<Attribute>,
    /// As written, but for `Self`.
    pub(super) ty: Type,
    pub(super) default: bool,
}

/// The struct or enum under the attribute.
///
/// # Errors
///
/// When it is something else.
pub(super) fn item(item: TokenStream) -> syn::Result<DeriveInput> {
    match syn::parse2::<Item>(item)? {
        Item::Struct(item) => Ok(DeriveInput::from(item)),
        Item::Enum(item) => Ok(DeriveInput::from(item)),
        other => Err(syn::Error::new(
            other.span(),
            "`#[message]` goes on a struct or an enum, whose values are to leave the process",
        )),
    }
}

impl Message {
    /// Reads the type, and takes out of it what only we understand.
    pub(super) fn read(item: &mut DeriveInput, problems: &mut Problems) -> Self {
        if !item.generics.params.is_empty() {
            problems.at(
                &item.generics,
                "a message cannot be generic, because nodes agree on what one type looks like: \
                 write a struct for the instance you need",
            );
        }
        if let Some(clause) = &item.generics.where_clause {
            problems.at(
                clause,
                "a message is one concrete type and has nothing to bound: remove the where clause",
            );
        }
        take_options(&mut item.attrs, Place::Other, problems);
        let derives = derives(&item.attrs);
        for path in &derives {
            let last = path.segments.last().map(|last| last.ident.to_string());
            if let Some("Serialize" | "Deserialize" | "Archive") = last.as_deref() {
                problems.at(
                    path,
                    "`#[message]` derives this by itself: remove it from here",
                );
            }
        }
        let path = Path::from(item.ident.clone());
        let shape = match &mut item.data {
            Data::Struct(data) => Shape::Struct(content(&mut data.fields, &path, problems)),
            Data::Enum(data) => {
                let refused = match data.variants.len() {
                    0 => {
                        "a message without variants has no values that could be sent: leave out \
                          `#[message]`"
                    }
                    1..=256 => "",
                    _ => {
                        "a message has 256 variants at most: put some of them into an enum of \
                         their own"
                    }
                };
                if !refused.is_empty() {
                    problems.at(&item.ident, refused);
                }
                let variants = data.variants.iter_mut().map(|variant| {
                    take_options(&mut variant.attrs, Place::Other, problems);
                    Variant {
                        ident: variant.ident.clone(),
                        cfgs: cfgs(&variant.attrs),
                        content: content(&mut variant.fields, &path, problems),
                    }
                });
                Shape::Enum(variants.collect())
            }
            Data::Union(_) => Shape::Enum(Vec::new()),
        };
        Self {
            ident: item.ident.clone(),
            ordered: derives.iter().any(|path| path.is_ident("Ord")),
            shape,
        }
    }
}

fn content(fields: &mut Fields, path: &Path, problems: &mut Problems) -> Content {
    match fields {
        Fields::Unit => Content::Unit,
        Fields::Unnamed(fields) => {
            let fields = fields.unnamed.iter_mut().enumerate();
            Content::Unnamed(
                fields
                    .map(|(place, field)| {
                        let ident = quote::format_ident!("part_{place}", span = field.span());
                        part(field, ident, Place::Unnamed, path, problems)
                    })
                    .collect(),
            )
        }
        Fields::Named(fields) => Content::Named(
            fields
                .named
                .iter_mut()
                .map(|field| {
                    let ident = field.ident.clone();
                    let ident = ident.unwrap_or_else(|| Ident::new("_", Span::call_site()));
                    part(field, ident, Place::Named, path, problems)
                })
                .collect(),
        ),
    }
}

fn part(
    field: &mut Field,
    ident: Ident,
    place: Place,
    path: &Path,
    problems: &mut Problems,
) -> Part {
    let default = take_options(&mut field.attrs, place, problems);
    let cfgs = cfgs(&field.attrs);
    if place == Place::Unnamed
        && let Some(cfg) = cfgs.first()
    {
        problems.at(
            cfg,
            "only a field with a name may be there at times: give the fields names",
        );
    }
    Part {
        ident,
        cfgs,
        ty: types::without_self(&field.ty, path),
        default,
    }
}

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On a field with a name.
    Named,
    /// On a field without.
    Unnamed,
    /// On a type or variant.
    Other,
}

/// Takes `#[message(default)]` out, and whatever else would say how something is encoded: names
/// and forms on the wire are those that the schema tells. Whether there was a default.
fn take_options(attrs: &mut Vec<Attribute>, place: Place, problems: &mut Problems) -> bool {
    let mut default = false;
    attrs.retain(|attribute| {
        if attribute.path().is_ident("serde") || attribute.path().is_ident("rkyv") {
            problems.at(
                attribute,
                "`#[message]` says by itself how its type is encoded, so that nodes can compare \
                 it: remove this",
            );
            return false;
        }
        if !attribute.path().is_ident("message") {
            return true;
        }
        let option = attribute.parse_args::<Path>();
        if place == Place::Other {
            problems.at(
                attribute,
                "`#[message]` stands once above its type, and `#[message(default)]` on fields: \
                 remove this",
            );
        } else if !option.is_ok_and(|option| option.is_ident("default")) {
            problems.at(
                attribute,
                "a field of a message has one option: write `#[message(default)]` if it may be \
                 missing",
            );
        } else if place == Place::Unnamed {
            problems.at(
                attribute,
                "only a field with a name may be missing: give the fields names",
            );
        }
        default = true;
        false
    });
    default
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    let cfgs = attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    cfgs.cloned().collect()
}

/// What the type derives, as far as it is written below the attribute.
fn derives(attrs: &[Attribute]) -> Vec<Path> {
    attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
        .filter_map(|attribute| match &attribute.meta {
            Meta::List(list) => {
                let parser = Punctuated::<Path, Token![,]>::parse_terminated;
                list.parse_args_with(parser).ok()
            }
            _ => None,
        })
        .flatten()
        .collect()
}
