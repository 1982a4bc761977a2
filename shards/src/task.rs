//! Tasks: futures in recycled cells, with wakers that are plain numbers.
//!
//! A waker holds (shard, cell, generation) in its data word and no reference at all: cloning it
//! copies the word, a stale one wakes nobody or wakes in vain, and one that outlives its engine
//! is a number nobody answers to. Wakes on the shard itself push to the ready queue; wakes from
//! other threads go through the shard's wake inbox.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::block::{BLOCK_ALIGN, BlockClass, BlockPool};
use crate::current::with_current;
use crate::foreign;

/// Names a task of one shard; a number that may outlive the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId {
    index: u32,
    /// Of which a waker carries the last eight bits only: it may wake in vain, while whoever
    /// cancels must mean this very task.
    generation: u32,
}

/// What surrounds every poll of a task's body, and is dropped after it.
///
/// The engine's turns set their context here, catch panics and send replies.
pub trait Frame<F: Future>: 'static {
    /// Polls `body` once.
    fn poll(&self, body: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<()>;
}

/// The frame of a plain task.
pub struct Plain;

impl<F: Future<Output = ()>> Frame<F> for Plain {
    #[inline]
    fn poll(&self, body: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<()> {
        body.poll(cx)
    }
}

/// All tasks of one shard.
pub struct Tasks {
    /// The shard's number among all shards this process ever had.
    uid: u32,
    cells: UnsafeCell<Vec<NonNull<Cell_>>>,
    free: RefCell<Vec<Vec<NonNull<Cell_>>>>,
    ready: RefCell<VecDeque<u32>>,
    live: Cell<usize>,
    blocks: BlockPool,
}

#[repr(C, align(64))]
struct Cell_ {
    vtable: Cell<&'static Vtable>,
    index: u32,
    class: BlockClass,
    generation: Cell<u32>,
    state: Cell<State>,
    scheduled: Cell<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Idle,
    Running,
    /// Cancelled while running: dropped as soon as its poll returns.
    Doomed,
}

struct Vtable {
    poll: unsafe fn(NonNull<Cell_>, &mut Context<'_>) -> Poll<()>,
    /// Drops the body, then the frame.
    drop: unsafe fn(NonNull<Cell_>),
}

#[repr(C)]
struct Contents<H, F> {
    head: H,
    body: ManuallyDrop<F>,
}

impl Tasks {
    pub(crate) fn new(uid: u32) -> Self {
        Tasks {
            uid,
            cells: UnsafeCell::default(),
            free: RefCell::new(vec![Vec::new(); 32]),
            ready: RefCell::default(),
            live: Cell::new(0),
            blocks: BlockPool::default(),
        }
    }

    /// Makes a task of `future`; it is polled first when the loop comes to it.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> TaskId {
        // SAFETY: the body does not use the frame.
        let cell = unsafe { self.place(Plain, |_| future) };
        self.schedule(cell);
        // SAFETY: `place` returns a live cell.
        unsafe { cell.as_ref() }.id()
    }

    /// Makes a task of `future` and polls it at once.
    pub fn spawn_now(&self, future: impl Future<Output = ()> + 'static) {
        // SAFETY: the body does not use the frame.
        unsafe { self.start(Plain, |_, _| future) };
    }

