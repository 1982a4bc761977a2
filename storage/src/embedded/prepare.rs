//! A directory, made ready for the shards of this launch; and a shard's log, opened.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use quark_shards::driver::OpenOptions;
use quark_shards::io::{File, names};
use quark_shards::shard::Shard;
use xxhash_rust::xxh3::xxh3_64;

use super::error::{OpenError, at};
use super::format::{BLOCK, Fault, LogId, META_BYTES, Meta};
use super::index::SEGMENT_BYTES_MOST;
use super::log::Log;
use super::names::parse_name;
use super::read::read_some;
use super::recover::Reading;
use super::segments::WriteFault;
use super::store::EmbeddedStore;
use super::{EmbeddedConfig, rehome};
use crate::provider::RecordKey;

const LOCK: &str = "LOCK";
const META: &str = "META";
const NEW_META: &str = "META.new";
/// Made by file systems.
const LOST_AND_FOUND: &str = "lost+found";
/// Keys whose homes tell where keys live.
const PROBES: u16 = 1024;

/// A directory that is ready. It is locked for as long as this lives: the shard that has prepared
/// it keeps it until all logs are closed.
pub struct Prepared {
    opening: Opening,
    notes: Vec<String>,
    _lock: File,
}

/// What the shards need to open their logs.
#[derive(Clone, Debug)]
pub struct Opening {
    config: EmbeddedConfig,
    meta: Meta,
    /// Whether the file system takes reads and writes past the cache.
    is_direct: bool,
    names_lost: Arc<AtomicBool>,
}

impl Prepared {
    /// What the shards need to open their logs; may be sent to them.
    #[must_use]
    pub fn opening(&self) -> Opening {
        self.opening.clone()
    }

    /// What was found while the logs were divided anew, in words.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Makes `config`'s directory ready for `shards` shards, of which `home` says where each key
/// lives. Once, on one shard, before any log is opened.
///
/// If keys live elsewhere than at the last launch, every record is written into a new log of the
/// shard where it lives now; a crash meanwhile leaves the old ones as they are.
///
/// # Errors
/// [`OpenError`], each with its remedy.
///
/// # Panics
/// If `home` gives a shard that is not one of `shards`.
pub async fn prepare(
    shard: Rc<Shard>,
    config: &EmbeddedConfig,
    shards: u16,
    home: &dyn Fn(&RecordKey) -> u16,
) -> Result<Prepared, OpenError> {
    check(config, shards)?;
    let folder = &config.directory;
    make_dirs(&shard, folder).await?;
    let lock = lock(&shard, folder).await?;
    let homes = probe(shards, home);
    let found = read_meta(&shard, folder).await?;
    let mut notes = Vec::new();
    let meta = match found {
        None => {
            let meta = Meta {
                directory: shard.unique(),
                generation: 1,
                shards,
                homes,
            };
            write_meta(&shard, folder, meta).await?;
            meta
        }
        Some(meta) => {
            // Whoever wrote it may have ended before it was durable, and then only the system's
            // cache has it. A full disk has it from an earlier launch.
            match write_meta(&shard, folder, meta).await {
                Err(OpenError::System { error, .. })
                    if matches!(WriteFault::of(&error), WriteFault::Full) => {}
                wrote => wrote?,
            }
            // Half-made, or left when the last division ended.
            sweep(&shard, folder, meta.generation).await?;
            if meta.shards == shards && meta.homes == homes {
                meta
            } else {
                let next = Meta {
                    generation: meta.generation + 1,
                    shards,
                    homes,
                    ..meta
                };
                notes = rehome::divide(&shard, config, meta, next, home).await?;
                write_meta(&shard, folder, next).await?;
                sweep(&shard, folder, next.generation).await?;
                next
            }
        }
    };
    let is_direct = config.direct && takes_direct(&shard, folder).await;
    let config = config.clone();
    Ok(Prepared {
        opening: Opening {
            config,
            meta,
            is_direct,
            names_lost: Arc::default(),
        },
        notes,
        _lock: lock,
    })
}

/// Opens the log of shard `number`, on that shard.
///
/// # Errors
/// [`OpenError`], each with its remedy. Damage within the log is none: it is reported.
pub async fn open(
    shard: Rc<Shard>,
    opening: &Opening,
    number: u16,
) -> Result<EmbeddedStore, OpenError> {
    let log = Log::new(
        shard,
        opening.meta.log(number),
        opening.meta.shards,
        &opening.config,
        opening.names_lost.clone(),
    );
    log.state.borrow_mut().is_direct = opening.is_direct;
    log.recover(Reading::Tail).await?;
    log.look_after();
    Ok(EmbeddedStore(log))
}

impl Meta {
    pub(super) fn log(&self, shard: u16) -> LogId {
        LogId {
            directory: self.directory,
            generation: self.generation,
            shard,
        }
    }
}

fn check(config: &EmbeddedConfig, shards: u16) -> Result<(), OpenError> {
    let bytes = config.segment_bytes;
    if !(4 * BLOCK as u64..=SEGMENT_BYTES_MOST).contains(&bytes)
        || !bytes.is_multiple_of(BLOCK as u64)
    {
        return Err(OpenError::Option {
            option: "segment_bytes",
            value: bytes,
            why: "it has to be from 16 KiB to 256 MiB, in blocks of 4096 bytes",
        });
    }
    if shards == 0 {
        return Err(OpenError::Option {
            option: "shards",
            value: 0,
            why: "there is one at least",
        });
    }
    Ok(())
}

/// Makes the directory, and those that it is in.
async fn make_dirs(shard: &Shard, folder: &Path) -> Result<(), OpenError> {
    let mut missing = Vec::new();
    let mut next = Some(folder);
    while let Some(folder) = next.filter(|folder| !folder.as_os_str().is_empty()) {
        match names::list(shard, folder).await {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder),
            Err(error) => return Err(at(folder)(error)),
        }
        next = folder.parent();
    }
    for folder in missing.into_iter().rev() {
        match names::make_dir(shard, folder).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(folder)(error)),
        }
        sync_parent(shard, folder).await?;
    }
    // Whoever made it may have ended before its name was durable.
    match sync_parent(shard, folder).await {
        Err(OpenError::System { error, .. }) if error.kind() == io::ErrorKind::PermissionDenied => {
            Ok(())
        }
        synced => synced,
    }
}

