//! A crate uses only crates below it.

use toml::Table;

use super::Violation;
use super::tables::Crate;
use super::tree::Tree;

/// Compares every member's manifest with the table.
pub(super) fn check(tree: &Tree, crates: &[Crate]) -> Vec<Violation> {
    let mut found = Vec::new();
    let Some(root) = manifest(tree, "Cargo.toml", &mut found) else {
        return found;
    };
    let members = root
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(toml::Value::as_array);
    for folder in members.into_iter().flatten().filter_map(|m| m.as_str()) {
        let Some(known) = crates.iter().find(|known| known.folder == folder) else {
            found.push(Violation {
                path: "Cargo.toml".to_owned(),
                line: line_of(tree, "Cargo.toml", folder),
                what: format!("the crate in {folder} has no place in the house"),
                remedy: "say in tools/src/house/tables.rs what it may use".to_owned(),
            });
            continue;
        };
        let path = format!("{folder}/Cargo.toml");
        let Some(member) = manifest(tree, &path, &mut found) else {
            continue;
        };
        let wrong = dependencies(&member)
            .filter(|used| *used != known.name)
            .filter(|used| crates.iter().any(|other| other.name == *used))
            .filter(|used| !known.uses.contains(used));
        for used in wrong {
            found.push(Violation {
                path: path.clone(),
                line: line_of(tree, &path, used),
                what: format!("{} uses {used}, which is not below it", known.name),
                remedy: "move the code down to where both can use it".to_owned(),
            });
        }
        if !inherits_lints(&member) {
            found.push(Violation {
                path,
                line: 1,
                what: "leaves the workspace's lints out".to_owned(),
                remedy: "add [lints] with workspace = true".to_owned(),
            });
        }
    }
    found
}

fn manifest(tree: &Tree, path: &str, found: &mut Vec<Violation>) -> Option<Table> {
    let wrong = match tree.text(path).map(str::parse) {
        Some(Ok(table)) => return Some(table),
        Some(Err(error)) => format!("not a manifest ({})", toml::de::Error::message(&error)),
        None => "missing".to_owned(),
    };
    found.push(Violation {
        path: path.to_owned(),
        line: 1,
        what: wrong,
        remedy: "cargo must be able to read it".to_owned(),
    });
    None
}

/// The packages a manifest depends on, by any kind of dependency and for any target.
fn dependencies(member: &Table) -> impl Iterator<Item = &str> {
    let targets = member
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    std::iter::once(member)
        .chain(targets)
        .flat_map(|table| {
            ["dependencies", "dev-dependencies", "build-dependencies"]
                .into_iter()
                .filter_map(|kind| table.get(kind).and_then(toml::Value::as_table))
        })
        .flat_map(|kind| {
            kind.iter().map(|(key, value)| {
                value
                    .get("package")
                    .and_then(toml::Value::as_str)
                    .unwrap_or(key)
            })
        })
}

fn inherits_lints(member: &Table) -> bool {
    member
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(toml::Value::as_bool)
        == Some(true)
}

/// The first line that says `word` outside comments and the `name` of the package.
fn line_of(tree: &Tree, path: &str, word: &str) -> usize {
    let text = tree.text(path).unwrap_or_default();
    text.lines()
        .position(|line| {
            let line = line.split('#').next().unwrap_or_default();
            line.contains(word) && !line.trim_start().starts_with("name")
        })
        .map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES: &[Crate] = &[
        Crate {
            name: "top",
            folder: "top",
            uses: &["low"],
            library: false,
        },
        Crate {
            name: "low",
            folder: "low",
            uses: &[],
            library: true,
        },
    ];
    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace]\nmembers = [\"top\", \"low\"]\n");
    const TOP: (&str, &str) = (
        "top/Cargo.toml",
        "[dependencies]\nlow.workspace = true\nserde = \"1\"\n[lints]\nworkspace = true\n",
    );

    fn found(low: &str) -> Vec<String> {
        let low = format!("{low}\n[lints]\nworkspace = true\n");
        let tree = Tree::of(&[ROOT, TOP, ("low/Cargo.toml", &low)]);
        check(&tree, CRATES)
            .iter()
            .map(Violation::to_string)
            .collect()
    }

    #[test]
    fn arrows_that_point_down_pass() {
        assert_eq!(found("[dependencies]\nlibc = \"0.2\""), [""; 0]);
    }

    #[test]
    fn an_arrow_that_points_up_is_found_in_every_kind_of_dependency() {
        for heading in [
            "[dependencies]",
            "[dev-dependencies]",
            "[build-dependencies]",
            "[target.'cfg(unix)'.dependencies]",
        ] {
            for entry in [
                "top.workspace = true",
                "top = { path = \"../top\" }",
                "other = { package = \"top\", path = \"../top\" }",
            ] {
                assert_eq!(
                    found(&format!("{heading}\n{entry}")),
                    ["low/Cargo.toml:2: low uses top, which is not below it: \
                         move the code down to where both can use it"],
                    "{heading} {entry}"
                );
            }
        }
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let tree = Tree::of(&[("Cargo.toml", "[workspace]\nmembers = [\"new\"]\n")]);
        let found = check(&tree, CRATES);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
        assert!(found[0].what.contains("new has no place"), "{}", found[0]);
    }

    #[test]
    fn a_crate_with_lints_of_its_own_is_found() {
        let tree = Tree::of(&[ROOT, TOP, ("low/Cargo.toml", "[lints.rust]\n")]);
        let found = check(&tree, CRATES);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("lints"), "{}", found[0]);
    }

    #[test]
    fn a_manifest_that_is_none_is_found() {
        assert_eq!(found("[dependencies").len(), 1);
        assert_eq!(check(&Tree::of(&[ROOT, TOP]), CRATES).len(), 1);
    }
}
