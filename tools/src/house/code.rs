//! A Rust file as the rules see it: tokens and paths with their lines, test code told apart.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One file's tokens. Comments and the insides of strings are not among them.
pub(super) struct Code<'a> {
    /// From the workspace's root.
    pub(super) path: &'a str,
    /// The raw lines; line 1 is the first.
    pub(super) lines: Vec<&'a str>,
    /// Identifiers, marks and opening brackets in order, attributes included.
    pub(super) tokens: Vec<Token>,
    /// Paths like `a::b::c`, with the braces of `use` trees multiplied out.
    pub(super) names: Vec<Name>,
    /// Attributes but for doc comments.
    pub(super) attributes: Vec<Attribute>,
}

/// An identifier, a mark, or a bracket that opens.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// A path in the code; `*` stands for the glob of a `use`.
pub(super) struct Name {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    /// Stands in a `use`.
    pub(super) imported: bool,
    /// Compiled for tests only.
    pub(super) test: bool,
}

/// `#[…]` or `#![…]`.
pub(super) struct Attribute {
    /// What stands between the brackets, without blanks.
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) inner: bool,
    pub(super) test: bool,
}

impl<'a> Code<'a> {
    /// # Errors
    /// The line at which the text stops being Rust.
    pub(super) fn parse(path: &'a str, text: &'a str) -> Result<Self, usize> {
        let stream: TokenStream = text
            .parse()
            .map_err(|error: proc_macro2::LexError| error.span().start().line)?;
        let mut code = Self {
            path,
            lines: text.lines().collect(),
            tokens: Vec::new(),
            names: Vec::new(),
            attributes: Vec::new(),
        };
        code.flatten(stream.clone());
        let place = Place {
            prefix: &[],
            imported: false,
            test: is_test_file(path),
        };
        code.walk(stream, &place);
        Ok(code)
    }

    fn flatten(&mut self, stream: TokenStream) {
        for tree in stream {
            let line = tree.span().start().line;
            let text = match &tree {
                TokenTree::Group(group) => open(group).to_owned(),
                TokenTree::Ident(ident) => ident.to_string(),
                TokenTree::Punct(punct) => punct.as_char().to_string(),
                TokenTree::Literal(_) => "\"".to_owned(),
            };
            self.tokens.push(Token { text, line });
            if let TokenTree::Group(group) = tree {
                self.flatten(group.stream());
            }
        }
    }

