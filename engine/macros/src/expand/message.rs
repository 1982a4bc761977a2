use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Type, ext::IdentExt};

use super::{allow, arguments, turn, wire};
use crate::{
    model::Message,
    target::{By, Target},
    types,
};

/// The type that holds a message's arguments on their way, and how the engine delivers it.
///
/// Its type parameter, which nobody writes, is the message's signature; it is there for the
/// same reason as the reference's (see `reference`): an argument's type and the reply's may be
/// private.
pub(super) fn expand(target: &Target, message: &Message) -> TokenStream {
    let path = &target.path;
    let Message {
        ident,
        cfgs,
        output,
        ..
    } = message;
    let name = message.method.unraw().to_string();
    let names = message.names();
    let types = message.types();
    let sync = !message.suspends;
    let receiver = if message.exclusive {
        quote!(Exclusive)
    } else {
        quote!(Shared)
    };
    let turn = turn::expand(message);
    let wire = wire::expand(message);
    let arguments = arguments::expand(message);
    let call = call(target, message);
    let reply = reply(output);
    let (ok, err) = reply_parts(output);
    let allow = allow();
    // What other programs call, they can.
    let travel = match target.by {
        By::Contract(_) => Some(quote!(+ ::quark::__private::schema::Schema)),
        By::Itself | By::Trait(_) => None,
    };
    let fails = types::result_arguments(output).is_some();
    let error_travels = fails.then_some(&travel);
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #allow
        pub struct #ident<Signature = fn(#path #(, #types)*) -> #output> {
            #(#names: #types,)*
            __signature: ::core::marker::PhantomData<Signature>,
        }

        #(#cfgs)*
        #allow
        impl ::quark::__private::Method for #ident {
            type Actor = #path;
            type Receiver = ::quark::__private::#receiver;
            type Output = #output;
            const NAME: &'static str = #name;
            const SYNC: bool = #sync;
            #turn
            #wire
            #arguments
            #call
            #reply
        }

        #(#cfgs)*
        #allow
        const _: () = {
            // Of what may not travel, these say the remedy where its type is written.
            fn argument<T: ::quark::__private::Argument #travel>() {}
            fn reply<T: ::quark::__private::Reply #travel>() {}
            fn error<T: ::quark::__private::Reply #error_travels>() {}
            fn travel() {
                #(argument::<#types>();)*
                reply::<#ok>();
                error::<#err>();
            }
        };
    }
}

/// Runs the turn: an async method's own future, or a ready one.
fn call(target: &Target, message: &Message) -> TokenStream {
    let path = &target.path;
    let Message { method, output, .. } = message;
    let names = message.names();
    let exclusive = message.exclusive.then(|| quote!(mut));
    let (parameter, context) = context(message.takes_context);
    let turn = quote!(<#path>::#method(actor #context #(, self.#names)*));
    let turn = if matches!(target.by, By::Contract(_)) {
        quote! {
            let nobody: ::core::future::Ready<#output> = match *actor {};
            nobody
        }
    } else if message.suspends {
        turn
    } else {
        quote!(::core::future::ready(#turn))
    };
    quote! {
        fn call<'a>(
            self,
            actor: &'a #exclusive #path,
            #parameter: &'a ::quark::__private::Cx<#path>,
        ) -> impl ::core::future::Future<Output = #output> + 'a {
            #turn
        }
    }
}

/// The context's parameter, and what to hand on of it.
pub(super) fn context(taken: bool) -> (TokenStream, Option<TokenStream>) {
    if taken {
        (quote!(cx), Some(quote!(, cx)))
    } else {
        (quote!(_cx), None)
    }
}

/// Splits what the method returned into answer and error.
fn reply(output: &Type) -> TokenStream {
    let (ok, err) = reply_parts(output);
    let whole = Ends::of(output);
    let split = if types::result_arguments(output).is_some() {
        whole.part(output, "into_result")
    } else {
        quote!(::core::result::Result::Ok)
    };
    // Everything here stands where the user's type does, so that what the compiler says of it
    // more than once is said there, and shown once.
    let function = quote_spanned! {whole.first=>
        fn reply(output: #output) -> ::core::result::Result<#ok, #err> {
            #split(output)
        }
    };
    quote! {
        type Ok = #ok;
        type Err = #err;
        #function
    }
}

/// The types of a method's answer and of its error.
///
/// Each has the span of what the user wrote for it, so that a reply which cannot be sent is an
/// error there and not on the attribute.
pub(super) fn reply_parts(output: &Type) -> (TokenStream, TokenStream) {
    let Some(written) = types::result_arguments(output) else {
        return (quote!(#output), quote!(::core::convert::Infallible));
    };
    let mut written = written.map(Ends::of);
    let whole = Ends::of(output);
    let ok = written.next().unwrap_or(whole).part(output, "Ok");
    let err = written.next().unwrap_or(whole).part(output, "Err");
    (ok, err)
}

/// The spans of the first and last token of something, as spans cannot be joined.
#[derive(Clone, Copy)]
struct Ends {
    first: Span,
    last: Span,
}

impl Ends {
    fn of(tokens: &Type) -> Self {
        let mut trees = tokens.to_token_stream().into_iter();
        let first = trees.next();
        let last = trees.last().or_else(|| first.clone());
        let here = |tree: Option<TokenTree>, end: fn(&TokenTree) -> Span| {
            tree.as_ref().map_or_else(Span::call_site, end)
        };
        Self {
            first: here(first, TokenTree::span),
            last: here(last, |tree| match tree {
                TokenTree::Group(group) => group.span_close(),
                other => other.span(),
            }),
        }
    }

    /// `<output as ResultParts>::part`, which seems to stretch from the first to the last.
    fn part(self, output: &Type, part: &str) -> TokenStream {
        let open = quote_spanned!(self.first=> <);
        let part = syn::Ident::new(part, self.last);
        quote!(#open #output as ::quark::__private::ResultParts>::#part)
    }
}
