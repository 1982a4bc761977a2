//! `--hgrm`, `--plot` and `plot` as a user meets them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use quark_bench::hgrm::{self, Unit};

fn quark_bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quark-bench"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn succeeds(arguments: &[&str]) -> String {
    let output = quark_bench(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

fn refused(arguments: &[&str], said: &str) {
    let output = quark_bench(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(said), "{stderr}");
}

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Folder(folder.join(format!("records-{}-{name}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_run_leaves_files_and_a_picture() {
    let folder = Folder::new("run");
    let picture = folder.file("run.svg");
    fs::create_dir_all(folder.path()).expect("a temporary folder");
    let mut arguments = vec!["run", "ask-local", "activate", "ask-local"];
    arguments.extend(["--count", "2000", "--oversubscribe", "--idle", "park"]);
    arguments.extend([
        "--hgrm",
        folder.path(),
        "--plot",
        &picture,
        "--name",
        "first",
    ]);
    succeeds(&arguments);
    for stem in ["ask-local.first", "activate.first", "ask-local.first-2"] {
        let text = fs::read_to_string(folder.file(&format!("{stem}.hgrm"))).expect("written");
        let hgrm = hgrm::read(&text, Unit::S).expect("percentiles");
        assert_eq!(hgrm.distribution.count(), 2_000, "{stem}");
        assert!(hgrm.notes.machine.is_some() && hgrm.notes.date.is_some());
        let log = fs::read_to_string(folder.file(&format!("{stem}.hlog"))).expect("written");
        let workload = stem.split('.').next().expect("a name");
        assert!(log.contains(&format!("\nTag={workload},0.000,")), "{log}");
        assert!(log.contains(",HISTFAAA"), "{log}");
    }
    let text = fs::read_to_string(&picture).expect("drawn");
    for said in [">ask-local first<", ">activate first<", "Latency (", " UTC"] {
        assert!(text.contains(said), "{said}");
    }

    let both = folder.file("both.svg");
    let files = ["ask-local.first.hgrm", "activate.first.hgrm"].map(|name| folder.file(name));
    succeeds(&[
        "plot", "--out", &both, "--title", "Then", &files[0], &files[1],
    ]);
    let text = fs::read_to_string(&both).expect("drawn");
    for said in [">Then<", ">ask-local.first<", ">activate.first<", "Linux "] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn what_cannot_be_written_is_known_before_the_run() {
    let busy = ["run", "ask-local", "--seconds", "600"];
    for (option, said) in [
        ("--plot", "cannot write /nonexistent/run.svg"),
        ("--hgrm", "cannot write /dev/null/run.svg"),
    ] {
        let path = said.trim_start_matches("cannot write ");
        refused(&[&busy[..], &[option, path]].concat(), said);
    }
    refused(&["run", "ring", "--name", "../up"], "expected letters");
}

#[test]
fn what_is_no_distribution_is_refused_with_its_line() {
    let folder = Folder::new("bad");
    fs::create_dir_all(folder.path()).expect("a temporary folder");
    let (out, bad) = (folder.file("out.svg"), folder.file("bad.hgrm"));
    fs::write(
        &bad,
        "Value Percentile TotalCount 1/(1-Percentile)\n\n1 2\n",
    )
    .expect("writable");
    refused(&["plot", "--out", &out, &bad], "line 3 is not");
    fs::write(&bad, [0xff, 0xfe, 0x00]).expect("writable");
    refused(&["plot", "--out", &out, &bad], "cannot read");
    refused(&["plot", "--out", &out, "/nonexistent.hgrm"], "cannot read");
    assert!(!Path::new(&out).exists());
}
