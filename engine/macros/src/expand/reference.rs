use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ext::IdentExt};

use super::allow;
use crate::{
    model::{Message, Model},
    target::Target,
};

/// The reference's name: `AccountRef` for `Account`.
pub(super) fn ident(target: &Target) -> Ident {
    format_ident!("{}Ref", target.ident().unraw(), span = target.span())
}

/// The reference, with a method per message.
///
/// Its type parameter, which nobody writes, makes the impls of a private actor's reference as
/// private as the actor: without it the compiler refuses to name a private actor in them
/// (E0446), and the attribute cannot see whether the actor is one.
///
/// All of it stands where the actor's name does, for what the compiler has to say of a name that
/// is taken.
pub(super) fn expand(target: &Target, model: &Model) -> TokenStream {
    let path = &target.path;
    let ident = ident(target);
    let name = ident.to_string();
    let doc = format!(
        "Refers to one [`{}`]: each method is a message to it.",
        target.ident()
    );
    let methods = model.messages.iter().map(method);
    let allow = allow();
    quote_spanned! {target.span()=>
        #[doc = #doc]
        #allow
        pub struct #ident<Actor = #path>(
            ::quark::__private::RefCore,
            ::core::marker::PhantomData<fn() -> Actor>,
        );

        #allow
        impl #ident {
            #(#methods)*
        }

        #allow
        impl ::core::clone::Clone for #ident {
            fn clone(&self) -> Self {
                Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
            }
        }

        #allow
        impl ::core::cmp::PartialEq for #ident {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        #allow
        impl ::core::cmp::Eq for #ident {}

        #allow
        impl ::core::hash::Hash for #ident {
            fn hash<H: ::core::hash::Hasher>(&self, state: &mut H) {
                ::core::hash::Hash::hash(&self.0, state);
            }
        }

        #allow
        impl ::core::fmt::Debug for #ident {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.0).finish()
            }
        }

        #allow
        impl ::core::convert::From<::quark::__private::RefCore> for #ident {
            fn from(core: ::quark::__private::RefCore) -> Self {
                Self(core, ::core::marker::PhantomData)
            }
        }

        #allow
        impl ::quark::__private::ActorRef for #ident {
            type Actor = #path;

            fn core(&self) -> &::quark::__private::RefCore {
                &self.0
            }
        }
    }
}

fn method(message: &Message) -> TokenStream {
    let Message {
        ident,
        method,
        cfgs,
        docs,
        ..
    } = message;
    let names = message.names();
    let types = message.types();
    quote! {
        #(#docs)*
        #(#cfgs)*
        pub fn #method(&self #(, #names: #types)*) -> ::quark::Call<'_, #ident> {
            ::quark::Call::new(
                &self.0,
                #ident { #(#names,)* __signature: ::core::marker::PhantomData },
            )
        }
    }
}
