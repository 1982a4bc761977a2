//! `quark check`: lists what breaks a rule of the house.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use quark_tools::house;

/// Checks the workspace at `root`: one line on stdout for each violation, and code 1 if there is
/// any.
///
/// # Errors
/// If `root` is no workspace that can be read, or stdout is closed.
pub(crate) fn run(root: &Path) -> Result<ExitCode, Box<dyn Error>> {
    let found = house::check(root)?;
    let mut out = io::stdout().lock();
    for violation in &found {
        writeln!(out, "{violation}")?;
    }
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