    /// Makes a task whose body may refer to its frame, and polls it at once.
    ///
    /// Returns `None` when that first poll finished it.
    ///
    /// # Safety
    /// The reference that `body` gets is good until the frame is dropped, and the body is
    /// dropped just before: nothing else may keep it longer.
    #[inline(always)]
    pub unsafe fn start<H, F>(
        &self,
        head: H,
        body: impl FnOnce(&'static H, TaskId) -> F,
    ) -> Option<TaskId>
    where
        F: Future + 'static,
        H: Frame<F>,
    {
        // SAFETY: passed on to the caller.
        let cell = unsafe { self.place_with(head, body) };
        // SAFETY: `place` returns a live cell.
        let id = unsafe { cell.as_ref() }.id();
        self.poll(cell);
        // SAFETY: cells are never freed while the shard lives.
        (unsafe { cell.as_ref() }.is(id)).then_some(id)
    }

    /// Drops a task: at once, or after its current poll. Stale ids are ignored.
    pub fn cancel(&self, id: TaskId) {
        let Some(cell) = self.find(id) else { return };
        // SAFETY: found, so live.
        let head = unsafe { cell.as_ref() };
        match head.state.get() {
            State::Idle => self.finish(cell),
            State::Running => head.state.set(State::Doomed),
            State::Free | State::Doomed => {}
        }
    }

    /// Puts a task on the ready queue. Stale ids are ignored.
    #[inline]
    pub fn wake(&self, id: TaskId) {
        if let Some(cell) = self.find(id) {
            self.schedule(cell);
        }
    }

    /// Wakes the task that a waker's word names, or in vain another in its place.
    #[inline]
    pub(crate) fn wake_word(&self, word: u64) {
        // SAFETY: single-threaded read.
        let cell = unsafe { &*self.cells.get() }.get(word as u32 as usize);
        if let Some(cell) = cell {
            // SAFETY: cells are never freed while the shard lives.
            let head = unsafe { cell.as_ref() };
            if head.generation.get() as u8 == (word >> 32) as u8 && head.state.get() != State::Free
            {
                self.schedule(*cell);
            }
        }
    }

    /// Whether the task has not finished.
    #[must_use]
    pub fn is_live(&self, id: TaskId) -> bool {
        self.find(id).is_some()
    }

    /// Puts every task on the ready queue: what is left when the wake inbox overflowed.
    pub(crate) fn wake_all(&self) {
        // SAFETY: cells are only added, and not while we iterate (schedule adds none).
        for cell in unsafe { &*self.cells.get() } {
            // SAFETY: cells are never freed while the shard lives.
            if unsafe { cell.as_ref() }.state.get() != State::Free {
                self.schedule(*cell);
            }
        }
    }

    /// Polls up to `limit` ready tasks; returns how many.
    #[inline]
    pub(crate) fn run_ready(&self, limit: usize) -> usize {
        for ran in 0..limit {
            let Some(index) = self.ready.borrow_mut().pop_front() else {
                return ran;
            };
            let cell = self.cell(index);
            // SAFETY: cells are never freed while the shard lives.
            let head = unsafe { cell.as_ref() };
            if head.scheduled.replace(false) && head.state.get() == State::Idle {
                self.poll(cell);
            }
        }
        limit
    }

    /// Whether a task waits to be polled.
    #[must_use]
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Tasks that have not finished.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live.get()
    }

    /// The shard's recycled memory, for the layer above too.
    #[must_use]
    #[inline]
    pub fn blocks(&self) -> &BlockPool {
        &self.blocks
    }

    /// Drops every task; used when the shard goes away.
    pub(crate) fn clear(&self) {
        let cells = self.cell_count();
        for index in 0..cells {
            let cell = self.cell(index);
            // SAFETY: cells are never freed while the shard lives.
            if unsafe { cell.as_ref() }.state.get() == State::Idle {
                self.finish(cell);
            }
        }
        self.ready.borrow_mut().clear();
    }

    fn cell_count(&self) -> u32 {
        // SAFETY: read only for its length.
        u32::try_from(unsafe { &*self.cells.get() }.len()).expect("fewer than 2^32 tasks")
    }

    #[inline]
    fn cell(&self, index: u32) -> NonNull<Cell_> {
        // SAFETY: single-threaded; the vector is not being changed during this read.
        unsafe { (&*self.cells.get())[index as usize] }
    }

    #[inline]
    fn find(&self, id: TaskId) -> Option<NonNull<Cell_>> {
        // SAFETY: single-threaded read.
        let cell = *unsafe { &*self.cells.get() }.get(id.index as usize)?;
        // SAFETY: cells are never freed while the shard lives.
        unsafe { cell.as_ref() }.is(id).then_some(cell)
    }

