//! What cannot be a message or a hook, said on the user's own tokens and with the remedy.

use quote::ToTokens;
use syn::{
    FnArg, Ident, ImplItemFn, Pat, PatType, Path, ReceiverKind, ReturnType, Safety, Signature,
    Type, Visibility, ext::IdentExt,
};

use crate::{
    model::Message,
    problems::Problems,
    types::{self, Borrow, Context},
};

/// Names that the generated reference has itself, or will have.
const RESERVED: [&str; 3] = ["clone", "core", "key"];

pub(crate) fn message_name(name: &Ident, problems: &mut Problems) {
    if RESERVED.iter().any(|reserved| name.unraw() == reserved) {
        problems.at(
            name,
            format!(
                "`{name}` is a method of every actor reference, so it cannot be a message: \
                 rename it, or make it private"
            ),
        );
    }
}

/// Leaves out messages that would share a generated type with one before them: methods whose
/// names differ only in underscores or case, and those of one name, which the compiler refuses
/// by itself unless `#[cfg]` keeps one of them.
pub(crate) fn distinct(messages: Vec<Message>, problems: &mut Problems) -> Vec<Message> {
    let mut distinct: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        let same = distinct
            .iter()
            .find(|earlier| earlier.ident == message.ident);
        match same {
            Some(earlier) if earlier.method != message.method => problems.at(
                &message.method,
                format!(
                    "`{}` and `{}` are too alike to be two messages: rename one",
                    earlier.method, message.method
                ),
            ),
            Some(earlier) if earlier.cfgs.is_empty() && message.cfgs.is_empty() => {}
            _ => distinct.push(message),
        }
    }
    distinct
}

/// What stands before and after a function's name.
pub(crate) fn qualifiers(signature: &Signature, problems: &mut Problems) {
    if let Some(constness) = &signature.constness {
        problems.at(
            constness,
            "the engine calls this at run time, so it cannot be `const`: remove the `const`",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        problems.at(
            token,
            "the engine cannot uphold the contract of an `unsafe` method: make it safe, or \
             private and call it from a safe message",
        );
    }
    if let Some(abi) = &signature.abi {
        problems.at(
            abi,
            "the engine calls this as a Rust method: remove the `extern`",
        );
    }
    if !signature.generics.params.is_empty() {
        let lifetimes_only = signature.generics.type_params().next().is_none()
            && signature.generics.const_params().next().is_none();
        problems.at(
            &signature.generics,
            if lifetimes_only {
                "a message takes no lifetimes, because its arguments and reply travel between \
                 cores by value: use owned types, and leave the lifetimes out"
            } else {
                "a message cannot be generic, because it is one type with one place in the \
                 mailbox: write one method per type, or make this one private"
            },
        );
    }
    if let Some(variadic) = &signature.variadic {
        problems.at(
            variadic.dots,
            "a message has a fixed number of arguments: take a `Vec` instead of `...`",
        );
    }
}

/// Whether the receiver is exclusive, `&mut self`.
pub(crate) fn receiver(signature: &Signature, problems: &mut Problems) -> bool {
    let Some(receiver) = signature.receiver() else {
        problems.at(
            &signature.ident,
            format!(
                "`{0}` is a hook of the actor: write `fn {0}(&mut self)`",
                signature.ident
            ),
        );
        return false;
    };
    match &receiver.kind {
        ReceiverKind::Reference(_, None, mutability) => mutability.is_some(),
        ReceiverKind::Reference(_, Some(lifetime), _) => {
            problems.at(
                lifetime,
                "the engine lends the actor for one turn only: write `&mut self` or `&self`, \
                 without a lifetime",
            );
            false
        }
        ReceiverKind::Value => {
            problems.at(
                receiver,
                "the engine owns the actor and does not give it away: take `&mut self`, or \
                 `&self` for a turn that may interleave with others",
            );
            false
        }
        ReceiverKind::Typed(_, ty) => match plain_reference(ty) {
            Some(exclusive) => exclusive,
            None => {
                problems.at(
                    ty,
                    "the engine owns the actor and lends it for a turn: take `&mut self`, or \
                     `&self` for a turn that may interleave with others",
                );
                false
            }
        },
        _ => {
            problems.at(receiver, "a message takes `&mut self` or `&self`");
            false
        }
    }
}

/// Refuses a public function that takes the context, but no actor: one was forgotten.
pub(crate) fn no_receiver(function: &ImplItemFn, actor: &Path, problems: &mut Problems) {
    if let Some(FnArg::Typed(first)) = function.sig.inputs.first()
        && matches!(function.vis, Visibility::Public(_))
        && !matches!(types::context(&first.ty, actor), Context::No)
    {
        problems.at(
            &function.sig.ident,
            "a message takes `&mut self`, or `&self` for a turn that may interleave with others, \
             before the context",
        );
    }
}

/// `self: &Self` and `self: &mut Self`, which are the short forms written out.
fn plain_reference(ty: &Type) -> Option<bool> {
    let Type::Reference(reference) = types::peel(ty) else {
        return None;
    };
    let Type::Path(named) = types::peel(&reference.elem) else {
        return None;
    };
    (reference.lifetime.is_none() && named.path.is_ident("Self"))
        .then_some(reference.mutability.is_some())
}

/// Whether the first argument is the context; a context in a wrong form counts, and is noted.
pub(crate) fn is_context(ty: &Type, actor: &Path, problems: &mut Problems) -> bool {
    match types::context(ty, actor) {
        Context::No => return false,
        Context::Lent => {}
        Context::NotLent => {
            problems.at(
                ty,
                "the engine lends the context for the turn: write `cx: &Cx<Self>`",
            );
        }
        Context::OfOther(other) => {
            problems.at(
                other,
                "a turn has its own actor's context: write `cx: &Cx<Self>`",
            );
        }
    }
    true
}

/// The name of an argument that may be one.
pub(crate) fn argument(input: &PatType, actor: &Path, problems: &mut Problems) -> Option<Ident> {
    for attribute in &input.attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            problems.at(
                attribute,
                "a message has the same arguments in every build: put `#[cfg]` on the method",
            );
        }
    }
    if !matches!(types::context(&input.ty, actor), Context::No) {
        problems.at(
            input,
            "the context comes first: put `cx: &Cx<Self>` right after the receiver",
        );
        return None;
    }
    if let Some(found) = types::impl_trait(&input.ty) {
        problems.at(
            found,
            "an argument has one concrete type: name it, or take `Box<dyn … + Send>`",
        );
    } else if let Some(borrow) = types::borrow(&input.ty) {
        let remedy = owned(&borrow, "take");
        problems.at(
            borrow,
            format!("an argument travels to the actor's core by value and cannot borrow: {remedy}"),
        );
    }
    argument_name(&input.pat, problems)
}

