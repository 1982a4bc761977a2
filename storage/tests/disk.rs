//! The log on a real disk, by io_uring: what every provider does, and finding it all again.

mod uring;

use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use quark_shards::shard::Shard;
use quark_storage::conformance::{Subject, provider_conformance};
use quark_storage::embedded::{EmbeddedConfig, EmbeddedStore, OpenError, Prepared, open, prepare};
use quark_storage::provider::{Epoch, Expected, Provider, RecordKey, Write};

use self::uring::{run, shard};

struct Embedded(EmbeddedStore);

impl Subject for Embedded {
    fn provider(&self) -> Rc<dyn Provider> {
        Rc::new(self.0.clone())
    }
}

fn opened(shard: &Rc<Shard>, folder: &Path) -> Result<(Prepared, EmbeddedStore), OpenError> {
    let config = EmbeddedConfig {
        segment_bytes: 8 << 20,
        ..EmbeddedConfig::new(folder)
    };
    let here = shard.clone();
    run(shard, async move {
        let prepared = prepare(here.clone(), &config, 1, &|_| 0).await?;
        let store = open(here, &prepared.opening(), 0).await?;
        Ok((prepared, store))
    })
}

fn key(number: u64) -> RecordKey {
    RecordKey::new("Disk", &number.to_string(), "it", 1)
}

#[test]
fn the_log_conforms_on_a_real_disk() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let shard = shard();
    let (_prepared, store) = opened(&shard, &folder.path().join("log")).expect("it opens");
    run(&shard, async move {
        provider_conformance(&Embedded(store)).await;
    });
    shard.clear();
}

#[test]
fn what_was_saved_is_found_by_the_next_process() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let log = folder.path().join("log");
    for round in 0..3u64 {
        let shard = shard();
        let (prepared, store) = opened(&shard, &log).expect("it opens");
        if round == 0 {
            let second = opened(&shard, &log).map(drop);
            assert!(
                matches!(second, Err(OpenError::Locked { .. })),
                "not {second:?}"
            );
        }
        let all = store.clone();
        run(&shard, async move {
            let mut saves = Vec::new();
            for number in 0..200 {
                let found = all.load(&key(number), Epoch(1)).await.expect("a load");
                assert_eq!(found.is_some(), round > 0);
                if let Some(found) = found {
                    assert_eq!(found.value[0], round as u8);
                }
                saves.push(all.save(
                    &key(number),
                    Write {
                        epoch: Epoch(1),
                        expected: Expected::Any,
                        value: Bytes::from(vec![round as u8 + 1; 5_000 + number as usize * 30]),
                    },
                ));
            }
            for save in saves {
                save.await.expect("a save");
            }
            all.close().await.expect("it closes");
        });
        assert_eq!(store.report().records, 200);
        assert!(store.report().notes.is_empty(), "{}", store.report());
        drop((prepared, store));
        shard.clear();
    }
}