    #[inline]
    fn schedule(&self, cell: NonNull<Cell_>) {
        // SAFETY: cells are never freed while the shard lives.
        let head = unsafe { cell.as_ref() };
        if !head.scheduled.replace(true) {
            self.ready.borrow_mut().push_back(head.index);
        }
    }

    #[inline]
    fn poll(&self, cell: NonNull<Cell_>) {
        // SAFETY: cells are never freed while the shard lives.
        let head = unsafe { cell.as_ref() };
        head.state.set(State::Running);
        let waker = ManuallyDrop::new(waker(self.uid, head.id()));
        let mut cx = Context::from_waker(&waker);
        // SAFETY: the cell is live and its contents match its vtable. The bodies stay where
        // they are until dropped, so pinning holds.
        let polled = catch_unwind(AssertUnwindSafe(|| unsafe {
            (head.vtable.get().poll)(cell, &mut cx)
        }));
        match polled {
            Ok(Poll::Pending) if head.state.get() == State::Running => {
                head.state.set(State::Idle);
            }
            Ok(_) => self.finish(cell),
            Err(panic) => {
                tracing::error!(task = head.index, "a task panicked and was dropped");
                // A payload may panic on its way out, too.
                mem::forget(panic);
                self.finish(cell);
            }
        }
    }

    #[inline]
    fn finish(&self, cell: NonNull<Cell_>) {
        // SAFETY: cells are never freed while the shard lives.
        let head = unsafe { cell.as_ref() };
        head.state.set(State::Doomed);
        head.generation.set(head.generation.get().wrapping_add(1));
        let drop = head.vtable.get().drop;
        // SAFETY: the contents are live and dropped once: `Doomed` keeps others away.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| unsafe { drop(cell) })) {
            tracing::error!(task = head.index, "a task panicked while it was dropped");
            mem::forget(panic);
        }
        head.scheduled.set(false);
        head.state.set(State::Free);
        self.live.set(self.live.get() - 1);
        self.free.borrow_mut()[class_index(head.class)].push(cell);
    }

