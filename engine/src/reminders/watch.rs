//! The task on each shard that looks for reminders that are due.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;
use quark_storage::provider::{
    DueReminder, ETag, Epoch, Expected, Provider, RecordKey, StoreError, WallTime,
};

use super::Due;
use super::catch_up::step;
use crate::error::CallError;
use crate::runtime::{Runtime, with_runtime};
use crate::state::key_of;

/// Reminders read at once.
const PAGE: usize = 256;
/// Reminders that are being dealt with: when many are due at once, the others wait their turn.
const UNDER_WAY_MOST: usize = 256;
/// Reminders whose actors can't be called, which are tried again beside those under way.
const AILING_MOST: usize = 4096;
/// Other nodes' reminders, due and not yet seen to, that a page has room for.
const OTHERS_MOST: usize = 16_384;
/// The longest time between two looks: clocks are set, too.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The shortest time between two looks that nothing has asked for.
const NAP: Duration = Duration::from_millis(10);
/// How long what has failed waits, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What a shard knows of its reminders between two looks.
#[derive(Default)]
pub(crate) struct Watch {
    /// Those that are being dealt with: they are found again as long as they are.
    under_way: RefCell<BTreeMap<RecordKey, ETag>>,
    /// Those dealt with since the last page was asked for: it may name them once more.
    ended: RefCell<BTreeSet<(RecordKey, ETag)>>,
    /// How many of those wait to be tried again.
    ailing: Cell<usize>,
    /// When the next look is; `None` while one is under way.
    next: Cell<Option<WallTime>>,
    /// Something has changed since the last look began.
    changed: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Watch {
    /// A reminder was set: it may be due before the next look.
    pub(crate) fn is_set(&self, due: WallTime) {
        if self.next.get().is_none_or(|next| due < next) {
            self.look();
        }
    }

    /// Has the task look again.
    fn look(&self) {
        self.changed.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// How many more may be begun.
    fn room(&self) -> usize {
        let busy = self.under_way.borrow().len() - self.ailing.get();
        if self.ailing.get() >= AILING_MOST {
            return 0;
        }
        UNDER_WAY_MOST.saturating_sub(busy)
    }

    /// Waits until `time`, a change, or for [`LOOK_EVERY`].
    async fn wait(&self, time: Option<WallTime>) {
        let now = wall_time();
        let most = now.after(LOOK_EVERY);
        let until = time.map_or(most, |time| time.min(most));
        self.next.set(Some(until));
        let sleep = with_runtime(|shard, _| shard.sleep(until.since(now)));
        let mut sleep = pin!(sleep);
        poll_fn(|cx| {
            if self.changed.get() {
                return Poll::Ready(());
            }
            self.waker.set(Some(cx.waker().clone()));
            sleep.as_mut().poll(cx)
        })
        .await;
        self.next.set(None);
        self.changed.set(false);
    }
}

impl Runtime {
    /// Starts to look for the reminders in `store`.
    pub(crate) fn watch_reminders(&self, shard: &Shard, store: Rc<dyn Provider>) {
        let watch = self.reminders.clone();
        shard.spawn(async move {
            let mut failures = Retry::default();
            // By then the launch is over: its loops run only for as long as stores are opened.
            sleep(Duration::from_millis(1)).await;
            loop {
                match look(&watch, &store).await {
                    Ok(next) => {
                        failures = Retry::default();
                        watch.wait(next).await;
                    }
                    Err(StoreError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(%error, "reminders can't be read; trying again");
                        sleep(failures.next()).await;
                    }
                }
            }
        });
    }
}

/// Begins with what is due; says when to look again, unless something changes before.
async fn look(watch: &Rc<Watch>, store: &Rc<dyn Provider>) -> Result<Option<WallTime>, StoreError> {
    // Other nodes' reminders on the page: they must not hide this one's.
    let mut others = 0;
    loop {
        let room = watch.room();
        if room == 0 {
            // The next that ends has us look again.
            return Ok(None);
        }
        let now = wall_time();
        let known = watch.under_way.borrow().len();
        watch.ended.borrow_mut().clear();
        let asked = known + room.min(PAGE) + others;
        let page = store.due(now, asked).await?;
        let is_full = page.reminders.len() >= asked;
        let before = others;
        others = 0;
        let mut begun = 0;
        for due in page.reminders {
            if begun == room {
                break;
            }
            if !is_here(&due.key) {
                others = (others + 1).min(OTHERS_MOST);
                continue;
            }
            let this = (due.key.clone(), due.etag);
            if watch.under_way.borrow().contains_key(&due.key)
                || watch.ended.borrow().contains(&this)
            {
                continue;
            }
            watch.under_way.borrow_mut().insert(this.0, this.1);
            begun += 1;
            let (watch, store) = (watch.clone(), store.clone());
            with_runtime(|shard, _| {
                shard.spawn(async move {
                    let this = (due.key.clone(), due.etag);
                    attend(&watch, &store, due, now).await;
                    watch.under_way.borrow_mut().remove(&this.0);
                    watch.ended.borrow_mut().insert(this);
                    watch.look();
                })
            });
        }
        match page.next {
            Some(next) if next <= now && begun != 0 => {}
            _ if is_full && others > before => {}
            // Those on the page are known, and the next may be another shard's: this one's own may
            // come later.
            next => return Ok(next.map(|next| next.max(now.after(NAP)))),
        }
    }
}

/// Sees one reminder through: its actor is called, and what comes next is kept.
async fn attend(watch: &Watch, store: &Rc<dyn Provider>, due: DueReminder, now: WallTime) {
    let step = step(due.reminder, now);
    if planted(Bug::HastyMove) {
        let expected = Expected::Tag(due.etag);
        let moved = store.set_reminder(&due.key, epoch_of(&due.key), expected, step.next);
        drop(moved.await);
    }
    if let Some(times) = step.call
        && !call(watch, store, &due, now, times).await
    {
        return;
    }
    let epoch = epoch_of(&due.key);
    let mut retry = Retry::default();
    loop {
        let expected = Expected::Tag(due.etag);
        match store
            .set_reminder(&due.key, epoch, expected, step.next)
            .await
        {
            Ok(_) => return,
            // Set anew or taken back meanwhile, or somebody else's by now.
            Err(StoreError::Conflict { .. } | StoreError::Fenced { .. } | StoreError::Closed) => {
                return;
            }
            Err(error) => {
                tracing::warn!(reminder = %due.key, %error, "a reminder can't be moved on; trying again");
                watch.ail(retry.next()).await;
            }
        }
    }
}

/// Calls the actor until it has heard; false if the engine ends before, or the reminder has
/// changed.
async fn call(
    watch: &Watch,
    store: &Rc<dyn Provider>,
    due: &DueReminder,
    now: WallTime,
    times: u64,
) -> bool {
    let key = key_of(due.key.key());
    let mut retry = Retry::default();
    loop {
        let told = Due {
            name: due.key.name().into(),
            at: due.reminder.due,
            now,
            times,
        };
        let delivery = with_runtime(|_, runtime| {
            let engine = runtime.engine();
            engine.deliver(due.key.actor(), key.clone(), told)
        });
        let Some(delivery) = delivery else {
            tracing::error!(
                reminder = %due.key,
                "a reminder for a type that is not registered, or has no `on_reminder`: name it at \
                 the engine's builder (register or configure)"
            );
            watch.ail(RETRY.1).await;
            continue;
        };
        match delivery.await {
            Ok(()) => return true,
            Err(CallError::Stopped) => return false,
            Err(error) => {
                tracing::warn!(reminder = %due.key, %error, "a reminder was not heard; trying again");
                watch.ail(retry.next()).await;
            }
        }
        // It may have been set anew or taken back while nobody could be called.
        match store.reminder(&due.key, epoch_of(&due.key)).await {
            Ok(Some((etag, _))) if etag == due.etag => {}
            Err(StoreError::Unavailable { .. }) => {}
            _ => return false,
        }
    }
}

impl Watch {
    /// Waits without being in the way of others.
    async fn ail(&self, time: Duration) {
        self.ailing.set(self.ailing.get() + 1);
        self.look();
        sleep(time).await;
        self.ailing.set(self.ailing.get() - 1);
    }
}

/// Times to wait, each twice the one before.
#[derive(Default)]
struct Retry(Option<Duration>);

impl Retry {
    fn next(&mut self) -> Duration {
        let next = self.0.map_or(RETRY.0, |last| (last * 2).min(RETRY.1));
        self.0 = Some(next);
        next
    }
}

fn epoch_of(key: &RecordKey) -> Epoch {
    with_runtime(|_, runtime| runtime.epoch_of(key.slot()))
}

/// Whether the reminder is this node's to see to.
fn is_here(key: &RecordKey) -> bool {
    with_runtime(|shard, runtime| runtime.serves(shard, u64::from(key.slot())))
}

async fn sleep(time: Duration) {
    with_runtime(|shard, _| shard.sleep(time)).await;
}

fn wall_time() -> WallTime {
    with_runtime(|shard, _| WallTime::new(shard.wall_time()))
}
