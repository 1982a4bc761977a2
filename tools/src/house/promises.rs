//! Every promise of GUARANTEES.md names tests, and they exist.

use super::Violation;
use super::tidy::has_word;
use super::tree::Tree;

const PATH: &str = "GUARANTEES.md";

/// Looks at each row of each table: its last cell names tests as `` `path/file.rs::test` ``.
pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let violation = |line, what: String, remedy: &str| Violation {
        path: PATH.to_owned(),
        line,
        what,
        remedy: remedy.to_owned(),
    };
    let Some(text) = tree.text(PATH) else {
        let what = "missing".to_owned();
        return vec![violation(1, what, "write down what is promised")];
    };

    let mut found = Vec::new();
    for (line, last) in rows(text) {
        let tests: Vec<&str> = quoted(last).filter(|q| q.contains(".rs::")).collect();
        if tests.is_empty() {
            let what = "a promise without a test".to_owned();
            found.push(violation(line, what, "name the test that breaks with it"));
        }
        for test in tests.into_iter().filter(|test| !exists(tree, test)) {
            let what = format!("no test {test}");
            found.push(violation(
                line,
                what,
                "name the one that breaks with the promise",
            ));
        }
    }
    found
}

/// The last cell of each row of each table, but for its heading, with its line.
fn rows(text: &str) -> Vec<(usize, &str)> {
    let mut rows = Vec::new();
    let mut in_body = false;
    for (index, line) in text.lines().enumerate() {
        let Some(row) = line.trim().strip_prefix('|') else {
            in_body = false;
            continue;
        };
        let row = row.trim_end_matches('|');
        if row.contains("---") {
            in_body = true;
        } else if in_body {
            rows.push((index + 1, row.rsplit('|').next().unwrap_or(row)));
        }
    }
    rows
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn exists(tree: &Tree, test: &str) -> bool {
    test.split_once("::").is_some_and(|(path, name)| {
        let text = tree.text(path).unwrap_or_default();
        text.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| has_word(line, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Promises\n\n| promise | test |\n|---|---|\n";

    fn found(row: &str) -> Vec<String> {
        let text = format!("{HEAD}{row}\n\nAnd so on.\n");
        let tree = Tree::of(&[
            (PATH, &text),
            ("tests/tests/order.rs", "// a mere_comment\nfn kept() {}\n"),
        ]);
        check(&tree).iter().map(Violation::to_string).collect()
    }

    #[test]
    fn a_promise_with_its_test_passes() {
        assert_eq!(
            found("| order | see `x`: `tests/tests/order.rs::kept` |"),
            [""; 0]
        );
    }

    #[test]
    fn a_promise_without_a_test_is_found() {
        let found = found("| order | `tests/tests/order.rs` |");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("GUARANTEES.md:5: a promise without a test"));
    }

    #[test]
    fn a_promise_whose_test_is_not_there_is_found() {
        for test in [
            "tests/tests/order.rs::gone",
            "tests/tests/order.rs::mere_comment",
            "tests/tests/gone.rs::kept",
        ] {
            let found = found(&format!(
                "| order | `tests/tests/order.rs::kept`, `{test}` |"
            ));
            assert_eq!(found.len(), 1, "{test}");
            assert!(
                found[0].contains(&format!("no test {test}")),
                "{}",
                found[0]
            );
        }
    }

    #[test]
    fn a_house_that_promises_nothing_is_found() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