fn argument_name(pattern: &Pat, problems: &mut Problems) -> Option<Ident> {
    match pattern {
        Pat::Ident(named) if named.by_ref.is_none() && named.subpat.is_none() => {
            Some(named.ident.clone())
        }
        Pat::Wild(_) => {
            problems.at(
                pattern,
                "an argument needs a name, which the reference's method shows: write `_name`",
            );
            None
        }
        _ => {
            problems.at(
                pattern,
                "an argument needs a name, which the reference's method shows: name it here \
                 and take it apart in the body",
            );
            None
        }
    }
}

pub(crate) fn reply(output: &ReturnType, problems: &mut Problems) {
    let ReturnType::Type(_, ty) = output else {
        return;
    };
    if let Some(found) = types::impl_trait(ty) {
        let future = found.to_token_stream().to_string().contains("Future");
        problems.at(
            found,
            if future {
                "a message that waits is an `async fn`: write `pub async fn … -> Reply` with \
                 the future's output as the reply"
            } else {
                "a reply has one concrete type: name it, or return `Box<dyn … + Send>`"
            },
        );
    } else if let Some(borrow) = types::borrow(ty) {
        let remedy = owned(&borrow, "return");
        problems.at(
            borrow,
            format!("a reply leaves the actor's core by value and cannot borrow: {remedy}"),
        );
    } else if matches!(types::peel(ty), Type::Never(_)) {
        problems.at(
            ty,
            "a message answers its caller: return `()` or a value instead of `!`",
        );
    }
}

fn owned(borrow: &Borrow<'_>, verb: &str) -> String {
    match borrow.owned() {
        Some(ty) => format!("{verb} `{ty}`"),
        None => format!("{verb} an owned type, such as `String` or `Arc<…>`"),
    }
}

/// Refuses what a hook takes beyond the context.
pub(crate) fn hook_argument(hook: &Ident, input: &PatType, actor: &Path, problems: &mut Problems) {
    if !matches!(types::context(&input.ty, actor), Context::No) {
        problems.at(
            input,
            "the context comes first: put `cx: &Cx<Self>` right after the receiver",
        );
        return;
    }
    problems.at(
        input,
        format!(
            "`{hook}` takes `&mut self`{} and, if it likes, `cx: &Cx<Self>`: what an actor needs \
             besides, give it in the factory it is registered with",
            if hook == "on_reminder" {
                ", the reminder"
            } else {
                ""
            },
        ),
    );
}

/// Says what `on_reminder` lacks.
pub(crate) fn no_reminder(hook: &Ident, problems: &mut Problems) {
    problems.at(
        hook,
        "`on_reminder` is told which reminder is due: write `&mut self, reminder: quark::Due`, with \
         `cx: &Cx<Self>` before it if you like",
    );
}

pub(crate) fn returns_nothing(hook: &Ident, output: &ReturnType, problems: &mut Problems) {
    if let ReturnType::Type(_, ty) = output
        && !matches!(types::peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
    {
        problems.at(
            ty,
            format!(
                "`{hook}` has no caller to answer: deal with the error here and return nothing"
            ),
        );
    }
}
