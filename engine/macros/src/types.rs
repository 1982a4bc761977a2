//! What the attribute must know of the user's types, from their tokens alone.

use quote::ToTokens;
use syn::{
    GenericArgument, Lifetime, ParenthesizedGenericArguments, Path, PathArguments, Type, TypeFnPtr,
    TypeImplTrait, TypeReference,
    visit::Visit,
    visit_mut::{self, VisitMut},
};

/// The type without the parentheses or invisible groups round it.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Paren(inner) => &inner.elem,
            Type::Group(inner) => &inner.elem,
            other => return other,
        };
    }
}

/// The type with the actor's name in place of `Self`, since what is generated lies outside of
/// the impl block. The name gets the span of each `Self`, so that errors still point there.
pub(crate) fn without_self(ty: &Type, actor: &Path) -> Type {
    let mut ty = ty.clone();
    Unself(actor).visit_type_mut(&mut ty);
    ty
}

struct Unself<'a>(&'a Path);

impl VisitMut for Unself<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        visit_mut::visit_path_mut(self, path);
        let first = &path.segments[0];
        if path.leading_colon.is_some() || first.ident != "Self" {
            return;
        }
        let span = first.ident.span();
        let mut full = self.0.clone();
        for segment in &mut full.segments {
            segment.ident.set_span(span);
        }
        full.segments.extend(path.segments.iter().skip(1).cloned());
        *path = full;
    }
}

/// The first borrow in a type that is not `'static`. What stands inside `fn(…)` and `Fn(…)`
/// borrows at the call, and is left alone; so are lifetimes with a name, as a message declares
/// none and they can only be those of a `for<'a>`.
pub(crate) fn borrow(ty: &Type) -> Option<Borrow<'_>> {
    let mut finder = FindBorrow(None);
    finder.visit_type(ty);
    finder.0
}

#[derive(Clone, Copy)]
pub(crate) enum Borrow<'ast> {
    Reference(&'ast TypeReference),
    Lifetime(&'ast Lifetime),
}

impl Borrow<'_> {
    /// The owned type to write instead, where one is plain to see.
    pub(crate) fn owned(&self) -> Option<String> {
        let Self::Reference(reference) = self else {
            return None;
        };
        match peel(&reference.elem) {
            Type::Slice(slice) => Some(format!("Vec<{}>", text(&slice.elem))),
            Type::Path(named) if named.path.is_ident("str") => Some("String".to_owned()),
            Type::Path(named) if named.path.is_ident("Path") => Some("PathBuf".to_owned()),
            Type::Path(_) | Type::Tuple(_) | Type::Array(_) => Some(text(&reference.elem)),
            _ => None,
        }
    }
}

impl ToTokens for Borrow<'_> {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self {
            Self::Reference(reference) => reference.to_tokens(tokens),
            Self::Lifetime(lifetime) => lifetime.to_tokens(tokens),
        }
    }
}

struct FindBorrow<'ast>(Option<Borrow<'ast>>);

impl<'ast> Visit<'ast> for FindBorrow<'ast> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        match &reference.lifetime {
            Some(lifetime) if lifetime.ident != "_" => self.visit_type(&reference.elem),
            _ => self.0 = self.0.or(Some(Borrow::Reference(reference))),
        }
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident == "_" {
            self.0 = self.0.or(Some(Borrow::Lifetime(lifetime)));
        }
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast ParenthesizedGenericArguments) {}
}

/// The first `impl Trait` in a type.
pub(crate) fn impl_trait(ty: &Type) -> Option<&TypeImplTrait> {
    struct Find<'ast>(Option<&'ast TypeImplTrait>);
    impl<'ast> Visit<'ast> for Find<'ast> {
        fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
            self.0 = self.0.or(Some(ty));
        }
    }
    let mut finder = Find(None);
    finder.visit_type(ty);
    finder.0
}

/// How a type stands to the engine's context, `&Cx<Self>`.
pub(crate) enum Context<'ast> {
    /// Another type.
    No,
    /// `&Cx<Self>`.
    Lent,
    /// `Cx<…>` by value, or `&mut Cx<…>`.
    NotLent,
    /// `&Cx<Other>`.
    OfOther(&'ast Type),
}

