//! `#[message]`: what it takes for a type to leave the process. `read` says what the type
//! declares, `schema` writes its description, `codecs` its forms for rkyv and serde.

mod codecs;
mod read;
mod schema;

use proc_macro2::TokenStream;
use quote::quote;

use self::read::Message;
use crate::problems::Problems;

/// The attribute.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    if !options.is_empty() {
        problems.at(
            options,
            "`#[message]` has no options here: write `#[message(default)]` on a field that may \
             be missing",
        );
    }
    let Some(mut item) = problems.ok(read::item(item.clone())) else {
        return quote!(#item #problems);
    };
    let message = Message::read(&mut item, &mut problems);
    if !problems.is_empty() {
        return quote!(#item #problems);
    }
    let schema = schema::expand(&message);
    let codecs = codecs::expand(&message);
    quote! {
        #item

        // Nothing of this is to be seen beside the user's type, nor by the user's lints.
        #[automatically_derived]
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            dead_code,
            deprecated,
            let_underscore_drop,
            missing_copy_implementations,
            missing_debug_implementations,
            missing_docs,
            non_camel_case_types,
            private_bounds,
            private_interfaces,
            single_use_lifetimes,
            unnameable_types,
            unreachable_pub,
            unused_qualifications,
            unused_results
        )]
        const _: () = {
            #schema
            #codecs
        };
    }
}
