//! Two owners of one key at once, the one stale: whatever comes first, one of them commits.

use bytes::Bytes;
use quark_shards::driver::sim::SimConfig;

use super::bench::{Bench, config};
use crate::provider::{Epoch, Expected, Provider, RecordKey, StoreError, Write};

fn write(epoch: u64, expected: Expected, value: &'static str) -> Write {
    Write {
        epoch: Epoch(epoch),
        expected,
        value: Bytes::from_static(value.as_bytes()),
    }
}

#[test]
fn of_two_owners_one_commits() {
    let (mut olds, mut news) = (0, 0);
    for seed in 0..100 {
        let mut bench = Bench::new(seed, SimConfig::default());
        let config = config(64 << 10, false);
        let (prepared, stores) = bench.open(&config, 1).expect("it opens");
        let key = RecordKey::new("Owned", "it", "state", 3);
        let first = stores[0].save(&key, write(1, Expected::Any, "first"));
        let tag = Expected::Tag(bench.run(first).expect("a save"));
        // Both write on what they have seen; the new one has shut the old one out by a load.
        let (old_store, new_store) = (stores[0].clone(), stores[0].clone());
        let (old_key, new_key) = (key.clone(), key.clone());
        let shard = bench.shard();
        let waits = [0, 1].map(|_| bench.world.random() % 2_000);
        let (rest, pause) = (shard.clone(), shard.clone());
        let old = async move {
            rest.sleep(std::time::Duration::from_micros(waits[0])).await;
            old_store.save(&old_key, write(1, tag, "old")).await
        };
        let new = async move {
            pause
                .sleep(std::time::Duration::from_micros(waits[1]))
                .await;
            new_store.load(&new_key, Epoch(2)).await.expect("a load");
            new_store.save(&new_key, write(2, tag, "new")).await
        };
        let outcomes = std::rc::Rc::new(std::cell::RefCell::new((None, None)));
        let (to_old, to_new) = (outcomes.clone(), outcomes.clone());
        shard.spawn(async move {
            let outcome = old.await;
            to_old.borrow_mut().0 = Some(outcome);
        });
        shard.spawn(async move {
            let outcome = new.await;
            to_new.borrow_mut().1 = Some(outcome);
        });
        while !matches!(*outcomes.borrow(), (Some(_), Some(_))) {
            bench.step();
        }
        let (old, new) = outcomes.take();
        let (old, new) = (old.expect("it ended"), new.expect("it ended"));
        let is_refused = |error: &StoreError| {
            matches!(
                error,
                StoreError::Fenced { .. } | StoreError::Conflict { .. }
            )
        };
        assert!(old.as_ref().err().is_none_or(is_refused), "{old:?}");
        assert!(new.as_ref().err().is_none_or(is_refused), "{new:?}");
        let found = {
            drop((prepared, stores));
            bench.crash();
            let (_prepared, stores) = bench.open(&config, 1).expect("it opens");
            let found = bench.run(stores[0].load(&key, Epoch(2))).expect("a load");
            found.expect("it is there")
        };
        let (etag, value) = match (&old, &new) {
            (Ok(etag), Err(_)) => (*etag, &b"old"[..]),
            (Err(_), Ok(etag)) => (*etag, &b"new"[..]),
            both => panic!("seed {seed}: not one commits: {both:?}"),
        };
        assert_eq!((found.etag, &found.value[..]), (etag, value));
        olds += usize::from(old.is_ok());
        news += usize::from(new.is_ok());
    }
    assert!(olds > 0 && news > 0, "{olds} and {news}");
}
