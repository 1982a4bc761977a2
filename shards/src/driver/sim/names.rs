//! The names on a disk: what programs see, what would survive a loss of power, and the changes
//! that lie between. A node has one name, and one that it was given later replaces all before.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::driver::random::SplitMix64;

/// The directory in which everything is.
const ROOT: usize = 0;

/// A name in a directory.
type Place = (usize, OsString);

#[derive(Debug, Default)]
pub(super) struct Names {
    current: BTreeMap<Place, usize>,
    durable: BTreeMap<Place, usize>,
    pending: Vec<Change>,
    directories: BTreeSet<usize>,
}

/// `node` goes by another name, or by none. One step, whatever it replaces.
#[derive(Debug)]
struct Change {
    node: usize,
    from: Option<Place>,
    to: Option<Place>,
    /// What had that name before, and has none now.
    replaced: Option<(usize, Place)>,
}

impl Names {
    /// What `path` names, if it is there.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<usize>> {
        match self.place(path)? {
            Some(place) => Ok(self.current.get(&place).copied()),
            None => Ok(Some(ROOT)),
        }
    }

    pub(super) fn is_directory(&self, node: usize) -> bool {
        node == ROOT || self.directories.contains(&node)
    }

    /// Names `node`, which is new.
    pub(super) fn add(&mut self, path: &Path, node: usize, directory: bool) -> io::Result<()> {
        let to = self.place(path)?.ok_or_else(|| errno(libc::EEXIST))?;
        if self.current.contains_key(&to) {
            return Err(errno(libc::EEXIST));
        }
        if directory {
            self.directories.insert(node);
        }
        self.change(node, None, Some(to));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let busy = || errno(libc::EBUSY);
        let from = self.place(from)?.ok_or_else(busy)?;
        let to = self.place(to)?.ok_or_else(busy)?;
        let node = *self.current.get(&from).ok_or_else(|| errno(libc::ENOENT))?;
        if from == to {
            return Ok(());
        }
        if self.is_directory(node) && self.is_under(to.0, node) {
            return Err(errno(libc::EINVAL));
        }
        if let Some(&replaced) = self.current.get(&to) {
            match (self.is_directory(node), self.is_directory(replaced)) {
                (false, true) => return Err(errno(libc::EISDIR)),
                (true, false) => return Err(errno(libc::ENOTDIR)),
                (true, true) if !self.list_of(replaced).is_empty() => {
                    return Err(errno(libc::ENOTEMPTY));
                }
                _ => {}
            }
        }
        self.change(node, Some(from), Some(to));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let from = self.place(path)?.ok_or_else(|| errno(libc::EISDIR))?;
        match self.current.get(&from) {
            None => Err(errno(libc::ENOENT)),
            Some(&node) if self.is_directory(node) => Err(errno(libc::EISDIR)),
            Some(&node) => {
                self.change(node, Some(from), None);
                Ok(())
            }
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.directory(path).map(|node| self.list_of(node))
    }

    /// The directory at `path`.
    pub(super) fn directory(&self, path: &Path) -> io::Result<usize> {
        match self.find(path)? {
            Some(node) if self.is_directory(node) => Ok(node),
            Some(_) => Err(errno(libc::ENOTDIR)),
            None => Err(errno(libc::ENOENT)),
        }
    }

    /// Whether something waits to be made durable by a sync of `directory`.
    pub(super) fn is_dirty(&self, directory: usize) -> bool {
        self.pending.iter().any(|change| change.concerns(directory))
    }

    /// Makes the names in `directory` durable, those that `kept` says.
    pub(super) fn sync(&mut self, directory: usize, mut kept: impl FnMut() -> bool) {
        let mut left: Vec<Change> = Vec::new();
        for change in std::mem::take(&mut self.pending) {
            if !change.concerns(directory) {
                left.push(change);
                continue;
            }
            if !kept() {
                continue;
            }
            // What came before must not come after.
            left = left
                .into_iter()
                .filter_map(|earlier| earlier.before(&change))
                .collect();
            change.apply(&mut self.durable);
        }
        self.pending = left;
    }

    /// Loses power: each change that was not synced has happened or not. Says how many have not.
    pub(super) fn crash(&mut self, random: &mut SplitMix64) -> u64 {
        let mut lost = 0;
        for change in std::mem::take(&mut self.pending) {
            if random.chance(0.5) {
                change.apply(&mut self.durable);
            } else {
                lost += 1;
            }
        }
        // What is in a directory without a name is gone with it.
        let reached = reachable(&self.durable);
        self.durable
            .retain(|(parent, _), _| reached.contains(parent));
        self.directories.retain(|node| reached.contains(node));
        self.current = self.durable.clone();
        lost
    }

    /// Whether `node` has a name, or may have one after a crash.
    pub(super) fn knows(&self, node: usize) -> bool {
        self.current.values().any(|named| *named == node)
            || self.durable.values().any(|named| *named == node)
            || self.pending.iter().any(|change| change.node == node)
    }

    /// All that has a name now.
    pub(super) fn nodes(&self) -> impl Iterator<Item = usize> {
        // No directory goes while something is in it, so all of them can be reached.
        self.current.values().copied()
    }

    /// All that has a name now, with its path.
    pub(super) fn all(&self) -> Vec<(PathBuf, usize)> {
        let mut all = Vec::new();
        let mut directories = vec![(ROOT, PathBuf::from("/"))];
        while let Some((directory, path)) = directories.pop() {
            for (name, &node) in self.within(directory) {
                let path = path.join(name);
                if self.is_directory(node) {
                    directories.push((node, path.clone()));
                }
                all.push((path, node));
            }
        }
        all.sort();
        all
    }

    fn change(&mut self, node: usize, from: Option<Place>, to: Option<Place>) {
        let replaced = to.clone().and_then(|place| {
            let node = self.current.get(&place).copied();
            node.map(|node| (node, place))
        });
        let change = Change {
            node,
            from,
            to,
            replaced,
        };
        change.apply(&mut self.current);
        self.pending.push(change);
    }

    fn list_of(&self, directory: usize) -> Vec<OsString> {
        self.within(directory)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn within(&self, directory: usize) -> impl Iterator<Item = (&OsString, &usize)> {
        self.current
            .range((directory, OsString::new())..)
            .take_while(move |((parent, _), _)| *parent == directory)
            .map(|((_, name), node)| (name, node))
    }

    /// Whether `node` is `ancestor` or in it.
    fn is_under(&self, mut node: usize, ancestor: usize) -> bool {
        while node != ancestor {
            let above = self.current.iter().find(|(_, named)| **named == node);
            match above {
                Some(((parent, _), _)) => node = *parent,
                None => return false,
            }
        }
        true
    }

    /// The directory and the name that `path` means; `None` for the root itself. The working
    /// directory is the root.
    fn place(&self, path: &Path) -> io::Result<Option<Place>> {
        let mut place: Option<Place> = None;
        for component in path.components() {
            let name = match component {
                Component::Normal(name) => name,
                Component::RootDir | Component::CurDir => continue,
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(io::ErrorKind::Unsupported.into());
                }
            };
            let parent = match place {
                None => ROOT,
                Some(place) => match self.current.get(&place) {
                    None => return Err(errno(libc::ENOENT)),
                    Some(&node) if self.is_directory(node) => node,
                    Some(_) => return Err(errno(libc::ENOTDIR)),
                },
            };
            place = Some((parent, name.to_owned()));
        }
        Ok(place)
    }
}

