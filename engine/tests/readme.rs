//! The README's program is the example `hello`, so that what people read is what is tested.

/// Code without what rustfmt and the README's narrower lines do differently.
fn essence(code: &str) -> String {
    code.split_whitespace()
        .collect::<String>()
        .replace(",}", "}")
}

#[test]
fn the_readme_shows_the_example() {
    let readme = include_str!("../../README.md");
    let shown = readme
        .split("```")
        .find_map(|block| block.strip_prefix("rust\n"))
        .expect("the README shows a program");
    let example = include_str!("../examples/hello.rs");
    let program = example
        .find("use quark")
        .map(|begin| &example[begin..])
        .expect("the example uses the library");
    assert_eq!(essence(shown), essence(program));
}