/// Recognises the context by the name `Cx`, as the macro sees no types.
pub(crate) fn context<'ast>(ty: &'ast Type, actor: &Path) -> Context<'ast> {
    let ty = peel(ty);
    let (inner, lent) = match ty {
        Type::Reference(reference) => (peel(&reference.elem), reference.mutability.is_none()),
        other => (other, false),
    };
    let Some(arguments) = last_arguments(inner, "Cx") else {
        return Context::No;
    };
    if !lent {
        return Context::NotLent;
    }
    match types_of(arguments).next() {
        Some(of) if !is_actor(of, actor) => Context::OfOther(of),
        _ => Context::Lent,
    }
}

/// The types given to a type called `Result`: none to two of them, as it may be an alias.
pub(crate) fn result_arguments(ty: &Type) -> Option<impl Iterator<Item = &Type>> {
    last_arguments(peel(ty), "Result").map(types_of)
}

fn last_arguments<'ast>(ty: &'ast Type, name: &str) -> Option<&'ast PathArguments> {
    let Type::Path(named) = ty else {
        return None;
    };
    let last = named.path.segments.last()?;
    (last.ident == name).then_some(&last.arguments)
}

fn types_of(arguments: &PathArguments) -> impl Iterator<Item = &Type> {
    let arguments = match arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

/// Whether a type is the actor by name: `Self`, or a path that ends in the actor's name.
fn is_actor(ty: &Type, actor: &Path) -> bool {
    let Type::Path(named) = peel(ty) else {
        return false;
    };
    let last = |path: &Path| path.segments.last().map(|segment| segment.ident.clone());
    named.path.is_ident("Self") || last(&named.path) == last(actor)
}

/// A type as its user would write it.
fn text(ty: &Type) -> String {
    ty.to_token_stream()
        .to_string()
        .replace(" < ", "<")
        .replace(" >", ">")
        .replace(" :: ", "::")
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn self_becomes_the_actor_everywhere_in_a_type() {
        let actor: Path = parse_quote!(bank::Account);
        let ty: Type = parse_quote!(Vec<(Self, [u8; Self::N], <Self as Keyed>::Key)>);
        let wanted: Type = parse_quote!(
            Vec<(
                bank::Account,
                [u8; bank::Account::N],
                <bank::Account as Keyed>::Key
            )>
        );
        assert_eq!(
            without_self(&ty, &actor).to_token_stream().to_string(),
            wanted.to_token_stream().to_string()
        );
    }

    #[test]
    fn borrows_are_found_wherever_they_hide() {
        for ty in [
            "&str",
            "Option<&T>",
            "Cow<'_, str>",
            "(u8, [&'_ T; 2])",
            "&'static [&u8]",
        ] {
            assert!(borrow(&syn::parse_str(ty).unwrap()).is_some(), "{ty}");
        }
        for ty in [
            "&'static str",
            "Cow<'static, str>",
            "fn(&u8) -> &u8",
            "Box<dyn Fn(&u8)>",
            "Box<dyn for<'a> Parse<&'a str> + Send>",
        ] {
            assert!(borrow(&syn::parse_str(ty).unwrap()).is_none(), "{ty}");
        }
    }

    #[test]
    fn a_borrow_suggests_its_owned_type() {
        let owned = |ty: &str| {
            let ty: Type = syn::parse_str(ty).unwrap();
            borrow(&ty).unwrap().owned()
        };
        assert_eq!(owned("&str").as_deref(), Some("String"));
        assert_eq!(owned("Option<&[Vec<u8>]>").as_deref(), Some("Vec<Vec<u8>>"));
        assert_eq!(owned("&mut Order").as_deref(), Some("Order"));
        assert_eq!(owned("Cow<'_, str>"), None);
    }

    #[test]
    fn the_context_is_known_by_its_name() {
        let actor: Path = parse_quote!(Account);
        let kind = |ty: &str| match context(&syn::parse_str(ty).unwrap(), &actor) {
            Context::No => "no",
            Context::Lent => "lent",
            Context::NotLent => "not lent",
            Context::OfOther(_) => "of other",
        };
        assert_eq!(kind("&Cx<Self>"), "lent");
        assert_eq!(kind("&'_ quark::Cx<Account>"), "lent");
        assert_eq!(kind("&mut Cx<Self>"), "not lent");
        assert_eq!(kind("Cx<Self>"), "not lent");
        assert_eq!(kind("&Cx<Book>"), "of other");
        assert_eq!(kind("&Context<Self>"), "no");
    }
}
