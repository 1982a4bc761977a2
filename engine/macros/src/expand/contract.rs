//! What contracts have besides messages and a reference, and how those who implement one are held to
//! it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, ItemTrait, Path, TraitItem, ext::IdentExt, parse_quote};

use super::allow;
use crate::{
    model::{Message, Model},
    target::{By, Target},
    types,
};

/// The trait itself, whose methods take their turn's context too; the type that stands for it, and
/// how that is found.
pub(super) fn declared(target: &Target, model: &Model, declared: &ItemTrait) -> TokenStream {
    let (path, vis, name) = (&target.path, &declared.vis, &declared.ident);
    let messages = model.messages.iter().map(listed);
    let fit = model.messages.iter().map(fit);
    let user = with_context(declared);
    let allow = allow();
    quote_spanned! {target.span()=>
        #[allow(
            async_fn_in_trait,
            clippy::future_not_send,
            clippy::large_types_passed_by_value,
            clippy::must_use_candidate,
            clippy::needless_pass_by_value,
            dead_code,
            reason = "its methods are messages, which the engine sends and polls"
        )]
        #user

        #[doc(hidden)]
        #allow
        #vis enum #path {}

        #allow
        impl ::quark::__private::Addressed for dyn #name {
            type Actor = #path;
        }

        #allow
        impl ::quark::__private::Contract for dyn #name {
            const MESSAGES: &'static [::quark::__private::ContractMessage] = &[#(#messages),*];
        }

        #(#fit)*
    }
}

/// Each method can be called by the engine, for those who implement it, and none makes the trait one
/// that cannot be `dyn`.
fn with_context(declared: &ItemTrait) -> ItemTrait {
    let mut declared = declared.clone();
    for item in &mut declared.items {
        if let TraitItem::Fn(function) = item {
            let signature = &mut function.sig;
            signature
                .inputs
                .insert(1, parse_quote!(cx: &::quark::__private::Cx<Self>));
            let bounds = signature.generics.make_where_clause();
            bounds
                .predicates
                .push(parse_quote!(Self: ::core::marker::Sized + ::quark::__private::Actor));
        }
    }
    declared
}

fn listed(message: &Message) -> TokenStream {
    let cfgs = &message.cfgs;
    let name = message.method.unraw().to_string();
    let arguments = message.arguments.iter().map(|argument| &argument.known_as);
    let fails = types::result_arguments(&message.output).is_some();
    quote! {
        #(#cfgs)*
        ::quark::__private::ContractMessage {
            name: #name,
            arguments: &[#(#arguments),*],
            fails: #fails,
        }
    }
}

/// That a message has a form outside of the process. Each of its types has, or the compiler says so.
fn fit(message: &Message) -> TokenStream {
    let (cfgs, ident) = (&message.cfgs, &message.ident);
    let remedy = format!(
        "`{}` can't leave the process: if all its types have `#[message]`, one is an option of \
         what may be nothing, or a list of it, and has no form: wrap that in a struct",
        message.method
    );
    quote_spanned! {message.ident.span()=>
        #(#cfgs)*
        const _: () = ::core::assert!(
            <#ident as ::quark::__private::Method>::WIRE.is_some(),
            #remedy
        );
    }
}

/// The name of an actor, and the token that it has.
pub(super) fn name(target: &Target, own: &str) -> (TokenStream, Ident) {
    let new = |name: &str| Ident::new(name, proc_macro2::Span::call_site());
    match &target.by {
        By::Itself => (quote!(#own), new("new")),
        By::Contract(_) => (quote!(#own), new("of_contract")),
        By::Trait(contract) => {
            let contract = stands_for(contract);
            let name = quote!(<#contract as ::quark::__private::Actor>::NAME);
            (name, new("new"))
        }
    }
}

/// What an actor says of contracts.
pub(super) fn items(target: &Target) -> TokenStream {
    match &target.by {
        By::Itself => quote!(),
        By::Contract(_) => quote!(
            const IS_CONTRACT: bool = true;
        ),
        By::Trait(contract) => {
            let contract = stands_for(contract);
            quote! {
                fn implements() -> ::core::option::Option<
                    &'static ::quark::__private::TypeToken,
                > {
                    ::core::option::Option::Some(
                        <#contract as ::quark::__private::Actor>::token(),
                    )
                }
            }
        }
    }
}

/// The type that stands for a contract.
fn stands_for(contract: &Path) -> TokenStream {
    quote!(<dyn #contract as ::quark::__private::Addressed>::Actor)
}

/// Holds an actor to its contract: the compiler compares the methods with those of the trait, and
/// what it does not look at is asserted.
pub(super) fn kept(target: &Target, model: &Model) -> Option<TokenStream> {
    let By::Trait(contract) = &target.by else {
        return None;
    };
    let path = &target.path;
    let methods = model.messages.iter().map(|message| method(path, message));
    let agrees = model
        .messages
        .iter()
        .map(|message| agrees(contract, message));
    let allow = allow();
    Some(quote! {
        #allow
        impl #contract for #path {
            #(#methods)*
        }

        #(#agrees)*
    })
}

/// The trait's method: the actor's own.
fn method(path: &Path, message: &Message) -> TokenStream {
    let Message {
        cfgs,
        method,
        output,
        ..
    } = message;
    let names = message.names();
    let types = message.types();
    let (suspends, wait) = if message.suspends {
        (Some(quote!(async)), Some(quote!(.await)))
    } else {
        (None, None)
    };
    let exclusive = message.exclusive.then(|| quote!(mut));
    let context = message.takes_context.then(|| quote!(, __cx));
    let span = method.span().resolved_at(proc_macro2::Span::call_site());
    quote_spanned! {span=>
        #(#cfgs)*
        #suspends fn #method(
            & #exclusive self,
            __cx: &::quark::__private::Cx<Self>
            #(, #names: #types)*
        ) -> #output {
            <#path>::#method(self #context #(, #names)*) #wait
        }
    }
}

fn agrees(contract: &Path, message: &Message) -> TokenStream {
    let (cfgs, method) = (&message.cfgs, &message.method);
    let name = method.unraw().to_string();
    let arguments = message.arguments.iter().map(|argument| &argument.known_as);
    let fails = types::result_arguments(&message.output).is_some();
    let all = quote!(<dyn #contract as ::quark::__private::Contract>::MESSAGES);
    let of_names = format!(
        "an argument of `{name}` has another name than in the contract, by which other versions know \
         it: give it the same"
    );
    let of_error = format!(
        "`{name}` has an error of its own here or in the contract, and not in both: call its return \
         type `Result` in both, or in neither"
    );
    let span = method.span().resolved_at(proc_macro2::Span::call_site());
    quote_spanned! {span=>
        #(#cfgs)*
        const _: () = {
            ::core::assert!(
                ::quark::__private::ContractMessage::has_arguments(
                    #all, #name, &[#(#arguments),*],
                ),
                #of_names
            );
            ::core::assert!(
                ::quark::__private::ContractMessage::has_error(#all, #name, #fails),
                #of_error
            );
        };
    }
}
