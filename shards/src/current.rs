//! Which shard is being polled right now, and what the layer above has attached to it.
//!
//! The reactor sets it for the length of one pass; it is no property of the thread, since
//! several shards can live in one (the simulator).
#![allow(unsafe_code)]

use std::any::TypeId;
use std::cell::Cell;
use std::ptr;

use crate::shard::Shard;

thread_local! {
    static CURRENT: Cell<*const Shard> = const { Cell::new(ptr::null()) };
}

/// Runs `f` with the shard that is being polled on this thread, if one is.
#[inline]
pub fn with_current<R>(f: impl FnOnce(Option<&Shard>) -> R) -> R {
    let shard = CURRENT.get();
    // SAFETY: `enter` keeps a borrow of the shard for as long as the pointer is set.
    f(unsafe { shard.as_ref() })
}

/// Makes `shard` the current one while `f` runs, then whichever was before.
#[inline]
pub(crate) fn enter<R>(shard: &Shard, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Shard);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let _restore = Restore(CURRENT.replace(shard));
    f()
}

/// One value of the layer above, kept by the shard and found again by its type.
#[derive(Default)]
pub(crate) struct Extension {
    value: Cell<Option<(TypeId, *const ())>>,
    drop: Cell<Option<fn(*const ())>>,
}

impl Extension {
    /// Attaches `value`.
    ///
    /// # Panics
    /// If something is attached already.
    pub(crate) fn attach<T: 'static>(&self, value: T) {
        assert!(self.value.get().is_none(), "a shard carries one extension");
        let value = Box::into_raw(Box::new(value)).cast_const();
        self.value.set(Some((TypeId::of::<T>(), value.cast())));
        self.drop.set(Some(|value| {
            // SAFETY: made from a `Box<T>` just above and dropped once.
            drop(unsafe { Box::from_raw(value.cast::<T>().cast_mut()) });
        }));
    }

    /// What was attached, if it is a `T`.
    #[inline]
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        let (type_id, value) = self.value.get()?;
        if type_id != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: the type was compared; the value stays until `self` is dropped.
        Some(unsafe { &*value.cast::<T>() })
    }

    /// Leaves what was attached in memory for good.
    pub(crate) fn forget(&self) {
        self.value.take();
        self.drop.take();
    }

    /// Drops what was attached, while the rest of the shard still stands.
    pub(crate) fn clear(&self) {
        if let (Some((_, value)), Some(drop)) = (self.value.take(), self.drop.take()) {
            drop(value);
        }
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        self.clear();
    }
}
