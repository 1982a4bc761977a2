use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, ext::IdentExt, parse_quote, spanned::Spanned};

use super::read::{Content, Message, Part, Shape};

/// The type's forms for rkyv and serde.
///
/// rkyv's derives write public types beside the one they are for, where the user's documentation
/// and lints would find them. So they are given a twin, which nobody sees, as the remote
/// description of the user's type; what that can do is then handed on.
///
/// No part's own bounds are repeated: a type that contains itself, or another that contains it,
/// would be bounded by itself. Whatever the parts need is said of the serializer instead.
///
/// The twin's parts have their types by way of `Schema`: of one that is no message, the compiler
/// then says that, and not what else it lacks.
pub(super) fn expand(message: &Message) -> TokenStream {
    let ident = &message.ident;
    let twin = twin(message);
    let from_twin = from_twin(message);
    quote! {
        use ::quark::__private::{rkyv as __rkyv, serde as __serde};

        #twin
        #from_twin

        impl __serde::Serialize for #ident {
            fn serialize<S: __serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                __QuarkTwin::serialize(self, serializer)
            }
        }

        impl<'de> __serde::Deserialize<'de> for #ident {
            fn deserialize<D: __serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                __QuarkTwin::deserialize(deserializer)
            }
        }

        impl __rkyv::Archive for #ident {
            type Archived = __QuarkArchived;
            type Resolver = __QuarkResolver;

            fn resolve(
                &self,
                resolver: Self::Resolver,
                out: __rkyv::Place<Self::Archived>,
            ) {
                <__QuarkTwin as __rkyv::with::ArchiveWith<#ident>>::resolve_with(
                    self, resolver, out,
                );
            }
        }

        impl<__S> __rkyv::Serialize<__S> for #ident
        where
            __S: __rkyv::rancor::Fallible + __rkyv::ser::Writer + __rkyv::ser::Allocator + ?Sized,
            <__S as __rkyv::rancor::Fallible>::Error: __rkyv::rancor::Source,
        {
            fn serialize(
                &self,
                serializer: &mut __S,
            ) -> ::core::result::Result<
                Self::Resolver,
                <__S as __rkyv::rancor::Fallible>::Error,
            > {
                <__QuarkTwin as __rkyv::with::SerializeWith<#ident, __S>>::serialize_with(
                    self, serializer,
                )
            }
        }

        impl<__D> __rkyv::Deserialize<#ident, __D> for __QuarkArchived
        where
            __D: __rkyv::rancor::Fallible + ?Sized,
            <__D as __rkyv::rancor::Fallible>::Error: __rkyv::rancor::Source,
        {
            fn deserialize(
                &self,
                deserializer: &mut __D,
            ) -> ::core::result::Result<#ident, <__D as __rkyv::rancor::Fallible>::Error> {
                <__QuarkTwin as __rkyv::with::DeserializeWith<__QuarkArchived, #ident, __D>>
                    ::deserialize_with(self, deserializer)
            }
        }
    }
}

/// The same type once more, for rkyv's derives.
fn twin(message: &Message) -> TokenStream {
    let ident = &message.ident;
    let name = ident.to_string();
    let plain_name = ident.unraw().to_string();
    let ordered = message.ordered.then(|| {
        quote! {
            #[rkyv(derive(
                ::core::cmp::PartialEq,
                ::core::cmp::Eq,
                ::core::cmp::PartialOrd,
                ::core::cmp::Ord
            ))]
        }
    });
    let body = match &message.shape {
        Shape::Struct(content) => {
            let end = (!matches!(content, Content::Named(_))).then(|| quote!(;));
            let content = declared(content);
            quote!(pub struct __QuarkTwin #content #end)
        }
        Shape::Enum(variants) => {
            let variants = variants.iter().map(|variant| {
                let cfgs = &variant.cfgs;
                let ident = &variant.ident;
                let content = declared(&variant.content);
                quote!(#(#cfgs)* #ident #content)
            });
            quote!(pub enum __QuarkTwin { #(#variants,)* })
        }
    };
    quote! {
        #[derive(__serde::Serialize, __serde::Deserialize)]
        #[serde(crate = "::quark::__private::serde", remote = #name, rename = #plain_name)]
        #[derive(__rkyv::Archive, __rkyv::Serialize, __rkyv::Deserialize)]
        #[rkyv(
            crate = ::quark::__private::rkyv,
            remote = #ident,
            archived = __QuarkArchived,
            resolver = __QuarkResolver,
            serialize_bounds(
                __S: __rkyv::ser::Writer + __rkyv::ser::Allocator,
                <__S as __rkyv::rancor::Fallible>::Error: __rkyv::rancor::Source,
            ),
            deserialize_bounds(<__D as __rkyv::rancor::Fallible>::Error: __rkyv::rancor::Source),
            bytecheck(bounds(
                __C: __rkyv::validation::ArchiveContext,
                <__C as __rkyv::rancor::Fallible>::Error: __rkyv::rancor::Source,
            ))
        )]
        #ordered
        #body
    }
}

fn declared(content: &Content) -> TokenStream {
    let part = |part: &Part, named: bool| {
        let Part {
            ident,
            cfgs,
            ty,
            default,
        } = part;
        let name = named.then(|| quote!(#ident:));
        // All of it stands where the user's field does.
        let span = ident.span().resolved_at(Span::call_site());
        let default = default.then(|| quote_spanned!(span=> #[serde(default)]));
        let ty_span = ty.span().resolved_at(Span::call_site());
        let ty = quote_spanned! {ty_span=>
            <#ty as ::quark::__private::schema::Schema>::Itself
        };
        quote_spanned!(span=> #default #(#cfgs)* #[rkyv(omit_bounds)] #name #ty)
    };
    match content {
        Content::Unit => TokenStream::new(),
        Content::Unnamed(parts) => {
            let parts = parts.iter().map(|one| part(one, false));
            quote!((#(#parts),*))
        }
        Content::Named(parts) => {
            let parts = parts.iter().map(|one| part(one, true));
            quote!({ #(#parts,)* })
        }
    }
}

/// What was read as the twin is the user's type.
fn from_twin(message: &Message) -> TokenStream {
    let ident = &message.ident;
    let twin: Ident = parse_quote!(__QuarkTwin);
    let arms = match &message.shape {
        Shape::Struct(content) => {
            let content = taken(content);
            quote!(#twin #content => #ident #content,)
        }
        Shape::Enum(variants) => {
            let arms = variants.iter().map(|variant| {
                let cfgs = &variant.cfgs;
                let name = &variant.ident;
                let content = taken(&variant.content);
                quote!(#(#cfgs)* #twin::#name #content => #ident::#name #content,)
            });
            quote!(#(#arms)*)
        }
    };
    quote! {
        impl ::core::convert::From<#twin> for #ident {
            fn from(twin: #twin) -> Self {
                match twin { #arms }
            }
        }
    }
}

/// The parts by name, as a pattern and as an expression.
fn taken(content: &Content) -> TokenStream {
    match content {
        Content::Unit => TokenStream::new(),
        Content::Unnamed(parts) => {
            let idents = parts.iter().map(|part| &part.ident);
            quote!((#(#idents),*))
        }
        Content::Named(parts) => {
            let idents = parts
                .iter()
                .map(|Part { ident, cfgs, .. }| quote!(#(#cfgs)* #ident));
            quote!({ #(#idents,)* })
        }
    }
}
