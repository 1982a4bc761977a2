//! `quark topology` from outside: what it says, and what it ends with.

use std::process::{Command, Output};

fn quark(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quark"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn shows_the_machine_and_a_placement() {
    let output = quark(&["topology", "--shards", "1"]);
    assert!(output.status.success(), "{output:?}");
    let said = text(&output.stdout);
    assert!(said.lines().next().unwrap().contains("NUMA node"), "{said}");
    let table: Vec<_> = said
        .lines()
        .skip_while(|line| !line.starts_with("shard"))
        .collect();
    assert!(
        table[1].trim_start().starts_with('0') && !table[1].contains("any"),
        "{said}"
    );
    assert!(table[2].starts_with("housekeeping"), "{said}");
}

#[test]
fn refuses_in_one_line_with_code_2() {
    for (arguments, about) in [
        (&["--shards", "0"][..], "zero shards"),
        (&["--shards", "60000"], "--oversubscribe"),
        (&["--cpus", "65000"], "no cpu 65000"),
        (&["--cpus", "1-"], "'--cpus <LIST>'"),
        (
            &["--housekeeping", "some"],
            "auto, none or the number of a cpu",
        ),
        (&["--shards"], "a value is required"),
        (&["--speed"], "unexpected argument '--speed'"),
        (
            &["--root", "/nowhere/at/all"],
            "cannot read /nowhere/at/all/sys",
        ),
    ] {
        let output = quark(&[&["topology"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.starts_with("error: ") && said.contains(about),
            "{arguments:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    }
}
