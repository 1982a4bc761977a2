//! The rules of the house that no compiler keeps: which crate may use which, where `unsafe`
//! may stand, who may read a clock. `quark check` runs them, and so does a test.
//!
//! What is allowed where is data: see `tables.rs`.

mod arrows;
mod code;
mod promises;
mod seam;
mod tables;
mod tidy;
mod tree;
mod unsafety;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use self::code::Code;
use self::tree::Tree;

/// Reads the workspace at `root` and lists what breaks a rule, by path and line.
///
/// # Errors
/// If `root` is no workspace, or a file in it can't be read.
pub fn check(root: &Path) -> Result<Vec<Violation>, HouseError> {
    let tree = Tree::read(root)?;
    if tree.text("Cargo.toml").is_none() {
        return Err(HouseError::NoWorkspace {
            root: root.to_path_buf(),
        });
    }

    let mut found = Vec::new();
    let code = parse(&tree, &mut found);
    found.extend(arrows::check(&tree, tables::CRATES));
    found.extend(seam::check(&code, tables::SHARD_SIDE, tables::EXEMPT));
    found.extend(unsafety::check(&code, tables::UNSAFE));
    found.extend(tidy::check(&tree, &code, tables::CRATES));
    found.extend(promises::check(&tree));
    found.sort();
    Ok(found)
}

/// One broken rule. Shown as `path:line: what: remedy`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, from the workspace's root.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            what,
            remedy,
        } = self;
        write!(f, "{path}:{line}: {what}: {remedy}")
    }
}

/// Why the rules could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// There is no manifest at the root.
    #[error("no Cargo.toml in {}: name the workspace's root folder", root.display())]
    NoWorkspace {
        /// Where we looked.
        root: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Every Rust file as tokens; one that can't be read as Rust is a violation of its own. Samples
/// for the compiler's messages are passed over: they break rules on purpose.
fn parse<'a>(tree: &'a Tree, found: &mut Vec<Violation>) -> Vec<Code<'a>> {
    let mut all = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| is_code(path)) {
        match Code::parse(path, text) {
            Ok(code) => all.push(code),
            Err(line) => found.push(Violation {
                path: path.to_owned(),
                line,
                what: "not Rust that can be read".to_owned(),
                remedy: "make it compile".to_owned(),
            }),
        }
    }
    all
}

fn is_code(path: &str) -> bool {
    path.ends_with(".rs") && !path.contains("/tests/ui/")
}
