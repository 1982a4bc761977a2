//! `quark check`: prints what breaks a rule of the house.

use std::path::Path;

use quark_tools::house::{self, HouseError};

/// Checks the workspace at `root`, one line of output for each violation.
///
/// # Errors
/// If there is a violation, or `root` is no workspace that can be read.
#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
pub(crate) fn run(root: &Path) -> Result<(), CheckError> {
    let found = house::check(root)?;
    for violation in &found {
        println!("{violation}");
    }
    match found.len() {
        0 => Ok(()),
        count => Err(CheckError::Violations { count }),
    }
}

/// Why a check did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// Rules are broken; each has been printed.
    #[error("{count} broken {}: the remedy stands on each line above", if *.count == 1 { "rule" } else { "rules" })]
    Violations {
        /// How many.
        count: usize,
    },
    /// Nothing was checked.
    #[error(transparent)]
    House(#[from] HouseError),
}

impl CheckError {
    /// 1 for broken rules, 2 for what can't be checked.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Violations { .. } => 1,
            Self::House(_) => 2,
        }
    }
}
