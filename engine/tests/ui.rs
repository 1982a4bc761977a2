//! What compiles under `#[actor]`, and what the user reads where it doesn't.
//!
//! After a deliberate change: `TRYBUILD=overwrite cargo test -p quark-engine --test ui`, and read
//! the difference as a user would.

#[test]
fn user_programs() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
