//! What the attribute writes, all of it against `::quark::__private`.

mod arguments;
mod contract;
mod hooks;
mod message;
mod reference;
mod turn;
mod wire;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{ImplItem, ItemImpl, parse_quote};

use crate::{
    model::{Model, Role},
    options::Options,
    target::{By, Target},
};

/// The user's block as it stands, then the reference, the actor and its messages.
pub(crate) fn expand(target: &Target, model: &Model, options: &Options) -> TokenStream {
    let block = match &target.by {
        By::Contract(declared) => contract::declared(target, model, declared),
        By::Itself | By::Trait(_) => user_block(target).into_token_stream(),
    };
    let kept = contract::kept(target, model);
    let reference = reference::expand(target, model);
    let actor = actor(target, model, options);
    let messages = model
        .messages
        .iter()
        .map(|message| message::expand(target, message));
    quote! {
        #block
        #reference
        #actor
        #(#messages)*
        #kept
    }
}

/// Keeps lints from asking of messages what a message cannot do: to borrow its arguments, to be
/// a function without `self`, to drop an `async` that is part of what it promises, or the `pub`
/// that makes it a message.
fn user_block(target: &Target) -> ItemImpl {
    let mut block = target.block.clone();
    // What a contract's messages do is told there.
    let told = matches!(target.by, By::Trait(_)).then(|| quote!(missing_docs,));
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else {
            continue;
        };
        crate::turn::strip(&mut function.attrs);
        if Role::of(function) != Role::Ordinary {
            function.attrs.push(parse_quote! {
                #[allow(
                    #told
                    clippy::future_not_send,
                    clippy::large_types_passed_by_value,
                    clippy::missing_const_for_fn,
                    clippy::must_use_candidate,
                    clippy::needless_pass_by_value,
                    clippy::unnecessary_wraps,
                    clippy::unused_async,
                    clippy::unused_self,
                    unreachable_pub
                )]
            });
        }
    }
    block
}

fn actor(target: &Target, model: &Model, options: &Options) -> TokenStream {
    let path = &target.path;
    let reference = reference::ident(target);
    let (name, token) = contract::name(target, &options.name_or(target.ident()));
    let of_contract = contract::items(target);
    let options = options.expression();
    let hooks = hooks::expand(target, model);
    let reminded = hooks::reminded(target, model);
    let methods = wire::methods(model);
    let fallback = fallback();
    let states = states();
    let allow = allow();
    quote_spanned! {target.span()=>
        #allow
        impl ::quark::__private::OneBlockHoldsAllMessagesOfAnActor for #path {}

        #allow
        impl ::quark::__private::Actor for #path {
            type Ref = #reference;

            const NAME: &'static str = #name;

            fn token() -> &'static ::quark::__private::TypeToken {
                static TOKEN: ::quark::__private::TypeToken =
                    ::quark::__private::TypeToken::#token(#name);
                &TOKEN
            }

            fn options() -> ::quark::__private::ActorOptions {
                #options
            }

            #of_contract
            #methods
            #fallback
            #states
            #hooks
        }

        #reminded
    }
}

/// `Default`, if the actor has it: the probe's own method is preferred to the trait's, and
/// exists for types with a default only.
fn fallback() -> TokenStream {
    quote! {
        fn fallback() -> ::core::option::Option<Self> {
            struct Probe<A>(::core::marker::PhantomData<A>);
            impl<A: ::core::default::Default> Probe<A> {
                fn made(&self) -> ::core::option::Option<A> {
                    ::core::option::Option::Some(::core::default::Default::default())
                }
            }
            trait Unmade<A> {
                fn made(&self) -> ::core::option::Option<A>;
            }
            impl<A> Unmade<A> for Probe<A> {
                fn made(&self) -> ::core::option::Option<A> {
                    ::core::option::Option::None
                }
            }
            Probe::<Self>(::core::marker::PhantomData).made()
        }
    }
}

/// The fields that are kept, if the actor derives `Stateful`: probed for in the same way.
fn states() -> TokenStream {
    quote! {
        const HAS_STATES: bool = {
            struct Probe<A>(::core::marker::PhantomData<A>);
            impl<A: ::quark::__private::Stateful> Probe<A> {
                const KEEPS: bool = true;
            }
            trait Forgets {
                const KEEPS: bool = false;
            }
            impl<A> Forgets for Probe<A> {}
            Probe::<Self>::KEEPS
        };

        const SAVES_EACH_TURN: bool = {
            struct Probe<A>(::core::marker::PhantomData<A>);
            impl<A: ::quark::__private::Stateful> Probe<A> {
                const SAVES: bool = A::SAVES_EACH_TURN;
            }
            trait Forgets {
                const SAVES: bool = false;
            }
            impl<A> Forgets for Probe<A> {}
            Probe::<Self>::SAVES
        };

        fn states(&mut self) -> ::std::vec::Vec<::quark::__private::Field<'_>> {
            struct Probe<'a, A>(&'a mut A);
            impl<'a, A: ::quark::__private::Stateful> Probe<'a, A> {
                fn kept(self) -> ::std::vec::Vec<::quark::__private::Field<'a>> {
                    self.0.fields()
                }
            }
            trait Forgets<'a>: ::core::marker::Sized {
                fn kept(self) -> ::std::vec::Vec<::quark::__private::Field<'a>> {
                    ::std::vec::Vec::new()
                }
            }
            impl<'a, A> Forgets<'a> for Probe<'a, A> {}
            Probe(self).kept()
        }

        fn unsaved(&mut self) -> ::std::vec::Vec<::quark::__private::Saving<'_>> {
            struct Probe<'a, A>(&'a mut A);
            impl<'a, A: ::quark::__private::Stateful> Probe<'a, A> {
                fn saved(self) -> ::std::vec::Vec<::quark::__private::Saving<'a>> {
                    self.0.unsaved()
                }
            }
            trait Forgets<'a>: ::core::marker::Sized {
                fn saved(self) -> ::std::vec::Vec<::quark::__private::Saving<'a>> {
                    ::std::vec::Vec::new()
                }
            }
            impl<'a, A> Forgets<'a> for Probe<'a, A> {}
            Probe(self).saved()
        }
    }
}

/// The user's lints are for the user's code. What is written here is public because a
/// reference can be, also where the actor itself is private.
fn allow() -> TokenStream {
    quote! {
        #[automatically_derived]
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            dead_code,
            deprecated,
            missing_copy_implementations,
            missing_debug_implementations,
            missing_docs,
            non_camel_case_types,
            private_bounds,
            private_interfaces,
            rustdoc::broken_intra_doc_links,
            rustdoc::private_intra_doc_links,
            single_use_lifetimes,
            unnameable_types,
            unreachable_code,
            unreachable_pub,
            unused_qualifications
        )]
    }
}
