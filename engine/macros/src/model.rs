use quote::format_ident;
use syn::{
    Attribute, FnArg, Ident, ImplItem, ImplItemFn, ReturnType, Type, Visibility, ext::IdentExt,
    parse_quote_spanned,
};

use crate::{
    check,
    problems::Problems,
    target::{By, Target},
    turn::{self, Turn},
    types,
};

/// What an actor's impl block declares.
pub(crate) struct Model {
    pub(crate) messages: Vec<Message>,
    pub(crate) activate: Option<Hook>,
    pub(crate) deactivate: Option<Hook>,
    pub(crate) remind: Option<Hook>,
}

/// A public method that takes `&mut self` or `&self`.
pub(crate) struct Message {
    /// The generated type, which holds the arguments on their way.
    pub(crate) ident: Ident,
    pub(crate) method: Ident,
    /// The conditions under which the method exists at all.
    pub(crate) cfgs: Vec<Attribute>,
    /// What the reference's method says of itself: documentation and deprecation.
    pub(crate) docs: Vec<Attribute>,
    pub(crate) exclusive: bool,
    pub(crate) suspends: bool,
    pub(crate) takes_context: bool,
    pub(crate) turn: Turn,
    pub(crate) arguments: Vec<Argument>,
    /// The return type as written, but for `Self`.
    pub(crate) output: Type,
}

/// What a caller gives.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    /// What other processes call it.
    pub(crate) known_as: String,
    pub(crate) ty: Type,
}

/// `on_activate`, `on_deactivate` or `on_reminder`.
pub(crate) struct Hook {
    pub(crate) method: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) suspends: bool,
    pub(crate) takes_context: bool,
    pub(crate) output: Type,
}

impl Model {
    /// Reads the block. What cannot be a message or hook is noted as a problem and left out,
    /// so that the rest of the user's program is checked against the other messages.
    pub(crate) fn read(target: &Target, problems: &mut Problems) -> Self {
        let mut model = Self {
            messages: Vec::new(),
            activate: None,
            deactivate: None,
            remind: None,
        };
        for item in &target.block.items {
            let ImplItem::Fn(function) = item else {
                continue;
            };
            match Role::of(function) {
                Role::Ordinary => {
                    turn::misplaced(
                        &function.attrs,
                        "only a message has turns: make this a `pub` method with `&mut self` or \
                         `&self`, or remove `#[turn]`",
                        problems,
                    );
                    check::no_receiver(function, &target.path, problems);
                }
                Role::Message => {
                    model
                        .messages
                        .extend(problems.ok(Message::read(function, target)));
                }
                Role::Activate => {
                    set_hook(&mut model.activate, Hook::read(function, target), problems);
                }
                Role::Deactivate => {
                    let hook = Hook::read(function, target);
                    set_hook(&mut model.deactivate, hook, problems);
                }
                Role::Remind => {
                    set_hook(&mut model.remind, Hook::read(function, target), problems);
                }
            }
        }
        model.messages = check::distinct(model.messages, problems);
        model
    }
}

fn set_hook(slot: &mut Option<Hook>, hook: syn::Result<Hook>, problems: &mut Problems) {
    let Some(hook) = problems.ok(hook) else {
        return;
    };
    if slot.is_some() {
        let method = &hook.method;
        problems.at(
            method,
            format!("an actor has one `{method}`: put what differs into one body under `cfg!`"),
        );
        return;
    }
    *slot = Some(hook);
}

/// What a function of the block is to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ordinary,
    Message,
    Activate,
    Deactivate,
    Remind,
}

impl Role {
    pub(crate) fn of(function: &ImplItemFn) -> Self {
        let name = &function.sig.ident;
        if name == "on_activate" {
            Self::Activate
        } else if name == "on_deactivate" {
            Self::Deactivate
        } else if name == "on_reminder" {
            Self::Remind
        } else if matches!(function.vis, Visibility::Public(_)) && function.sig.receiver().is_some()
        {
            Self::Message
        } else {
            Self::Ordinary
        }
    }
}

impl Message {
    /// The arguments' names, in order.
    pub(crate) fn names(&self) -> Vec<&Ident> {
        let names = self.arguments.iter().map(|argument| &argument.name);
        names.collect()
    }