    fn walk(&mut self, stream: TokenStream, place: &Place<'_>) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        // `#![cfg(test)]` holds to the end of this stream, `#[cfg(test)]` to its item's end.
        let mut whole_is_test = place.test;
        let mut item_is_test = false;
        let mut imported = place.imported;
        let mut at = 0;
        while at < trees.len() {
            let test = whole_is_test || item_is_test;
            if let Some((inner, group, next)) = attribute(&trees, at) {
                let marks = marks_test(group.stream());
                whole_is_test |= marks && inner;
                item_is_test |= marks && !inner;
                let text: String = group
                    .stream()
                    .to_string()
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .concat();
                if !text.starts_with("doc=") {
                    self.attributes.push(Attribute {
                        text,
                        line: trees[at].span().start().line,
                        inner,
                        test: test || marks,
                    });
                }
                at = next;
                continue;
            }
            match &trees[at] {
                TokenTree::Ident(ident) if *ident == "use" => imported = true,
                TokenTree::Ident(_) => {
                    let here = Place {
                        imported,
                        test,
                        ..*place
                    };
                    at = self.name(&trees, at, &here);
                    continue;
                }
                TokenTree::Group(group) => {
                    let here = Place {
                        prefix: &[],
                        imported: false,
                        test,
                    };
                    self.walk(group.stream(), &here);
                    if group.delimiter() == Delimiter::Brace {
                        item_is_test = false;
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    item_is_test = false;
                    imported = place.imported;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// Takes the path that begins at `at`, and says where it ends.
    fn name(&mut self, trees: &[TokenTree], mut at: usize, place: &Place<'_>) -> usize {
        let line = trees[at].span().start().line;
        let mut segments = place.prefix.to_vec();
        segments.push(trees[at].to_string());
        at += 1;
        while is_mark(trees, at, ':') && is_mark(trees, at + 1, ':') {
            match trees.get(at + 2) {
                Some(TokenTree::Ident(ident)) => segments.push(ident.to_string()),
                Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {
                    segments.push("*".to_owned());
                }
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    let inside = Place {
                        prefix: &segments,
                        ..*place
                    };
                    self.walk(group.stream(), &inside);
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        self.names.push(Name {
            segments,
            line,
            imported: place.imported,
            test: place.test,
        });
        at
    }
}

/// What holds for every token of a stream.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The path before the braces of a `use` tree.
    prefix: &'a [String],
    imported: bool,
    test: bool,
}

/// Files that only a `#[cfg(test)] mod …;` brings in, by the names that we give them.
fn is_test_file(path: &str) -> bool {
    let folders = ["/tests/", "/loom_models/"];
    path.ends_with("/tests.rs") || folders.iter().any(|folder| path.contains(folder))
}

fn open(group: &Group) -> &'static str {
    match group.delimiter() {
        Delimiter::Parenthesis => "(",
        Delimiter::Brace => "{",
        Delimiter::Bracket => "[",
        Delimiter::None => "",
    }
}

fn is_mark(trees: &[TokenTree], at: usize, mark: char) -> bool {
    matches!(trees.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

/// The attribute that begins at `at`: whether it is an inner one, its brackets, what follows.
fn attribute(trees: &[TokenTree], at: usize) -> Option<(bool, &Group, usize)> {
    if !is_mark(trees, at, '#') {
        return None;
    }
    let inner = is_mark(trees, at + 1, '!');
    let at = at + 1 + usize::from(inner);
    match trees.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some((inner, group, at + 1))
        }
        _ => None,
    }
}

/// Whether an attribute keeps its item out of all but test builds.
fn marks_test(attribute: TokenStream) -> bool {
    let mut trees = attribute.into_iter();
    match (trees.next(), trees.next()) {
        (Some(TokenTree::Ident(ident)), None) => ident == "test",
        (Some(TokenTree::Ident(ident)), Some(TokenTree::Group(group))) => {
            ident == "cfg" && needs_test(group.stream())
        }
        _ => false,
    }
}

/// `any(test, …)` counts too: such items are for tests, whoever else may build them.
fn needs_test(condition: TokenStream) -> bool {
    let mut negated = false;
    for tree in condition {
        match tree {
            TokenTree::Ident(ident) if ident == "not" => negated = true,
            TokenTree::Ident(ident) if ident == "test" => return true,
            TokenTree::Group(group) if !negated && needs_test(group.stream()) => return true,
            TokenTree::Group(_) => negated = false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(String, usize, bool)> {
        let code = Code::parse("x/src/a.rs", text).expect("Rust");
        code.names
            .iter()
            .map(|name| (name.segments.join("::"), name.line, name.test))
            .collect()
    }

    #[test]
    fn use_trees_are_multiplied_out() {
        let found = names("use std::{\n    fs::{self, File},\n    time::*,\n};\n");
        let found: Vec<_> = found
            .iter()
            .map(|(n, line, _)| (n.as_str(), *line))
            .collect();
        assert_eq!(
            found,
            [
                ("std::fs::self", 2),
                ("std::fs::File", 2),
                ("std::time::*", 3)
            ]
        );
    }

    #[test]
    fn comments_and_strings_hold_no_names() {
        assert_eq!(names("// std::fs\n/* a::b */\n"), []);
        assert!(
            names("const A: &str = \"std::fs\";")
                .iter()
                .all(|(n, ..)| n != "std::fs")
        );
    }

    #[test]
    fn test_code_is_told_apart() {
        let text = "#[cfg(test)] mod tests { use a::b; }\nuse c::d;\n\
                    #[cfg(not(test))] use e::f;\n#[test] fn g() { h::i() }\nfn j() { k::l() }";
        let found = names(text);
        let of = |name: &str| {
            found
                .iter()
                .find(|(n, ..)| n == name)
                .map(|(.., test)| *test)
        };
        assert_eq!(of("a::b"), Some(true));
        assert_eq!(of("c::d"), Some(false));
        assert_eq!(of("e::f"), Some(false));
        assert_eq!(of("h::i"), Some(true));
        assert_eq!(of("k::l"), Some(false));
    }

    #[test]
    fn what_is_not_rust_is_refused_at_its_line() {
        assert_eq!(Code::parse("a.rs", "fn a() {}\n\n}\n").err(), Some(3));
    }
}
