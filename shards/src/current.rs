//! Which shard is being polled right now, and what the layer above has attached to it.
//!
//! The reactor sets it for the length of one pass; it is no property of the thread, since
//! several shards can live in one (the simulator).
#![allow(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicU8;

use crate::shard::Shard;

thread_local! {
    static CURRENT: Cell<*const Shard> = const { Cell::new(ptr::null()) };
}

/// Runs `f` with the shard that is being polled on this thread, if one is.
#[inline(always)]
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

/// What one kind of [attachment](Shard::attach) is found by: a `static` of the layer above.
///
/// Held against the address of the one it was attached with, which costs a compare where a
/// [`TypeId`](std::any::TypeId) costs five instructions more, twice a message.
pub struct Attachment<T: 'static> {
    /// With something inside that can change no two of them share a place.
    _place: AtomicU8,
    _value: PhantomData<fn() -> T>,
}

impl<T: 'static> Attachment<T> {
    /// One that nothing is attached by yet.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        reason = "one made on the way would never be found again"
    )]
    pub const fn new() -> Self {
        Attachment {
            _place: AtomicU8::new(0),
            _value: PhantomData,
        }
    }

    #[inline(always)]
    fn address(&'static self) -> *const () {
        ptr::from_ref(self).cast()
    }
}

/// One value of the layer above, kept by the shard and found again by its [`Attachment`].
pub(crate) struct Extension {
    /// The attachment's address; null if nothing is attached.
    key: Cell<*const ()>,
    value: Cell<*const ()>,
    drop: Cell<Option<fn(*const ())>>,
}

impl Default for Extension {
    fn default() -> Self {
        Extension {
            key: Cell::new(ptr::null()),
            value: Cell::new(ptr::null()),
            drop: Cell::new(None),
        }
    }
}

impl Extension {
    /// Attaches `value`.
    ///
    /// # Panics
    /// If something is attached already.
    pub(crate) fn attach<T: 'static>(&self, key: &'static Attachment<T>, value: T) {
        assert!(self.key.get().is_null(), "a shard carries one extension");
        let value = Box::into_raw(Box::new(value)).cast_const();
        self.key.set(key.address());
        self.value.set(value.cast());
        self.drop.set(Some(|value| {
            // SAFETY: made from a `Box<T>` just above and dropped once.
            drop(unsafe { Box::from_raw(value.cast::<T>().cast_mut()) });
        }));
    }

    /// What was attached by `key`, if anything was.
    #[inline(always)]
    pub(crate) fn get<T: 'static>(&self, key: &'static Attachment<T>) -> Option<&T> {
        if self.key.get() != key.address() {
            return None;
        }
        // SAFETY: the same place for good, so the same attachment, and thus a `T`; the value stays
        // until `self` is dropped.
        Some(unsafe { &*self.value.get().cast::<T>() })
    }

    /// Leaves what was attached in memory for good.
    pub(crate) fn forget(&self) {
        self.key.set(ptr::null());
        self.drop.take();
    }

    /// Drops what was attached, while the rest of the shard still stands.
    pub(crate) fn clear(&self) {
        self.key.set(ptr::null());
        if let Some(drop) = self.drop.take() {
            drop(self.value.get());
        }
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        self.clear();
    }
}
