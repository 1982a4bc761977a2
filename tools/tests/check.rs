//! `quark check` as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

fn check(root: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quark"))
        .args(["check", root])
        .output()
        .expect("quark runs")
}

#[test]
fn a_broken_rule_is_listed_and_ends_with_1() {
    // A folder with a manifest and without promises is a workspace that breaks a rule.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken-house");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join("Cargo.toml"), "[workspace]\n").expect("a file can be written");

    let output = check(folder.to_str().expect("a plain path"));
    let listed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{listed}");
    assert!(
        listed.contains("GUARANTEES.md:1: missing: write down what is promised"),
        "{listed}"
    );
}

#[test]
fn what_is_no_workspace_is_one_line_and_ends_with_2() {
    let output = check(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no Cargo.toml in"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
