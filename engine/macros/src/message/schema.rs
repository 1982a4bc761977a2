use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Attribute, ext::IdentExt, spanned::Spanned};

use super::read::{Content, Message, Part, Shape};

/// The type's description of itself.
pub(super) fn expand(message: &Message) -> TokenStream {
    let ident = &message.ident;
    let name = ident.unraw().to_string();
    let body = match &message.shape {
        Shape::Struct(content) => {
            let content = describe(content);
            quote!(::quark::__private::schema::Body::Struct(#content))
        }
        Shape::Enum(variants) => {
            let variants = variants.iter().map(|variant| {
                let cfgs = &variant.cfgs;
                let name = variant.ident.unraw().to_string();
                let content = describe(&variant.content);
                quote! {
                    #(#cfgs)*
                    variants.push(::quark::__private::schema::Variant {
                        name: ::std::string::String::from(#name),
                        fields: #content,
                    });
                }
            });
            quote! {{
                #[allow(unused_mut, reason = "an enum may have no variants")]
                let mut variants = ::std::vec::Vec::new();
                #(#variants)*
                ::quark::__private::schema::Body::Enum(variants)
            }}
        }
    };
    let nil = nil(&message.shape);
    let fit = parts(&message.shape).map(|(of, part)| {
        let Part { cfgs, ty, .. } = part;
        let span = ty.span().resolved_at(Span::call_site());
        quote_spanned! {span=>
            #(#of)*
            #(#cfgs)*
            const _: () = if let ::core::option::Option::Some(why) =
                <#ty as ::quark::__private::schema::Schema>::UNFIT
            {
                ::core::panic!("{}", why)
            };
        }
    });
    quote! {
        impl ::quark::__private::schema::Schema for #ident {
            type Itself = Self;
            #nil

            fn describe(
                book: &mut ::quark::__private::schema::Book,
            ) -> ::quark::__private::schema::Shape {
                book.define::<Self>(#name, |book| {
                    #[allow(clippy::no_effect, reason = "not every type has parts")]
                    let _ = &book;
                    #body
                })
            }
        }

        #(#fit)*
    }
}

/// A struct of one part without a name is encoded as that part.
fn nil(shape: &Shape) -> Option<TokenStream> {
    let Shape::Struct(Content::Unnamed(parts)) = shape else {
        return None;
    };
    let [Part { ty, .. }] = &parts[..] else {
        return None;
    };
    Some(quote! {
        const NIL: bool = <#ty as ::quark::__private::schema::Schema>::NIL;
    })
}

fn describe(content: &Content) -> TokenStream {
    match content {
        Content::Unit => quote!(::quark::__private::schema::Fields::Unit),
        Content::Unnamed(parts) => {
            let parts = parts.iter().map(|Part { cfgs, ty, .. }| {
                quote! {
                    #(#cfgs)*
                    parts.push(<#ty as ::quark::__private::schema::Schema>::describe(book));
                }
            });
            quote! {{
                #[allow(unused_mut, reason = "there may be none")]
                let mut parts = ::std::vec::Vec::new();
                #(#parts)*
                ::quark::__private::schema::Fields::Unnamed(parts)
            }}
        }
        Content::Named(parts) => {
            let parts = parts.iter().map(|part| {
                let Part {
                    ident,
                    cfgs,
                    ty,
                    default,
                } = part;
                let name = ident.unraw().to_string();
                quote! {
                    #(#cfgs)*
                    parts.push(
                        ::quark::__private::schema::Field::of::<#ty>(book, #name, #default),
                    );
                }
            });
            quote! {{
                #[allow(unused_mut, reason = "there may be none")]
                let mut parts = ::std::vec::Vec::new();
                #(#parts)*
                ::quark::__private::schema::Fields::Named(parts)
            }}
        }
    }
}

/// All the fields of a type, each with the conditions of its variant.
fn parts(shape: &Shape) -> impl Iterator<Item = (&[Attribute], &Part)> {
    let contents: Vec<(&[Attribute], _)> = match shape {
        Shape::Struct(content) => vec![(&[], content)],
        Shape::Enum(variants) => variants
            .iter()
            .map(|variant| (&variant.cfgs[..], &variant.content))
            .collect(),
    };
    contents.into_iter().flat_map(|(cfgs, content)| {
        let parts = match content {
            Content::Unit => &[][..],
            Content::Unnamed(parts) | Content::Named(parts) => parts,
        };
        parts.iter().map(move |part| (cfgs, part))
    })
}
