//! What may travel: keys, arguments and replies of any size and alignment.
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use quark::{Key, prelude::*};
use quark_tests::{block_on, in_time, small};

const LONG: Duration = Duration::from_secs(60);

/// More than a ring's slot aligns to by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Aligned(pub [u8; 64]);

fn is_aligned<T>(value: &T) -> bool {
    (&raw const *value)
        .cast::<u8>()
        .addr()
        .is_multiple_of(align_of::<T>())
}

#[derive(Default)]
pub struct Echo;

#[actor]
impl Echo {
    pub fn nothing(&self) {}

    pub fn wide(&self, number: u128, small: u8) -> u128 {
        assert!(is_aligned(&number));
        number + u128::from(small)
    }

    pub async fn aligned(&mut self, value: Aligned) -> Aligned {
        assert!(is_aligned(&value));
        Aligned(value.0.map(|byte| byte + 1))
    }

    pub fn kib(&mut self, bytes: [u8; 2048]) -> [u8; 3000] {
        let mut reply = [0; 3000];
        reply[..2048].copy_from_slice(&bytes);
        reply
    }

    pub async fn large(&mut self, bytes: Box<[u8]>, rest: [u8; 70_000]) -> ([u8; 70_000], usize) {
        (rest, bytes.len())
    }

    pub fn owned(&self, names: Vec<String>, shared: Arc<str>) -> (Vec<String>, Arc<str>) {
        (names, shared)
    }

    pub fn who(&self, cx: &Cx<Self>) -> Key {
        cx.key()
    }

    /// Sends everything on to another, and compares.
    pub async fn relay(&self, cx: &Cx<Self>, to: u64) -> Result<(), CallError> {
        let to = cx.actor::<Echo>(to);
        check(&to).await
    }
}

/// Sends everything to `echo`, and compares.
async fn check(echo: &EchoRef) -> Result<(), CallError> {
    echo.nothing().await?;
    assert_eq!(echo.wide(1 << 100, 3).await?, (1 << 100) + 3);
    assert_eq!(echo.aligned(Aligned([7; 64])).await?, Aligned([8; 64]));
    let reply = echo.kib([5; 2048]).await?;
    assert!(reply[..2048] == [5; 2048] && reply[2048..] == [0; 952]);
    let (rest, len) = echo.large(vec![1; 1 << 20].into(), [9; 70_000]).await?;
    assert!(rest == [9; 70_000] && len == 1 << 20);
    let names = vec!["a".to_owned(), "b".repeat(10_000)];
    assert_eq!(
        echo.owned(names.clone(), "c".into()).await?,
        (names, "c".into())
    );
    Ok(())
}

#[test]
fn values_of_any_size_and_alignment_travel() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for key in 0..4_u64 {
            let echo = engine.actor::<Echo>(key);
            block_on(check(&echo)).unwrap();
            for to in 0..4_u64 {
                if to != key {
                    assert_eq!(echo.relay(to).wait(), Ok(()));
                }
            }
        }
    });
}

#[test]
fn values_travel_through_a_port() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let _port = engine.port().unwrap();
        for key in 0..4_u64 {
            let echo = engine.actor::<Echo>(key);
            assert_eq!(echo.nothing().wait(), Ok(()));
            assert_eq!(echo.wide(1 << 90, 1).wait(), Ok((1 << 90) + 1));
            assert_eq!(echo.aligned(Aligned([1; 64])).wait(), Ok(Aligned([2; 64])));
            assert_eq!(echo.kib([3; 2048]).wait().unwrap()[..2048], [3; 2048]);
            let (rest, len) = echo.large(vec![1; 100].into(), [9; 70_000]).wait().unwrap();
            assert!(rest == [9; 70_000] && len == 100);
        }
    });
}

#[test]
fn keys_are_integers_and_strings() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let long = "a name that is longer than any slot of a ring ".repeat(50);
        let keys: [Key; 7] = [
            0_u64.into(),
            u64::MAX.into(),
            (-1_i32).into(),
            "".into(),
            "alice".into(),
            long.as_str().into(),
            "0".into(),
        ];
        for key in &keys {
            let echo = engine.actor::<Echo>(key);
            assert_eq!(echo.who().wait().as_ref(), Ok(key));
        }
        // Minus one has the bits of the greatest; all others are actors of their own.
        assert_eq!(engine.count(), 6);
    });
}

#[test]
fn a_key_that_grows_long_crosses_shards_too() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for length in [1, 10, 100, 1000, 100_000] {
            let key = "k".repeat(length);
            assert_eq!(engine.actor::<Echo>(&key).who().wait(), Ok(Key::from(&key)));
        }
    });
}
