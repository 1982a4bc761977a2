//! Small files, nothing left for later, no test switched off, libraries that don't print.

use super::Violation;
use super::code::Code;
use super::tables::Crate;
use super::tree::Tree;

/// The most lines of a Rust file.
const LINES: usize = 700;

/// Marks of unfinished work, in two halves so that this file doesn't hold them.
const UNFINISHED: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Macros that print.
const PRINTING: [&str; 4] = ["print", "println", "eprint", "eprintln"];

/// Looks at every file of the workspace.
pub(super) fn check(tree: &Tree, code: &[Code<'_>], crates: &[Crate]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in tree.files() {
        for (index, line) in text.lines().enumerate() {
            if let Some(mark) = UNFINISHED.iter().find(|mark| has_word(line, mark)) {
                found.push(violation(path, index + 1, mark, "do it, or open an issue"));
            }
        }
    }
    for code in code {
        if code.lines.len() > LINES {
            let what = format!("{} lines, more than {LINES}", code.lines.len());
            let remedy = "split it: one idea per file";
            found.push(violation(code.path, LINES + 1, &what, remedy));
        }
        for attribute in &code.attributes {
            if attribute.text == "ignore" || attribute.text.starts_with("ignore=") {
                let remedy = "mend the test or take it out";
                found.push(violation(
                    code.path,
                    attribute.line,
                    "a test switched off",
                    remedy,
                ));
            }
        }
        if is_library(code.path, crates) {
            for name in printed(code) {
                let what = format!("{}! in a library", name.0);
                found.push(violation(code.path, name.1, &what, "use tracing"));
            }
        }
    }
    found
}

fn violation(path: &str, line: usize, what: &str, remedy: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        line,
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Whether `word` stands in `line` with no letter, digit or underscore beside it.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

fn is_library(path: &str, crates: &[Crate]) -> bool {
    crates.iter().filter(|c| c.library).any(|c| {
        path.strip_prefix(c.folder)
            .is_some_and(|rest| rest.starts_with("/src/"))
    })
}

/// Each printing macro outside test code, with its line.
fn printed<'c>(code: &'c Code<'_>) -> impl Iterator<Item = (&'c str, usize)> {
    code.names.iter().filter_map(|name| {
        let last = name.segments.last().map(String::as_str)?;
        let called = code
            .tokens
            .windows(2)
            .any(|pair| pair[0].line == name.line && pair[0].text == last && pair[1].text == "!");
        (PRINTING.contains(&last) && called && !name.test).then_some((last, name.line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES: &[Crate] = &[Crate {
        name: "a",
        folder: "a",
        uses: &[],
        library: true,
    }];

    fn found(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text)]);
        let code: Vec<Code<'_>> = tree
            .files()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| Code::parse(path, text).expect("Rust"))
            .collect();
        let found = check(&tree, &code, CRATES);
        found.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(found("a/src/b.rs", &"\n".repeat(LINES)), [""; 0]);
        let found = found("a/src/b.rs", &"\n".repeat(LINES + 1));
        assert_eq!(
            found,
            ["a/src/b.rs:701: 701 lines, more than 700: split it: one idea per file"]
        );
    }

    #[test]
    fn unfinished_work_is_found_in_any_file() {
        for mark in UNFINISHED {
            for path in ["a/src/b.rs", "README.md", "tools/a.sh"] {
                let found = found(path, &format!("\n// {mark}: later\n"));
                assert_eq!(found.len(), 1, "{path} {mark}");
                assert!(found[0].starts_with(&format!("{path}:2: {mark}: ")));
            }
        }
        assert_eq!(found("README.md", concat!("TO", "DOS")), [""; 0]);
    }

    #[test]
    fn a_test_switched_off_is_found() {
        for attribute in ["#[ignore]", "#[ignore = \"slow\"]"] {
            let found = found(
                "a/tests/b.rs",
                &format!("#[test]\n{attribute}\nfn c() {{}}"),
            );
            assert_eq!(found.len(), 1, "{attribute}");
            assert!(found[0].starts_with("a/tests/b.rs:2: a test switched off"));
        }
    }

    #[test]
    fn printing_is_found_in_libraries_only() {
        let text = "fn b() {\n    std::println!();\n    eprintln!(\"{}\", 1);\n}";
        let found_here = found("a/src/b.rs", text);
        assert_eq!(found_here.len(), 2, "{found_here:?}");
        assert!(found_here[0].starts_with("a/src/b.rs:2: println! in a library"));
        assert_eq!(found("a/examples/b.rs", text), [""; 0]);
        assert_eq!(found("b/src/b.rs", text), [""; 0]);
        assert_eq!(
            found("a/src/b.rs", "/// println!()\nfn print() {}"),
            [""; 0]
        );
        let test = "#[cfg(test)] mod tests { fn a() { println!() } }";
        assert_eq!(found("a/src/b.rs", test), [""; 0]);
    }
}