    /// # Safety
    /// As for [`start`](Self::start).
    #[inline]
    unsafe fn place<H, F>(&self, head: H, body: impl FnOnce(&'static H) -> F) -> NonNull<Cell_>
    where
        F: Future + 'static,
        H: Frame<F>,
    {
        // SAFETY: passed on to the caller.
        unsafe { self.place_with(head, |head, _| body(head)) }
    }

    /// # Safety
    /// As for [`start`](Self::start).
    #[inline(always)]
    unsafe fn place_with<H, F>(
        &self,
        head: H,
        body: impl FnOnce(&'static H, TaskId) -> F,
    ) -> NonNull<Cell_>
    where
        F: Future + 'static,
        H: Frame<F>,
    {
        const { assert!(align_of::<Contents<H, F>>() <= BLOCK_ALIGN) };
        let class = const { BlockClass::of(size_of::<Cell_>() + size_of::<Contents<H, F>>()) };
        let popped = self.free.borrow_mut()[class_index(class)].pop();
        let cell = popped.unwrap_or_else(|| self.grow(class));
        // SAFETY: a free cell is ours alone; its block is large enough by its class, and the
        // contents lie right behind the header.
        unsafe {
            let contents = contents::<H, F>(cell);
            (&raw mut (*contents).head).write(head);
            cell.as_ref().vtable.set(
                const {
                    &Vtable {
                        poll: poll::<H, F>,
                        drop: drop_contents::<H, F>,
                    }
                },
            );
            let made = body(&(*contents).head, cell.as_ref().id());
            (&raw mut (*contents).body).write(ManuallyDrop::new(made));
            cell.as_ref().state.set(State::Idle);
        }
        self.live.set(self.live.get() + 1);
        cell
    }

    #[cold]
    #[inline(never)]
    fn grow(&self, class: BlockClass) -> NonNull<Cell_> {
        let cell = self.blocks.take(class).cast::<Cell_>();
        let index = self.cell_count();
        // SAFETY: fresh memory of at least the header's size; nobody else sees it yet. The
        // vector is not borrowed elsewhere: borrows of it never outlive an expression.
        unsafe {
            cell.write(Cell_ {
                vtable: Cell::new(
                    const {
                        &Vtable {
                            poll: poll_never,
                            drop: drop_never,
                        }
                    },
                ),
                index,
                class,
                generation: Cell::new(0),
                state: Cell::new(State::Free),
                scheduled: Cell::new(false),
            });
            (*self.cells.get()).push(cell);
        }
        cell
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Cell_ {
    #[inline]
    fn id(&self) -> TaskId {
        TaskId {
            index: self.index,
            generation: self.generation.get(),
        }
    }

    #[inline]
    fn is(&self, id: TaskId) -> bool {
        self.generation.get() == id.generation && self.state.get() != State::Free
    }
}

#[inline]
fn class_index(class: BlockClass) -> usize {
    class.size().trailing_zeros() as usize - 6
}

/// # Safety
/// The cell's block was sized for these contents.
#[inline]
unsafe fn contents<H, F>(cell: NonNull<Cell_>) -> *mut Contents<H, F> {
    // SAFETY: the contents follow the header, whose size is a multiple of the block alignment.
    unsafe { cell.add(1).cast::<Contents<H, F>>().as_ptr() }
}

/// # Safety
/// The cell holds a live frame and body of these types.
unsafe fn poll<H: Frame<F>, F: Future>(cell: NonNull<Cell_>, cx: &mut Context<'_>) -> Poll<()> {
    // SAFETY: the vtable matches the contents, which stay in place until dropped.
    unsafe {
        let contents = contents::<H, F>(cell);
        let body = Pin::new_unchecked(&mut *(&raw mut (*contents).body).cast::<F>());
        (*contents).head.poll(body, cx)
    }
}

/// # Safety
/// As for [`poll`], and called once.
unsafe fn drop_contents<H, F>(cell: NonNull<Cell_>) {
    // SAFETY: the vtable matches the contents; called once.
    unsafe {
        let contents = contents::<H, F>(cell);
        // The frame goes even if the body's drop panics: it is what answers callers.
        struct Head<H>(*mut H);
        impl<H> Drop for Head<H> {
            fn drop(&mut self) {
                // SAFETY: made from the live frame just below, dropped once.
                unsafe { ptr::drop_in_place(self.0) }
            }
        }
        let _head = Head(&raw mut (*contents).head);
        ManuallyDrop::drop(&mut (*contents).body);
    }
}

/// # Safety
/// None: it touches nothing.
unsafe fn poll_never(_: NonNull<Cell_>, _: &mut Context<'_>) -> Poll<()> {
    Poll::Ready(())
}

/// # Safety
/// None: it touches nothing.
unsafe fn drop_never(_: NonNull<Cell_>) {}

const UID_BITS: u32 = 24;
/// Shards a process can ever have: their numbers must fit a waker's word.
pub(crate) const MAX_UID: u32 = (1 << UID_BITS) - 1;

/// A waker for a task: its number, no memory behind it.
#[inline]
fn waker(uid: u32, id: TaskId) -> Waker {
    // SAFETY: the vtable's functions take any word and touch no memory through it.
    unsafe { Waker::from_raw(raw_waker(pack(uid, id))) }
}

#[inline]
fn raw_waker(word: u64) -> RawWaker {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| raw_waker(data.addr() as u64),
        wake_word,
        wake_word,
        |_| {},
    );
    RawWaker::new(ptr::without_provenance(word as usize), &VTABLE)
}

#[inline]
fn pack(uid: u32, id: TaskId) -> u64 {
    (u64::from(uid) << 40) | (u64::from(id.generation as u8) << 32) | u64::from(id.index)
}

#[inline]
fn wake_word(data: *const ()) {
    let word = data.addr() as u64;
    let uid = (word >> 40) as u32;
    let here = with_current(|shard| {
        shard
            .filter(|shard| shard.uid() == uid)
            .map(|shard| shard.tasks().wake_word(word))
    });
    if here.is_none() {
        foreign::wake(uid, word);
    }
}
