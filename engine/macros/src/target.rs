use proc_macro2::{Span, TokenStream};
use syn::{Ident, Item, ItemImpl, Path, PathArguments, Type, spanned::Spanned};

use crate::types;

/// The impl block under the attribute, and the type it is for.
pub(crate) struct Target {
    pub(crate) block: ItemImpl,
    /// The type as the block names it, without generic arguments.
    pub(crate) path: Path,
}

impl Target {
    /// Reads the item under the attribute.
    ///
    /// # Errors
    ///
    /// When it is anything but an inherent, non-generic impl block of a named type.
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        let block = match syn::parse2::<Item>(item)? {
            Item::Impl(block) => block,
            other => return Err(not_an_impl(&other)),
        };
        if let Some((path, _)) = &block.trait_ {
            return Err(syn::Error::new_spanned(
                path,
                "an actor's messages are the methods of its own impl block, not of a trait: \
                 put `#[actor]` on `impl Type { … }` and leave this block without it",
            ));
        }
        if !block.generics.params.is_empty() {
            return Err(generic(&block.generics));
        }
        if let Some(clause) = &block.generics.where_clause {
            return Err(syn::Error::new_spanned(
                clause,
                "an actor is one concrete type, so its block has nothing to bound: \
                 remove the where clause",
            ));
        }
        let path = named_type(&block.self_ty)?;
        Ok(Self { block, path })
    }

    /// Where the actor's name stands, for what is written in its stead.
    pub(crate) fn span(&self) -> Span {
        self.ident().span().resolved_at(Span::call_site())
    }

    /// The type's own name, the last segment of its path.
    pub(crate) fn ident(&self) -> &Ident {
        &self.path.segments[self.path.segments.len() - 1].ident
    }
}

fn named_type(ty: &Type) -> syn::Result<Path> {
    let Type::Path(named) = types::peel(ty) else {
        return Err(unnamed(ty));
    };
    if let Some(qualified) = &named.qself {
        return Err(unnamed(&qualified.ty));
    }
    if let Some(segment) = named
        .path
        .segments
        .iter()
        .find(|segment| !matches!(segment.arguments, PathArguments::None))
    {
        return Err(generic(&segment.arguments));
    }
    Ok(named.path.clone())
}

fn generic(tokens: impl quote::ToTokens) -> syn::Error {
    syn::Error::new_spanned(
        tokens,
        "an actor cannot be generic, because its registered name stands for one type: \
         wrap the instance you need in a struct of its own",
    )
}

fn unnamed(tokens: impl quote::ToTokens) -> syn::Error {
    syn::Error::new_spanned(
        tokens,
        "an actor is a struct or enum of this crate: write its name after `impl`",
    )
}

fn not_an_impl(item: &Item) -> syn::Error {
    let move_it = |name: &Ident| {
        syn::Error::new(
            name.span(),
            format!(
                "`#[actor]` goes on the impl block that holds the messages, not on the type: \
                 move it to `impl {name} {{ … }}`"
            ),
        )
    };
    match item {
        Item::Struct(item) => move_it(&item.ident),
        Item::Enum(item) => move_it(&item.ident),
        Item::Union(item) => move_it(&item.ident),
        Item::Fn(item) => syn::Error::new(
            item.sig.ident.span(),
            "`#[actor]` goes on an impl block, where every `pub` method with `&mut self` or \
             `&self` is a message: move it to the block round the actor's methods",
        ),
        other => syn::Error::new(
            other.span(),
            "`#[actor]` goes on an impl block: write `#[actor] impl Type { … }`",
        ),
    }
}
