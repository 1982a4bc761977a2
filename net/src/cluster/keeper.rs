use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use quark_shards::shard::Shard;
use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::message::Message;
use super::node::{Entry, Membership};
use super::store::{TableStore, TableStoreError};
use super::table::{Change, Member, Table};

/// What a [`Keeper`] needs of who has it. Called on its shard.
pub trait Surroundings: 'static {
    /// Says `message` to `to`, for the node `from` (zero if it is no member); or loses it.
    fn say(&self, from: NodeId, to: &Member, message: Message);

    /// The table, or what the node may serve, is another: see [`Membership::revision`]. If the table
    /// took slots away, [`Keeper::let_go`] is to be called when their turns are over, and in any
    /// case before `lease_until`, when those that still run are to be given up.
    fn changed(&self, membership: &Membership, lease_until: Time);

    /// The node serves its slots until then, unless it is told of a later time.
    fn leased(&self, until: Time);

    /// Another process has taken the node's name over: this one has to end.
    fn replaced(&self);
}

/// How long a store is left alone that has failed.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Keeps one node's part in its cluster on a shard: reads and writes the table, and asks and answers
/// in time.
pub struct Keeper<S: Surroundings> {
    shard: Rc<Shard>,
    store: Arc<dyn TableStore>,
    surroundings: S,
    membership: RefCell<Membership>,
    poll_every: Duration,
    told: Cell<(u64, u64)>,
    leased_until: Cell<Time>,
    /// Something happened that it is to look at.
    is_rung: Cell<bool>,
    waker: Cell<Option<Waker>>,
    has_ended: Cell<bool>,
    /// Whether the store was out the last time.
    is_degraded: Cell<bool>,
}

/// What the store is asked.
type Errand = Pin<Box<dyn Future<Output = Result<Done, TableStoreError>>>>;

enum Done {
    Read(Option<Arc<Table>>),
    /// Or not: the table says.
    Written,
}

impl<S: Surroundings> Keeper<S> {
    /// For a node that begins. The table is read so often at least.
    #[must_use]
    pub fn new(
        shard: Rc<Shard>,
        store: Arc<dyn TableStore>,
        membership: Membership,
        poll_every: Duration,
        surroundings: S,
    ) -> Rc<Self> {
        let told = Cell::new(membership.revision());
        Rc::new(Keeper {
            shard,
            store,
            surroundings,
            membership: RefCell::new(membership),
            poll_every,
            told,
            leased_until: Cell::new(Time::ZERO),
            is_rung: Cell::new(false),
            waker: Cell::new(None),
            has_ended: Cell::new(false),
            is_degraded: Cell::new(false),
        })
    }

    /// What it knows.
    pub fn with<T>(&self, look: impl FnOnce(&Membership) -> T) -> T {
        look(&self.membership.borrow())
    }

    /// Who has it.
    pub fn surroundings(&self) -> &S {
        &self.surroundings
    }