impl Change {
    fn concerns(&self, directory: usize) -> bool {
        let replaced = self.replaced.as_ref().map(|(_, place)| place);
        [self.from.as_ref(), self.to.as_ref(), replaced]
            .into_iter()
            .flatten()
            .any(|(parent, _)| *parent == directory)
    }

    /// What is left of it to be done once `later` is durable.
    fn before(mut self, later: &Change) -> Option<Change> {
        if self.node == later.node {
            // Its name is another by now, but what it replaced on the way is still to go.
            return self.replaced.map(|(node, place)| Change {
                node,
                from: Some(place),
                to: None,
                replaced: None,
            });
        }
        if self.to == later.to {
            self.to = None;
        }
        Some(self)
    }

    fn apply(&self, names: &mut BTreeMap<Place, usize>) {
        let replaced = self.replaced.as_ref().map(|(node, _)| *node);
        names.retain(|_, node| *node != self.node && Some(*node) != replaced);
        if let Some(to) = &self.to {
            names.insert(to.clone(), self.node);
        }
    }
}

/// The nodes that the root leads to, itself included.
fn reachable(names: &BTreeMap<Place, usize>) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([ROOT]);
    loop {
        let more: Vec<usize> = names
            .iter()
            .filter(|((parent, _), node)| reached.contains(parent) && !reached.contains(*node))
            .map(|(_, node)| *node)
            .collect();
        if more.is_empty() {
            return reached;
        }
        reached.extend(more);
    }
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
