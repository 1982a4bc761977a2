use proc_macro2::TokenStream;
use quote::quote_spanned;

use crate::model::Message;

/// A message taken apart, copied and shown: what tests look at, and their stand-ins are given.
/// Arguments that can't be copied or shown are no error; only tests that want to are told.
///
/// All of it stands where the method's name does, so that what the compiler says of a message that
/// may not travel is said there, and shown once.
pub(super) fn expand(message: &Message) -> TokenStream {
    let names = message.names();
    let types = message.types();
    quote_spanned! {message.ident.span()=>
        type Args = (#(#types,)*);

        fn into_args(self) -> Self::Args {
            (#(self.#names,)*)
        }

        fn from_args((#(#names,)*): Self::Args) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                #(#names,)*
                __signature: ::core::marker::PhantomData,
            })
        }

        fn copy(&self) -> ::core::option::Option<Self> {
            #[allow(unused_imports, reason = "used by arguments that are not Clone")]
            use ::quark::__private::NotClone as _;
            ::core::option::Option::Some(Self {
                #(#names: ::quark::__private::Copied(&self.#names).copied()?,)*
                __signature: ::core::marker::PhantomData,
            })
        }

        fn show(&self) -> ::std::string::String {
            #[allow(unused_imports, reason = "used by arguments that are not Debug")]
            use ::quark::__private::NotDebug as _;
            ::quark::__private::show(&[#(::quark::__private::Shown(&self.#names).shown()),*])
        }
    }
}
