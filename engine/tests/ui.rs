//! What the user reads where something does not compile under `#[actor]`. What does is in
//! `user_programs` of `quark-tests`: beside it, each of these would be built, not only checked.
//!
//! After a deliberate change: `TRYBUILD=overwrite cargo test -p quark-engine --test ui`, and read
//! the difference as a user would.

#[test]
fn what_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
}
