use proc_macro2::{Span, TokenStream};
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Ident, Item, Meta, Path, Token, Type, parse_quote,
    punctuated::Punctuated, spanned::Spanned,
};

use crate::{problems::Problems, types};

/// A type that is to leave the process.
pub(super) struct Message {
    /// What the user wrote, with `#[message(default)]` put in serde's words.
    pub(super) item: DeriveInput,
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

impl Message {
    /// Reads the item under the attribute.
    ///
    /// # Errors
    ///
    /// When it is no concrete struct or enum, or says itself how it is encoded.
    pub(super) fn read(item: TokenStream) -> syn::Result<Self> {
        let mut item = match syn::parse2::<Item>(item)? {
            Item::Struct(item) => DeriveInput::from(item),
            Item::Enum(item) => DeriveInput::from(item),
            other => {
                return Err(syn::Error::new(
                    other.span(),
                    "`#[message]` goes on a struct or an enum, whose values are to leave the \
                     process",
                ));
            }
        };
        let mut problems = Problems::default();
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
        refuse_codecs(&item.attrs, &mut problems);
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
            Data::Struct(data) => Shape::Struct(content(&mut data.fields, &path, &mut problems)),
            Data::Enum(data) => {
                if data.variants.len() > 256 {
                    problems.at(
                        &item.ident,
                        "a message has 256 variants at most: put some of them into an enum of \
                         their own",
                    );
                }
                Shape::Enum(
                    data.variants
                        .iter_mut()
                        .map(|variant| {
                            refuse_codecs(&variant.attrs, &mut problems);
                            default(&mut variant.attrs, false, &mut problems);
                            Variant {
                                ident: variant.ident.clone(),
                                cfgs: cfgs(&variant.attrs),
                                content: content(&mut variant.fields, &path, &mut problems),
                            }
                        })
                        .collect(),
                )
            }
            Data::Union(_) => Shape::Enum(Vec::new()),
        };
        problems.finish(Self {
            ordered: derives.iter().any(|path| path.is_ident("Ord")),
            item,
            shape,
        })
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
                        part(field, ident, false, path, problems)
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
                    part(field, ident, true, path, problems)
                })
                .collect(),
        ),
    }
}

fn part(
    field: &mut Field,
    ident: Ident,
    named: bool,
    path: &Path,
    problems: &mut Problems,
) -> Part {
    refuse_codecs(&field.attrs, problems);
    let default = default(&mut field.attrs, named, problems);
    let cfgs = cfgs(&field.attrs);
    if !named && let Some(cfg) = cfgs.first() {
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

/// Takes `#[message(default)]` out, and puts it in serde's words.
fn default(attrs: &mut Vec<Attribute>, named: bool, problems: &mut Problems) -> bool {
    let mut default = false;
    for attribute in attrs {
        if !attribute.path().is_ident("message") {
            continue;
        }
        let says_default = attribute
            .parse_args::<Path>()
            .is_ok_and(|option| option.is_ident("default"));
        if !says_default {
            problems.at(
                &*attribute,
                "a field of a message has one option: write `#[message(default)]` if it may be \
                 missing",
            );
        } else if !named {
            problems.at(
                &*attribute,
                "only a field with a name may be missing: give the fields names",
            );
        }
        default = true;
        *attribute = parse_quote!(#[serde(default)]);
    }
    default
}

/// Names and forms on the wire are those that the schema tells, so nothing else may change them.
fn refuse_codecs(attrs: &[Attribute], problems: &mut Problems) {
    for attribute in attrs {
        if attribute.path().is_ident("serde") || attribute.path().is_ident("rkyv") {
            problems.at(
                attribute,
                "`#[message]` says by itself how its type is encoded, so that nodes can compare \
                 it: remove this",
            );
        }
    }
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
