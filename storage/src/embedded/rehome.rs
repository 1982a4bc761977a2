//! Divides what is kept among other shards than before: into logs of a new generation.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use super::EmbeddedConfig;
use super::batch::Update;
use super::error::{OpenError, at};
use super::format::{Kind, Meta, RECORD_HEADER, RecordHeader, body_crc, key_of};
use super::index::Place;
use super::log::Log;
use super::recover::Reading;
use super::scan::{Bounds, Scanner, Told};
use crate::provider::{RecordKey, StoreError};

/// Bytes queued before they are waited for.
const SHARE: usize = 1 << 20;

/// Writes every live record of `old`'s logs into `new`'s, where `home` says. Gives what was found.
pub(super) async fn divide(
    shard: &Rc<Shard>,
    config: &EmbeddedConfig,
    old: Meta,
    new: Meta,
    home: &dyn Fn(&RecordKey) -> u16,
) -> Result<Vec<String>, OpenError> {
    let plain = EmbeddedConfig {
        zero_ahead: false,
        ..config.clone()
    };
    let names_lost: Arc<AtomicBool> = Arc::default();
    let targets: Vec<Rc<Log>> = (0..new.shards)
        .map(|number| {
            Log::new(
                shard.clone(),
                new.log(number),
                new.shards,
                &plain,
                names_lost.clone(),
            )
        })
        .collect();
    for target in &targets {
        let mut state = target.state.borrow_mut();
        (state.next_segment, state.next_batch) = (1, 1);
        // Nothing is alive in the index of a log that is only written.
        state.compacting = true;
        state.snapshots.is_over = true;
    }
    let mut notes = Vec::new();
    let mut next = 1;
    for number in 0..old.shards {
        let source = Log::new(
            shard.clone(),
            old.log(number),
            old.shards,
            config,
            names_lost.clone(),
        );
        // What is taken along must have been read: damage is to be found now.
        source.recover(Reading::Whole).await?;
        let mut moving = Moving {
            targets: &targets,
            home,
            queued: 0,
            strays: 0,
        };
        moving.all_of(&source).await?;
        let mut state = source.state.borrow_mut();
        next = next.max(state.next_sequence);
        notes.append(&mut state.notes);
        if moving.strays > 0 {
            notes.push(format!(
                "{} damaged records of shard {number} could not be taken along: their names are \
                 unreadable",
                moving.strays
            ));
        }
    }
    for target in &targets {
        target.begin_at(next);
        target
            .remember_sequence()
            .await
            .map_err(|error| cannot(config, &error))?;
    }
    Ok(notes)
}

struct Moving<'a> {
    targets: &'a [Rc<Log>],
    home: &'a dyn Fn(&RecordKey) -> u16,
    queued: usize,
    /// Records whose names can't be read.
    strays: u64,
}

impl Moving<'_> {
    async fn all_of(&mut self, source: &Rc<Log>) -> Result<(), OpenError> {
        let segments: Vec<_> = {
            let state = source.state.borrow();
            let segments = state.segments.iter();
            segments
                .map(|(number, segment)| (*number, segment.file.clone(), segment.size))
                .collect()
        };
        for (number, file, size) in segments {
            let path = source.path(number);
            let shard = source.shard.clone();
            let mut scanner = Scanner::new(shard, file, source.id, number, size, Bounds::default());
            while let Some(piece) = scanner.next().await.map_err(at(&path))? {
                for Told { offset, header, .. } in
                    scanner.records(&piece).await.map_err(at(&path))?
                {
                    let place = Place {
                        segment: number,
                        offset,
                    };
                    if !source.state.borrow().is_live(place, &header) {
                        continue;
                    }
                    let len = header.body_len as usize;
                    let body = scanner.bytes(offset + RECORD_HEADER as u64, len).await;
                    let body = body.map_err(at(&path))?;
                    self.one(source, header, body);
                    if self.queued >= SHARE {
                        self.flush(source).await?;
                    }
                }
            }
        }
        self.flush(source).await
    }

    fn one(&mut self, source: &Log, header: RecordHeader, body: &[u8]) {
        let whole = body_crc(body, source.salt) == header.body_crc;
        if header.kind == Kind::Fence {
            // Who lives in the slot may live anywhere.
            for target in self.targets {
                self.queued += copy(target, header, body, whole);
            }
            return;
        }
        let Some(key) = key_of(&header, body) else {
            self.strays += 1;
            return;
        };
        let target = &self.targets[usize::from((self.home)(&key))];
        self.queued += copy(target, header, body, whole);
    }

    async fn flush(&mut self, source: &Log) -> Result<(), OpenError> {
        self.queued = 0;
        for target in self.targets {
            if planted(Bug::HastyRehoming) {
                target.set_going();
                continue;
            }
            target
                .flush()
                .await
                .map_err(|error| cannot(&source.config, &error))?;
        }
        Ok(())
    }
}

/// Queues a copy; gives its length.
fn copy(target: &Rc<Log>, header: RecordHeader, body: &[u8], whole: bool) -> usize {
    let mut state = target.state.borrow_mut();
    state.next_sequence = state.next_sequence.max(header.sequence + 1);
    let batch = state.gathering(header.len());
    let (at, header) = batch.copy(header, target.salt, body, whole);
    batch.updates.push(Update {
        at,
        header,
        // Nothing is to be looked up in this log.
        moved: Some(NOWHERE),
        mark: None,
    });
    header.len()
}

const NOWHERE: Place = Place {
    segment: 0,
    offset: 0,
};

impl Log {
    /// Gives sequences from `next` on.
    fn begin_at(&self, next: u64) {
        let mut state = self.state.borrow_mut();
        let step = state.step;
        state.next_sequence = next.next_multiple_of(step) + u64::from(self.id.shard);
    }

    /// Begins a segment whose header tells the next sequence.
    async fn remember_sequence(self: &Rc<Self>) -> Result<(), StoreError> {
        self.state.borrow_mut().tail = None;
        self.make_room(1).await.map_err(|fault| fault.answer(self))
    }
}

fn cannot(config: &EmbeddedConfig, error: &StoreError) -> OpenError {
    OpenError::Divide {
        path: config.directory.clone(),
        why: error.to_string(),
    }
}
