//! What users may write under `#[actor]`, and under which lints nothing of it warns: programs of their
//! own, here as modules, so that they are built as one. What they may not write, and read then, is
//! in the engine's `tests/ui`.

// Held against whole crates only.
#![deny(future_incompatible, non_ascii_idents)]

macro_rules! programs {
    ($($name:ident),* $(,)?) => {$(
        #[allow(
            dead_code, missing_docs, unreachable_pub, clippy::all, clippy::pedantic,
            reason = "each says which lints it is held to, for users need not have the house's"
        )]
        pub mod $name;
    )*

        const NAMES: &[&str] = &[$(stringify!($name)),*];

        #[test]
        fn all_run() {
            $($name::main();)*
        }
    };
}

programs![
    conditional_methods,
    contracts,
    deprecated_message,
    hooks,
    inside_a_function,
    many_arguments,
    messages,
    names_stay_free,
    no_messages,
    ordinary_items,
    owned_by_other_means,
    private_types,
    raw_identifiers,
    references_travel,
    results_by_any_name,
    state_need_not_be_send,
    states,
    strict_lints,
    turns,
    written_by_a_macro,
];

#[test]
fn none_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/user_programs");
    let files = std::fs::read_dir(folder).expect("the folder of this file");
    let files = files.map(|file| file.expect("a file").path());
    let mut names: Vec<_> = files
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "main")
        .collect();
    names.sort();
    assert_eq!(names, NAMES);
}
