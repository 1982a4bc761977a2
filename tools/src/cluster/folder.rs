//! Where a cluster keeps its files, and where other commands find it.

use std::error::Error;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{env, io};

use rustix::process::getuid;

use super::process::{is_alive, was_started_with};
use super::table::Shown;

/// The folder of one cluster.
pub(super) struct Folder(PathBuf);

const STATE: &str = "cluster.json";

impl Folder {
    /// This one; or, without, the user's own.
    pub(super) fn at(given: Option<PathBuf>) -> Self {
        Folder(
            given.unwrap_or_else(|| match env::var_os("XDG_RUNTIME_DIR") {
                Some(runtime) => Path::new(&runtime).join("quark"),
                None => env::temp_dir().join(format!("quark-{}", getuid().as_raw())),
            }),
        )
    }

    /// Makes it, for nobody else to look into, and empties what an earlier cluster has left.
    ///
    /// # Errors
    /// If it is somebody else's, or a cluster runs there.
    pub(super) fn prepare(&self) -> Result<(), Box<dyn Error>> {
        let wrong = |error: io::Error| format!("{}: {error}", self.0.display());
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0);
        made.map_err(wrong)?;
        // In a folder for temporary files, anyone may have made it before.
        let metadata = fs::symlink_metadata(&self.0).map_err(wrong)?;
        if metadata.uid() != getuid().as_raw() || metadata.is_symlink() {
            return Err(format!("{} is not yours: give another --dir", self.0.display()).into());
        }
        if let Ok(running) = self.running() {
            let starter = running.starter;
            return Err(format!(
                "a cluster runs in {} already (process {starter}): end it, or give another --dir",
                self.0.display()
            )
            .into());
        }
        for old in [self.certificates(), self.redis()] {
            match fs::remove_dir_all(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{}: {error}", old.display()).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn certificates(&self) -> PathBuf {
        self.0.join("tls")
    }

    pub(super) fn redis(&self) -> PathBuf {
        self.0.join("redis")
    }

    /// What a node says besides its figures.
    pub(super) fn log_of(&self, node: &str) -> PathBuf {
        self.0.join(format!("{node}.log"))
    }

    /// Tells other commands what runs here.
    pub(super) fn tell(&self, shown: &Shown) -> Result<(), Box<dyn Error>> {
        let fresh = self.0.join("cluster.json.new");
        fs::write(&fresh, serde_json::to_vec(shown)?)?;
        fs::rename(&fresh, self.0.join(STATE))?;
        Ok(())
    }

    /// Nothing runs here any more.
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(self.0.join(STATE));
    }

    /// What runs here.
    ///
    /// # Errors
    /// If nothing does.
    pub(super) fn running(&self) -> Result<Shown, Box<dyn Error>> {
        let none = || {
            let folder = self.0.display();
            format!("no cluster runs in {folder}: quark cluster start, or give its --dir")
        };
        let state = fs::read(self.0.join(STATE)).map_err(|_| none())?;
        let shown: Shown = serde_json::from_slice(&state).map_err(|_| none())?;
        // What was killed has left its file behind, and its number may be another's by now.
        if is_alive(shown.starter) && was_started_with(shown.starter, "start") {
            Ok(shown)
        } else {
            Err(none().into())
        }
    }
}
