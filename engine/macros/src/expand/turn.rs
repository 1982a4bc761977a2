use proc_macro2::TokenStream;
use quote::quote;

use super::message;
use crate::model::Message;

/// What `#[turn]` says, as constants of the message; nothing where it says nothing.
pub(super) fn expand(message: &Message) -> TokenStream {
    let priority = message.turn.priority.as_ref().map(|priority| {
        quote! {
            const PRIORITY: ::quark::__private::Priority =
                ::quark::__private::Priority::#priority;
        }
    });
    let coalesce = message.turn.coalesce.as_ref().map(|_| coalesce(message));
    quote!(#priority #coalesce)
}

/// How identical calls become one. The helpers' names are the remedies, as the compiler quotes
/// them; each is named with the user's own type, so that it is quoted there.
fn coalesce(message: &Message) -> TokenStream {
    let names = message.names();
    let types = message.types();
    let (ok, err) = message::reply_parts(&message.output);
    let option = quote!(::core::option::Option);
    let result = quote!(::core::result::Result);
    quote! {
        const COALESCE: #option<::quark::__private::Coalesce<Self>> = {
            fn an_argument_of_a_coalesced_call_must_be_partial_eq_and_clone<
                T: ::core::cmp::PartialEq + ::core::clone::Clone,
            >() -> (fn(&T, &T) -> bool, fn(&T) -> T) {
                (T::eq, T::clone)
            }
            fn a_reply_to_coalesced_calls_must_be_clone<T: ::core::clone::Clone>(
            ) -> fn(&T) -> T {
                T::clone
            }
            #option::Some(::quark::__private::Coalesce {
                same: |_one, _other| {
                    true #(&& an_argument_of_a_coalesced_call_must_be_partial_eq_and_clone
                        ::<#types>().0(&_one.#names, &_other.#names))*
                },
                copy: |_message| Self {
                    #(#names: an_argument_of_a_coalesced_call_must_be_partial_eq_and_clone
                        ::<#types>().1(&_message.#names),)*
                    __signature: ::core::marker::PhantomData,
                },
                copy_reply: |reply| match reply {
                    #result::Ok(ok) => {
                        #result::Ok(a_reply_to_coalesced_calls_must_be_clone::<#ok>()(ok))
                    }
                    #result::Err(err) => {
                        #result::Err(a_reply_to_coalesced_calls_must_be_clone::<#err>()(err))
                    }
                },
            })
        };
    }
}
