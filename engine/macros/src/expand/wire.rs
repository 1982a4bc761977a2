use proc_macro2::TokenStream;
use quote::quote;

use crate::{model::Message, model::Model, types};

/// How a message leaves the process, if all that it is made of can: probed for as `Default` is.
pub(super) fn expand(message: &Message) -> TokenStream {
    let names = message.arguments.iter().map(|argument| &argument.known_as);
    // A method without an error has none that would need a form.
    let wire = if types::result_arguments(&message.output).is_some() {
        quote!(WIRE)
    } else {
        quote!(SURE_WIRE)
    };
    quote! {
        const ARGUMENTS: &'static [&'static str] = &[#(#names),*];
        const WIRE: ::core::option::Option<&'static ::quark::__private::Wire<Self>> = {
            #[allow(unused_imports, reason = "used by messages that can't")]
            use ::quark::__private::StaysHome as _;
            ::quark::__private::Travelling::<Self>::#wire
        };

        fn number() -> u16 {
            static NUMBER: ::std::sync::OnceLock<u16> = ::std::sync::OnceLock::new();
            *NUMBER.get_or_init(::quark::__private::number_of::<Self>)
        }
    }
}

/// The list of an actor's messages.
pub(super) fn methods(model: &Model) -> TokenStream {
    let entries = model.messages.iter().map(|message| {
        let (cfgs, ident) = (&message.cfgs, &message.ident);
        quote! {
            #(#cfgs)*
            methods.push(::quark::__private::MethodEntry::of::<#ident>());
        }
    });
    quote! {
        fn methods() -> ::std::vec::Vec<::quark::__private::MethodEntry> {
            #[allow(unused_mut, reason = "an actor may have no messages")]
            let mut methods = ::std::vec::Vec::new();
            #(#entries)*
            methods
        }
    }
}
