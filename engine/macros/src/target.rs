use proc_macro2::{Span, TokenStream};
use syn::{Ident, Item, ItemImpl, ItemTrait, Path, PathArguments, Type, spanned::Spanned};

use crate::{contract, problems::Problems, types};

/// The block under the attribute, and the type it is for.
pub(crate) struct Target {
    /// An impl block of the type's own; what stands elsewhere has been made one.
    pub(crate) block: ItemImpl,
    /// The type as the block names it, without generic arguments.
    pub(crate) path: Path,
    /// What the user calls it.
    pub(crate) name: Ident,
    pub(crate) by: By,
}

/// Whose word the messages are.
pub(crate) enum By {
    /// The actor's own.
    Itself,
    /// A contract's, which this is: the type has no instances.
    Contract(Box<ItemTrait>),
    /// A contract's, which the actor implements.
    Trait(Path),
}

impl Target {
    /// Reads the item under the attribute.
    ///
    /// # Errors
    ///
    /// When it is anything but a non-generic impl block of a named type, or a trait.
    pub(crate) fn parse(item: TokenStream, problems: &mut Problems) -> syn::Result<Self> {
        let mut block = match syn::parse2::<Item>(item)? {
            Item::Impl(block) => block,
            Item::Trait(declared) => return Ok(contract::declared(declared, problems)),
            other => return Err(not_an_impl(&other)),
        };
        let by = match contract::implemented(&mut block, problems) {
            Some(path) => By::Trait(path),
            None => By::Itself,
        };
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
        let name = path.segments[path.segments.len() - 1].ident.clone();
        Ok(Self {
            block,
            path,
            name,
            by,
        })
    }

    /// Where the actor's name stands, for what is written in its stead.
    pub(crate) fn span(&self) -> Span {
        self.ident().span().resolved_at(Span::call_site())
    }

    /// The name by which its reference and its messages are called.
    pub(crate) fn ident(&self) -> &Ident {
        &self.name
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
            "`#[actor]` goes on an impl block, or on a trait that declares messages: write \
             `#[actor] impl Type { … }`",
        ),
    }
}