    /// Their types.
    pub(crate) fn types(&self) -> Vec<&Type> {
        let types = self.arguments.iter().map(|argument| &argument.ty);
        types.collect()
    }

    fn read(function: &ImplItemFn, target: &Target) -> syn::Result<Self> {
        let signature = &function.sig;
        let mut problems = Problems::default();
        check::message_name(&signature.ident, &mut problems);
        check::qualifiers(signature, &mut problems);
        let exclusive = check::receiver(signature, &mut problems);
        let turn = Turn::read(function, exclusive, &mut problems);

        let mut inputs = typed_inputs(function).peekable();
        let takes_context = inputs
            .next_if(|input| check::is_context(&input.ty, &target.path, &mut problems))
            .is_some();
        let mut arguments = Vec::new();
        for input in inputs {
            if let Some(name) = check::argument(input, &target.path, &mut problems) {
                arguments.push(Argument {
                    known_as: known_as(&name, &target.by),
                    name,
                    ty: types::without_self(&input.ty, &target.path),
                });
            }
        }
        check::reply(&signature.output, &mut problems);
        let message = Self {
            ident: message_ident(target.ident(), &signature.ident),
            method: signature.ident.clone(),
            cfgs: attributes(function, &["cfg"]),
            docs: attributes(function, &["doc", "deprecated"]),
            exclusive,
            suspends: signature.asyncness.is_some(),
            takes_context,
            turn,
            arguments,
            output: types::without_self(&output(function), &target.path),
        };
        problems.finish(message)
    }
}

/// Those who implement a contract may have no use for an argument, and say so by an underscore.
fn known_as(name: &Ident, by: &By) -> String {
    let name = name.unraw().to_string();
    match by {
        By::Itself => name,
        By::Contract(_) | By::Trait(_) => name.trim_start_matches('_').to_owned(),
    }
}

impl Hook {
    fn read(function: &ImplItemFn, target: &Target) -> syn::Result<Self> {
        let signature = &function.sig;
        let mut problems = Problems::default();
        check::qualifiers(signature, &mut problems);
        check::receiver(signature, &mut problems);
        turn::misplaced(
            &function.attrs,
            "the engine runs a hook by itself, before or after all messages: remove `#[turn]`",
            &mut problems,
        );
        let mut inputs = typed_inputs(function).peekable();
        let takes_context = inputs
            .next_if(|input| check::is_context(&input.ty, &target.path, &mut problems))
            .is_some();
        let role = Role::of(function);
        if role == Role::Remind && signature.receiver().is_some() && inputs.next().is_none() {
            check::no_reminder(&signature.ident, &mut problems);
        }
        if signature.receiver().is_some()
            && let Some(input) = inputs.next()
        {
            check::hook_argument(&signature.ident, input, &target.path, &mut problems);
        }
        if matches!(role, Role::Deactivate | Role::Remind) {
            check::returns_nothing(&signature.ident, &signature.output, &mut problems);
        }
        problems.finish(Self {
            method: signature.ident.clone(),
            cfgs: attributes(function, &["cfg"]),
            suspends: signature.asyncness.is_some(),
            takes_context,
            output: types::without_self(&output(function), &target.path),
        })
    }
}

/// The generated type's name. Its ending keeps it clear of the user's own types: a `Book` with
/// a method `stats` that returns `BookStats` is what people write.
fn message_ident(actor: &Ident, method: &Ident) -> Ident {
    let method_name = method.unraw().to_string();
    let camel: String = method_name
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .chain(letters)
        })
        .collect();
    let span = method.span().resolved_at(proc_macro2::Span::call_site());
    format_ident!("{}{camel}Message", actor.unraw(), span = span)
}

fn typed_inputs(function: &ImplItemFn) -> impl Iterator<Item = &syn::PatType> {
    function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    })
}

fn output(function: &ImplItemFn) -> Type {
    match &function.sig.output {
        ReturnType::Type(_, ty) => (**ty).clone(),
        ReturnType::Default => parse_quote_spanned!(function.sig.ident.span()=> ()),
    }
}

fn attributes(function: &ImplItemFn, names: &[&str]) -> Vec<Attribute> {
    let named = |attribute: &&Attribute| names.iter().any(|name| attribute.path().is_ident(name));
    function.attrs.iter().filter(named).cloned().collect()
}
