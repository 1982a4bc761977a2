//! Traits as contracts, and those who implement them: both become the impl block that all else here
//! is about.

use quote::{ToTokens, format_ident};
use syn::{
    FnArg, Generics, ImplItem, ImplItemFn, ItemImpl, ItemTrait, Path, PathArguments, Token,
    TraitItem, TraitItemFn, Visibility, parse_quote,
};

use crate::{
    model::Role,
    options::Options,
    problems::Problems,
    target::{By, Target},
    turn,
    types::{self, Context},
};

/// What a contract may say of its actors.
const OPTIONS: [&str; 2] = ["name", "timeout_ms"];

/// Reads a trait: as the impl block of a type without instances. What says more than messages is noted
/// as a problem and left out, so that the rest of the user's program is checked against the others.
pub(crate) fn declared(mut declared: ItemTrait, problems: &mut Problems) -> Target {
    if !declared.generics.params.is_empty() {
        problems.at(
            &declared.generics,
            "a contract cannot be generic, because its registered name stands for one type: write \
             one trait for each",
        );
    }
    if let Some(clause) = &declared.generics.where_clause {
        problems.at(
            clause,
            "a contract says nothing of who implements it: remove the where clause",
        );
    }
    if !declared.supertraits.is_empty() {
        problems.at(
            &declared.supertraits,
            "a contract says nothing of who implements it: remove what stands after the colon",
        );
    }
    if let Some(token) = declared.unsafety.take() {
        problems.at(
            token,
            "the engine calls whatever implements a contract: make it safe",
        );
    }
    declared.generics = Generics::default();
    declared.colon_token = None;
    declared.supertraits.clear();
    let name = declared.ident.clone();
    let span = name.span().resolved_at(proc_macro2::Span::call_site());
    let path = Path::from(format_ident!("{}Contract", name, span = span));
    let mut block: ItemImpl = parse_quote!(impl #path {});
    declared.items.retain_mut(|item| {
        let TraitItem::Fn(function) = item else {
            problems.at(
                item,
                "a contract has messages alone: leave this to those who implement it",
            );
            return false;
        };
        let method = method(function, &path, problems);
        let is_message = method.is_some();
        block.items.extend(method.map(ImplItem::Fn));
        is_message
    });
    Target {
        block,
        path,
        name,
        by: By::Contract(Box::new(declared)),
    }
}

/// A trait's function as the method of a type of its own; it loses what it has beside its signature.
fn method(function: &mut TraitItemFn, path: &Path, problems: &mut Problems) -> Option<ImplItemFn> {
    turn::misplaced(
        &function.attrs,
        "how turns are taken is the actor's own business: write `#[turn]` where the contract is \
         implemented",
        problems,
    );
    turn::strip(&mut function.attrs);
    if let Some(body) = function.default.take() {
        problems.at(
            body,
            "a contract only names its messages: end it by `;` here, and write the body where it is \
             implemented",
        );
        function.semi_token = Some(Token![;](function.sig.ident.span()));
    }
    let method = ImplItemFn {
        attrs: function.attrs.clone(),
        vis: parse_quote!(pub),
        modifiers: syn::FnModifiers::default(),
        sig: function.sig.clone(),
        block: parse_quote!({}),
    };
    match Role::of(&method) {
        Role::Message => {}
        Role::Ordinary => {
            problems.at(
                &function.sig.ident,
                "a message takes `&mut self`, or `&self` for a turn that may interleave with others",
            );
            return None;
        }
        Role::Activate | Role::Deactivate | Role::Remind => {
            problems.at(
                &function.sig.ident,
                "a hook is nobody's to call: write it where the contract is implemented",
            );
            return None;
        }
    }
    let context = function.sig.inputs.iter().find(|input| match input {
        FnArg::Typed(input) => !matches!(types::context(&input.ty, path), Context::No),
        FnArg::Receiver(_) => false,
    });
    if let Some(context) = context {
        problems.at(
            context,
            "callers give no context: leave it out here, and take it where the contract is \
             implemented",
        );
        return None;
    }
    Some(method)
}

/// Makes an impl block of a trait one of the type's own, in which every method is public. The trait.
/// What the trait cannot have is noted as a problem and left out.
pub(crate) fn implemented(block: &mut ItemImpl, problems: &mut Problems) -> Option<Path> {
    let (mut path, _) = block.trait_.take()?;
    for segment in &mut path.segments {
        if !matches!(segment.arguments, PathArguments::None) {
            problems.at(
                &segment.arguments,
                "a contract is not generic: name the trait without arguments",
            );
            segment.arguments = PathArguments::None;
        }
    }
    if let Some(token) = block.unsafety.take() {
        problems.at(
            token,
            "a contract is safe to implement: remove the `unsafe`",
        );
    }
    block.items.retain_mut(|item| {
        const ELSEWHERE: &str = "a contract has messages alone: put this in a block of the type's own, \
             without `#[actor]`";
        let ImplItem::Fn(function) = item else {
            problems.at(item, ELSEWHERE);
            return false;
        };
        if !matches!(function.vis, Visibility::Inherited) {
            problems.at(
                &function.vis,
                "the methods of a contract are as public as it is: remove this",
            );
        }
        function.vis = Visibility::Public(Token![pub](function.sig.ident.span()));
        let is_asked_for = Role::of(function) != Role::Ordinary;
        if !is_asked_for {
            problems.at(&function.sig.ident, ELSEWHERE);
        }
        is_asked_for
    });
    Some(path)
}

/// Refuses options that are the other side's to say.
pub(crate) fn agree(target: &Target, options: &Options, problems: &mut Problems) {
    for option in options.given() {
        match &target.by {
            By::Contract(_) if !OPTIONS.iter().any(|known| option == known) => problems.at(
                option,
                format!(
                    "`{option}` is for those who implement the contract to say: a contract has the \
                     options `name` and `timeout_ms`"
                ),
            ),
            By::Trait(contract) if option == "name" => problems.at(
                option,
                format!(
                    "the contract `{}` has the name already: remove this, or name the contract",
                    contract.to_token_stream().to_string().replace(' ', "")
                ),
            ),
            _ => {}
        }
    }
}
