//! The workspace's text files in memory, so that the rules themselves do no I/O.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::HouseError;

/// Files by their path from the root, with forward slashes.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads every file that a rule looks at. Links, hidden folders (but for `.ci`) and build
    /// output are passed over.
    pub(super) fn read(root: &Path) -> Result<Self, HouseError> {
        let mut tree = Self::default();
        let mut folders = vec![(root.to_path_buf(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let failed = |source: io::Error| HouseError::Read {
                path: folder.clone(),
                source,
            };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let kind = entry.file_type().map_err(failed)?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let path = format!("{prefix}{name}");
                if kind.is_dir() && is_ours(&name) {
                    folders.push((entry.path(), format!("{path}/")));
                } else if kind.is_file() && is_read(&path) {
                    let text =
                        fs::read_to_string(entry.path()).map_err(|source| HouseError::Read {
                            path: entry.path(),
                            source,
                        })?;
                    tree.files.insert(path, text);
                }
            }
        }
        Ok(tree)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// A made-up workspace.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|&(path, text)| (path.to_owned(), text.to_owned()));
        Self {
            files: files.collect(),
        }
    }
}

fn is_ours(folder: &str) -> bool {
    folder == ".ci" || (folder != "target" && !folder.starts_with('.'))
}

fn is_read(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|e| e.to_str());
    matches!(extension, Some("rs" | "toml" | "sh" | "md")) || path.starts_with(".ci/")
}
