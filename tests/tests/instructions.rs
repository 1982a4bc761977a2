//! What an ask costs in instructions, counted: exact where time is not, and so a guard against
//! growth that no benchmark on a shared machine would show.
//!
//! Only what runs inside the passes of shards counts: of the simulator its driver alone.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Instructions of one ask, as bench/README.md has them.
const LOCAL: u64 = 302;
const CROSS: u64 = 4_314;
/// How far off they may be, in percent.
const SLACK: u64 = 10;

#[test]
fn an_ask_costs_as_many_instructions_as_recorded() {
    let program = build();
    let mut failed = String::new();
    for (way, recorded) in [("local", LOCAL), ("cross", CROSS)] {
        let (few, many) = (1_000, 11_000);
        let counted = (count(&program, way, many) - count(&program, way, few)) / (many - few);
        if counted.abs_diff(recorded) * 100 > recorded * SLACK {
            failed += &format!(
                "an ask {way} takes {counted} instructions where {recorded} are recorded: find \
                 out why, or record it here and in bench/README.md\n"
            );
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn the_figures_are_those_that_are_told() {
    let readme = include_str!("../../bench/README.md");
    let row = format!("| one core | {LOCAL} |\n| two shards in one thread | {CROSS} |");
    assert!(readme.contains(&row), "bench/README.md has no row {row:?}");
}

/// Builds the program with the optimizer that users have, but for link-time optimization.
fn build() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--profile", "counted"])
        .args(["--package", "quark-engine", "--example", "instructions"])
        .current_dir(manifest)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the program builds");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| manifest.join("../target"), PathBuf::from);
    target.join("counted/examples/instructions")
}

/// Instructions inside the passes of shards, as callgrind counts them.
fn count(program: &Path, way: &str, asks: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=quark::testing::sim::pass")
        .arg(program)
        .args([way, &asks.to_string()])
        .output()
        .expect("valgrind starts: apt-get install valgrind");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let counted = told
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1))
        .and_then(|count| count.trim().parse().ok());
    counted.unwrap_or_else(|| panic!("valgrind does not say how many: {told}"))
}
