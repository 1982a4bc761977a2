//! `unsafe` stands only where the table says, each with its reason written above it.

use super::Violation;
use super::code::{Code, Token};
use super::tables::Unsafe;

/// How many lines of its own statement may stand between a reason and its `unsafe`.
const REACH: usize = 3;

/// Looks at every file of the workspace, tests and examples included. A file that may not hold
/// `unsafe` is named once, however much it holds.
pub(super) fn check(code: &[Code<'_>], allowed: &[Unsafe]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut used = vec![false; allowed.len()];
    for code in code {
        let place = allowed.iter().position(|a| code.path.starts_with(a.path));
        for at in 0..code.tokens.len() {
            let token = &code.tokens[at];
            if token.text != "unsafe" || is_type(&code.tokens[at + 1..]) {
                continue;
            }
            let (what, remedy) = match place {
                None => (
                    "unsafe outside the files that may hold it",
                    "write it safely, or say why not in UNSAFE in tools/src/house/tables.rs",
                ),
                Some(place) => {
                    used[place] = true;
                    if is_explained(&code.lines, token.line) {
                        continue;
                    }
                    explanation_due(&code.tokens[at + 1..])
                }
            };
            found.push(Violation {
                path: code.path.to_owned(),
                line: token.line,
                what: what.to_owned(),
                remedy: remedy.to_owned(),
            });
            if place.is_none() {
                break;
            }
        }
    }
    for (allowed, _) in allowed.iter().zip(used).filter(|(_, used)| !used) {
        found.push(Violation {
            path: allowed.path.to_owned(),
            line: 1,
            what: "may hold unsafe without need".to_owned(),
            remedy: "take it out of UNSAFE in tools/src/house/tables.rs".to_owned(),
        });
    }
    found
}

/// What is missing at an `unsafe` that `after` follows: a function states a duty, the rest
/// gives a reason.
fn explanation_due(after: &[Token]) -> (&'static str, &'static str) {
    let declares = after
        .iter()
        .take_while(|token| token.text != "{")
        .any(|token| token.text == "fn");
    if declares {
        (
            "unsafe fn that doesn't say what its callers owe",
            "write /// # Safety (or // SAFETY:) above it",
        )
    } else {
        ("unsafe without its reason", "write // SAFETY: above it")
    }
}

/// `unsafe fn(…)` and `unsafe extern "C" fn(…)` are types: whoever calls one gives the reason.
fn is_type(after: &[Token]) -> bool {
    let mut after = after.iter().map(|token| token.text.as_str()).peekable();
    if after.next_if_eq(&"extern").is_some() {
        after.next_if_eq(&"\"");
    }
    after.next() == Some("fn") && after.next() == Some("(")
}

/// Whether a reason stands on `line` (from 1) or above it: among the comments and attributes
/// right there, or above the few lines with which its statement begins.
fn is_explained(lines: &[&str], line: usize) -> bool {
    let mut begun = 0;
    for (back, text) in lines[..line].iter().rev().enumerate() {
        let text = text.trim();
        if text.contains("SAFETY:") || text.contains("# Safety") {
            return true;
        }
        if back == 0 || text.starts_with("//") || text.starts_with("#[") {
            continue;
        }
        begun += 1;
        if begun > REACH || text.is_empty() || text.ends_with([';', '{', '}']) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: &[Unsafe] = &[Unsafe {
        path: "a/ring.rs",
        reason: "for the test",
    }];

    fn found(path: &str, text: &str) -> Vec<String> {
        let ring = "// SAFETY: so\nunsafe impl Send for A {}\n";
        let code = [
            Code::parse("a/ring.rs", ring).expect("Rust"),
            Code::parse(path, text).expect("Rust"),
        ];
        let found = check(&code, ALLOWED);
        found.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn unsafe_elsewhere_is_found() {
        for text in [
            "\nfn a() { unsafe { b() } }",
            "\nunsafe fn a() {}",
            "\n#[unsafe(no_mangle)] fn a() {}",
            "\n#[cfg(test)] mod tests { unsafe impl Send for A {} unsafe impl Sync for A {} }",
        ] {
            let found = found("a/b.rs", &format!("// SAFETY: so\n{text}"));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(
                found[0].starts_with("a/b.rs:3: unsafe outside"),
                "{}",
                found[0]
            );
        }
        assert_eq!(
            found("a/b.rs", "#![deny(unsafe_code)] // unsafe\n"),
            [""; 0]
        );
    }

    #[test]
    fn unsafe_with_its_reason_passes() {
        for text in [
            "fn a() {\n    // SAFETY: so,\n    // and so\n    unsafe { b() }\n}",
            "fn a() {\n    // SAFETY: so\n    let x =\n        unsafe { b() };\n}",
            "/// # Safety\n/// Only so.\n#[inline]\nunsafe fn a() {}",
            "// SAFETY: so\nunsafe impl Send for A {}",
            "struct V { drop: unsafe fn(*mut u8), call: unsafe extern \"C\" fn(u8) }",
        ] {
            assert_eq!(found("a/ring.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn unsafe_without_its_reason_is_found() {
        for text in [
            "fn a() {\n    unsafe { b() }\n}",
            "// SAFETY: so\nfn a() {\n    b();\n    unsafe { c() }\n}",
            "// SAFETY: so\nunsafe impl Send for A {}\nunsafe impl Sync for A {}",
            "// SAFETY: so\n\nunsafe fn a() {}",
        ] {
            let found = found("a/ring.rs", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            let due = if text.contains("unsafe fn") {
                "unsafe fn that doesn't say"
            } else {
                "unsafe without its reason"
            };
            assert!(found[0].contains(due), "{}", found[0]);
        }
    }

    #[test]
    fn a_place_without_need_is_found() {
        let found = check(&[], ALLOWED);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("without need"), "{}", found[0]);
    }
}