async fn sync_parent(shard: &Shard, folder: &Path) -> Result<(), OpenError> {
    let parent = folder.parent().unwrap_or(folder);
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    names::sync_dir(shard, parent).await.map_err(at(parent))
}

async fn lock(shard: &Shard, folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let options = OpenOptions {
        read: true,
        write: true,
        create: true,
        lock: true,
        ..OpenOptions::default()
    };
    match File::open(shard, &path, options).await {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(OpenError::Locked {
            path: folder.to_path_buf(),
        }),
        Err(error) => Err(at(&path)(error)),
    }
}

/// Where keys live, as a hash of where some of them do.
fn probe(shards: u16, home: &dyn Fn(&RecordKey) -> u16) -> u64 {
    let mut homes = Vec::new();
    for number in 0..PROBES {
        let key = RecordKey::new("Quark", &number.to_string(), "probe", number << 6);
        let home = home(&key);
        assert!(
            home < shards,
            "{key} lives on shard {home}, and there are {shards}"
        );
        homes.extend_from_slice(&home.to_le_bytes());
    }
    xxh3_64(&homes)
}

/// What the directory says of itself; `None` if it is new.
async fn read_meta(shard: &Shard, folder: &Path) -> Result<Option<Meta>, OpenError> {
    let path = folder.join(META);
    let read = OpenOptions {
        read: true,
        ..OpenOptions::default()
    };
    let file = match File::open(shard, &path, read).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return is_new(shard, folder).await.map(|()| None);
        }
        Err(error) => return Err(at(&path)(error)),
    };
    let bytes = read_some(shard, &file, META_BYTES, 0)
        .await
        .map_err(at(&path))?;
    match Meta::parse(&bytes) {
        Ok(meta) => Ok(Some(meta)),
        Err(Fault::Newer(version)) => Err(OpenError::Newer { path, version }),
        Err(_) => Err(OpenError::Damaged { path }),
    }
}

/// Refuses a directory that somebody else uses for something.
async fn is_new(shard: &Shard, folder: &Path) -> Result<(), OpenError> {
    for name in names::list(shard, folder).await.map_err(at(folder))? {
        let path = folder.join(&name);
        match name.to_str() {
            Some(LOCK | NEW_META | LOST_AND_FOUND) => {}
            Some(name) if parse_name(name).is_some() => {
                let what = "a log without the META beside it that tells whose it is";
                return Err(OpenError::Foreign { path, what });
            }
            _ => {
                let what = "a file of somebody else's";
                return Err(OpenError::Foreign { path, what });
            }
        }
    }
    Ok(())
}

/// Replaces what the directory says of itself, in one step.
async fn write_meta(shard: &Shard, folder: &Path, meta: Meta) -> Result<(), OpenError> {
    let (path, new) = (folder.join(META), folder.join(NEW_META));
    let options = OpenOptions {
        write: true,
        create: true,
        truncate: true,
        ..OpenOptions::default()
    };
    let file = File::open(shard, &new, options).await.map_err(at(&new))?;
    let bytes = Bytes::from(meta.encode());
    file.write_durable(shard, bytes, 0)
        .await
        .map_err(at(&new))?;
    file.close(shard).await.map_err(at(&new))?;
    names::rename(shard, &new, &path).await.map_err(at(&path))?;
    names::sync_dir(shard, folder).await.map_err(at(folder))
}

async fn takes_direct(shard: &Shard, folder: &Path) -> bool {
    let options = OpenOptions {
        read: true,
        direct: true,
        ..OpenOptions::default()
    };
    File::open(shard, folder.join(META), options).await.is_ok()
}

/// Deletes the logs of all generations but this.
async fn sweep(shard: &Shard, folder: &Path, generation: u32) -> Result<(), OpenError> {
    let mut any = false;
    for name in names::list(shard, folder).await.map_err(at(folder))? {
        let of = name.to_str().and_then(parse_name);
        if of.is_some_and(|of| of.generation != generation) {
            let path = folder.join(&name);
            names::remove(shard, &path).await.map_err(at(&path))?;
            any = true;
        }
    }
    if any {
        names::sync_dir(shard, folder).await.map_err(at(folder))?;
    }
    Ok(())
}