    /// Whether the table could not be read or written the last time: the cluster goes on, but can't
    /// change.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.is_degraded.get()
    }

    /// `from` has said this.
    pub fn hear(&self, from: NodeId, message: Message) {
        let now = self.shard.read_clock();
        self.membership.borrow_mut().receive(from, message, now);
        self.ring();
    }

    /// All turns in slots that `version` and those before it took away are over.
    pub fn let_go(&self, version: u64) {
        let now = self.shard.read_clock();
        self.membership.borrow_mut().let_go(version, now);
        self.ring();
    }

    /// There may be a new table.
    pub fn look(&self) {
        self.is_rung.set(true);
        self.ring();
    }

    /// Has the node leave the cluster: [`run`](Self::run) ends when it has.
    pub fn leave(&self) {
        self.membership.borrow_mut().leave();
        self.ring();
    }

    /// Ends [`run`](Self::run), and with it the node's part, without a word.
    pub fn end(&self) {
        self.has_ended.set(true);
        self.ring();
    }

    fn ring(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Does all that is to be done, until the node has left, was replaced, or is ended.
    pub async fn run(self: Rc<Self>) {
        let mut errand: Option<Errand> = None;
        let mut read_again = self.shard.read_clock();
        let mut resting_until = read_again;
        while !self.has_ended.get() {
            let now = self.shard.read_clock();
            self.membership.borrow_mut().tick(now);
            self.say_all();
            self.tell();
            if errand.is_none() && now >= resting_until {
                let is_due = self.is_rung.take() || now >= read_again;
                errand = self.next_errand(is_due, now);
                if is_due || errand.is_some() {
                    read_again = now + self.poll_every;
                }
            }
            let mut until = self.membership.borrow().next_tick();
            if errand.is_none() {
                until = until.min(read_again.max(resting_until));
            }
            let Some(done) = self.wait(&mut errand, until).await else {
                continue;
            };
            errand = None;
            self.is_degraded.set(done.is_err());
            match done {
                Ok(Done::Read(table)) => {
                    let entry = self.take(table);
                    if entry == Entry::Replaced {
                        self.tell();
                        return self.surroundings.replaced();
                    }
                    let membership = self.membership.borrow();
                    if membership.me().is_none() && membership.is_leaving() {
                        drop(membership);
                        return self.tell();
                    }
                    drop(membership);
                    errand = self.enter(entry);
                }
                Ok(Done::Written) => self.is_rung.set(true),
                Err(error) => {
                    tracing::warn!(%error, "the cluster goes on with the table it has, and can't change it");
                    resting_until = self.shard.read_clock() + AFTER_ERROR;
                }
            }
        }
    }

    /// Waits for the store, for `until`, or until somebody rings.
    async fn wait(
        &self,
        errand: &mut Option<Errand>,
        until: Time,
    ) -> Option<Result<Done, TableStoreError>> {
        let mut rings = false;
        let mut sleep = pin!(self.shard.sleep_until(until));
        poll_fn(|cx| {
            if let Some(errand) = errand
                && let Poll::Ready(done) = errand.as_mut().poll(cx)
            {
                return Poll::Ready(Some(done));
            }
            if rings || sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            rings = true;
            self.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// What the store is to be asked next.
    fn next_errand(&self, is_due: bool, now: Time) -> Option<Errand> {
        let membership = self.membership.borrow();
        // What is due is read first: nothing is written behind a version that may be an old one.
        if !is_due
            && let Some(change) = membership.change(now)
            && let Some(table) = membership.table()
        {
            return self.write(table.clone(), &change);
        }
        (is_due || membership.me().is_some() && membership.wants_table()).then(|| {
            let read = self.store.read();
            let errand: Errand = Box::pin(async move { read.await.map(Done::Read) });
            errand
        })
    }

    fn take(&self, table: Option<Arc<Table>>) -> Entry {
        let now = self.shard.read_clock();
        self.membership.borrow_mut().read(table, now)
    }

    /// What is to be written so that the node becomes a member.
    fn enter(&self, entry: Entry) -> Option<Errand> {
        match entry {
            Entry::Found(table) => {
                let write = self.store.write(0, Arc::new(table));
                Some(Box::pin(async move { write.await.map(|_| Done::Written) }))
            }
            Entry::Enter(change) => {
                let table = self.membership.borrow().table().cloned();
                table.and_then(|table| self.write(table, &change))
            }
            Entry::Asked | Entry::Member | Entry::Replaced => None,
        }
    }

    fn write(&self, table: Arc<Table>, change: &Change) -> Option<Errand> {
        let next = match table.changed(change) {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, ?change, "the cluster's table can't be changed so");
                return None;
            }
        };
        let write = self.store.write(table.version(), Arc::new(next));
        Some(Box::pin(async move { write.await.map(|_| Done::Written) }))
    }

    fn say_all(&self) {
        let said = self.membership.borrow_mut().take_outgoing();
        let membership = self.membership.borrow();
        let from = membership.me().unwrap_or(NodeId(0));
        let Some(table) = membership.table() else {
            return;
        };
        for (to, message) in said {
            if let Some(member) = table.member(to) {
                self.surroundings.say(from, member, message);
            }
        }
    }

    fn tell(&self) {
        let membership = self.membership.borrow();
        let lease_until = membership.lease_until();
        if self.leased_until.replace(lease_until) != lease_until {
            self.surroundings.leased(lease_until);
        }
        let revision = membership.revision();
        if self.told.replace(revision) != revision {
            self.surroundings.changed(&membership, lease_until);
        }
    }
}
