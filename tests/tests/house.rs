//! The rules of the house hold for this workspace: dependency arrows, the driver seam, where
//! `unsafe` may stand, small and finished files. `quark check` lists the same.

use std::path::Path;

use quark_tools::house;

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = house::check(&root).expect("the workspace can be read");
    let list: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "broken rules:\n{}", list.join("\n"));
}

#[test]
fn a_folder_without_a_workspace_is_an_error() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let error = house::check(&src).expect_err("no manifest there");
    assert!(error.to_string().contains("no Cargo.toml in"), "{error}");
}
