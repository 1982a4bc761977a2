use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use super::message::context;
use crate::{
    model::{Hook, Model},
    target::Target,
};

/// The hooks' items in the actor's impl; where the user wrote none, or `#[cfg]` takes it away,
/// ones that do nothing.
pub(super) fn expand(target: &Target, model: &Model) -> TokenStream {
    let activate = either(
        model.activate.as_ref(),
        |hook| activate(target, hook),
        || Items {
            constant: quote!(
                const HAS_ACTIVATE: bool = false;
            ),
            function: activate_function(
                &quote!(_cx),
                &quote!(::core::future::ready(::core::result::Result::Ok(()))),
            ),
        },
    );
    let deactivate = either(
        model.deactivate.as_ref(),
        |hook| deactivate(target, hook),
        || Items {
            constant: quote!(
                const HAS_DEACTIVATE: bool = false;
            ),
            function: deactivate_function(&quote!(_cx), &quote!(::core::future::ready(()))),
        },
    );
    let remind = model.remind.as_ref().map(|hook| remind(target, hook));
    quote!(#activate #deactivate #remind)
}

/// Says of an actor that it can be reminded.
pub(super) fn reminded(target: &Target, model: &Model) -> Option<TokenStream> {
    let hook = model.remind.as_ref()?;
    let (path, cfgs) = (&target.path, &hook.cfgs);
    Some(quote! {
        #(#cfgs)*
        impl ::quark::__private::Reminded for #path {}
    })
}

/// What one hook is in the actor's impl.
struct Items {
    constant: TokenStream,
    function: TokenStream,
}

fn activate(target: &Target, hook: &Hook) -> Items {
    let path = &target.path;
    let Hook { method, output, .. } = hook;
    let (parameter, context) = context(hook.takes_context);
    let call = quote!(<#path>::#method(self #context));
    let answer = quote!(<#output as ::quark::__private::IntoActivation>::into_activation);
    let body = if hook.suspends {
        quote!(async move { #answer(#call.await) })
    } else {
        quote!(::core::future::ready(#answer(#call)))
    };
    Items {
        constant: quote!(
            const HAS_ACTIVATE: bool = true;
        ),
        function: activate_function(&parameter, &body),
    }
}

fn deactivate(target: &Target, hook: &Hook) -> Items {
    let path = &target.path;
    let method = &hook.method;
    let (parameter, context) = context(hook.takes_context);
    let call = quote!(<#path>::#method(self #context));
    let body = if hook.suspends {
        call
    } else {
        quote!(::core::future::ready(#call))
    };
    Items {
        constant: quote!(
            const HAS_DEACTIVATE: bool = true;
        ),
        function: deactivate_function(&parameter, &body),
    }
}

/// Where the user wrote none, or `#[cfg]` takes it away, the trait's own does nothing.
fn remind(target: &Target, hook: &Hook) -> TokenStream {
    let path = &target.path;
    let (method, cfgs) = (&hook.method, &hook.cfgs);
    let (parameter, context) = context(hook.takes_context);
    let call = quote!(<#path>::#method(self #context, due));
    let body = if hook.suspends {
        call
    } else {
        quote!(::core::future::ready(#call))
    };
    quote! {
        #(#cfgs)*
        const HAS_REMINDER: bool = true;

        #(#cfgs)*
        fn remind<'a>(
            &'a mut self,
            #parameter: &'a ::quark::__private::Cx<Self>,
            due: ::quark::__private::Due,
        ) -> impl ::core::future::Future<Output = ()> + 'a {
            #body
        }
    }
}

fn activate_function(context: &TokenStream, body: &TokenStream) -> TokenStream {
    quote! {
        fn activate<'a>(
            &'a mut self,
            #context: &'a ::quark::__private::Cx<Self>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<(), ::quark::__private::ActivateError>,
        > + 'a {
            #body
        }
    }
}

fn deactivate_function(context: &TokenStream, body: &TokenStream) -> TokenStream {
    quote! {
        fn deactivate<'a>(
            &'a mut self,
            #context: &'a ::quark::__private::Cx<Self>,
        ) -> impl ::core::future::Future<Output = ()> + 'a {
            #body
        }
    }
}

/// The items of a hook under its `#[cfg]`s, and those of no hook under the contrary.
fn either(
    hook: Option<&Hook>,
    some: impl FnOnce(&Hook) -> Items,
    none: impl FnOnce() -> Items,
) -> TokenStream {
    let conditions: Vec<_> = hook.map_or_else(Vec::new, |hook| {
        hook.cfgs.iter().filter_map(condition).collect()
    });
    let Some(Items { constant, function }) = hook.map(some) else {
        let Items { constant, function } = none();
        return quote!(#constant #function);
    };
    if conditions.is_empty() {
        return quote!(#constant #function);
    }
    let absent = none();
    let (absent_constant, absent_function) = (absent.constant, absent.function);
    quote! {
        #[cfg(all(#(#conditions),*))]
        #constant
        #[cfg(not(all(#(#conditions),*)))]
        #absent_constant
        #[cfg(all(#(#conditions),*))]
        #function
        #[cfg(not(all(#(#conditions),*)))]
        #absent_function
    }
}

fn condition(cfg: &Attribute) -> Option<TokenStream> {
    cfg.meta.require_list().ok().map(|list| list.tokens.clone())
}
