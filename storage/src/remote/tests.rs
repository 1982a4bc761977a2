//! A server that breaks when it is told to.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::field::Field;
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::*;
use crate::provider::{
    CatchUp, DueReminder, ETag, Epoch, Expected, Provider, RecordKey, Reminder, StoreError,
    WallTime, Write,
};

#[derive(Default)]
struct World {
    /// How many batches are done without an answer.
    breaks: usize,
    panics: usize,
    /// How many batches are never answered, though their connection does not say so.
    hangs: usize,
    refuses: bool,
    /// Why nobody can connect, while there is a reason.
    unreachable: Option<&'static str>,
    connections: usize,
    saved: BTreeMap<RecordKey, (ETag, Token)>,
    /// Each attempt's token, in order.
    attempts: Vec<Token>,
    reminders: Vec<DueReminder>,
    /// Reminders given out.
    given: usize,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<World>>);

impl Backend for Fake {
    type Connection = Fake;

    fn kind(&self) -> &'static str {
        "fake"
    }

    fn place(&self) -> String {
        "here".to_owned()
    }

    fn limits(&self) -> Limits {
        Limits {
            requests: 4,
            bytes: 1000,
            batches: 2,
        }
    }

    fn parts_at_once(&self) -> usize {
        3
    }

    async fn connect(&self, _: Duration) -> Result<Fake, Failure> {
        let mut world = self.0.lock().expect("no panic");
        world.connections += 1;
        match (world.unreachable, world.refuses) {
            (Some(why), _) => Err(Failure::Broken(why.to_owned())),
            (None, true) => Err(Failure::Said(StoreError::Closed)),
            (None, false) => Ok(self.clone()),
        }
    }
}

impl Connection for Fake {
    async fn run(&self, batch: &[Arc<Request>]) -> Vec<Result<Answer, Failure>> {
        if self.hangs() {
            std::future::pending::<()>().await;
        }
        let mut world = self.0.lock().expect("no panic");
        if world.panics > 0 {
            world.panics -= 1;
            drop(world);
            panic!("as it was told");
        }
        let answers = batch.iter().map(|request| Ok(world.answer(request)));
        let answers = answers.collect();
        if world.breaks == 0 {
            return answers;
        }
        world.breaks -= 1;
        let broken = || Err(Failure::Broken("as it was told".to_owned()));
        batch.iter().map(|_| broken()).collect()
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Fake {
    fn hangs(&self) -> bool {
        let mut world = self.0.lock().expect("no panic");
        let hangs = world.hangs > 0;
        world.hangs -= usize::from(hangs);
        hangs
    }
}

impl Fake {
    /// Waits until somebody has tried to connect so many times more.
    fn tried_times(&self, more: usize) {
        let tried = || self.0.lock().expect("no panic").connections;
        let until = tried() + more;
        while tried() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The warnings that this process gives.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// How many say `words`.
    fn of(&self, words: &str) -> usize {
        let said = self.0.lock().expect("no panic");
        said.iter().filter(|line| line.contains(words)).count()
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            line += &format!("{field}={value:?} ");
        });
        self.0.lock().expect("no panic").push(line);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl World {
    fn answer(&mut self, request: &Request) -> Answer {
        match &request.op {
            Op::Save { key, .. } => {
                self.attempts.push(request.token);
                if let Some((etag, token)) = self.saved.get(key)
                    && *token == request.token
                {
                    return Answer::Saved(*etag);
                }
                let etag = ETag(self.attempts.len() as u64);
                self.saved.insert(key.clone(), (etag, request.token));
                Answer::Saved(etag)
            }
            Op::Due {
                parts,
                after,
                until,
                most,
            } => {
                assert!(parts.len() <= 3, "it takes no more at once");
                let is_asked = |it: &&DueReminder| parts.contains(&(it.key.slot() % PARTS));
                let own: Vec<_> = self.reminders.iter().filter(is_asked).cloned().collect();
                // Members are places in the list, which is in order.
                let start = after.as_ref().map_or(0, |after| after.member.len());
                let due = |due: &&DueReminder| due.reminder.due <= *until;
                let all = own.iter().filter(due).count();
                let end = all.min(start + most);
                let mut page = DuePage {
                    due: own[start..end].to_vec(),
                    ..DuePage::default()
                };
                self.given += page.due.len();
                if end < all {
                    let (due, member) = (0, Bytes::from(vec![0; end]));
                    page.more = Some(Cursor { due, member });
                } else {
                    page.next = own.get(all).map(|next| next.reminder.due);
                }
                Answer::Due(page)
            }
            _ => Answer::Done,
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn start(world: World) -> (Control, Fake, Remote) {
    let control = Control::start().expect("a thread starts");
    let fake = Fake(Arc::new(Mutex::new(world)));
    let remote = Remote::new(&control, fake.clone(), Options::new(7));
    (control, fake, remote)
}

fn key(number: usize) -> RecordKey {
    RecordKey::new("A", &number.to_string(), "s", 0)
}

fn write() -> Write {
    Write {
        epoch: Epoch(1),
        expected: Expected::Any,
        value: Bytes::from_static(b"x"),
    }
}

#[test]
fn a_write_that_had_happened_succeeds() {
    for (breaks, panics) in [(3, 0), (0, 2)] {
        let world = World {
            breaks,
            panics,
            ..World::default()
        };
        let (_control, fake, remote) = start(world);
        let store = RemoteStore::new(&remote, Share::whole());
        let saved = block_on(store.save(&key(1), write()));
        assert_eq!(saved, Ok(ETag(1)), "the first attempt's E-tag");
        let world = fake.0.lock().expect("no panic");
        assert_eq!(world.attempts.len(), breaks + 1);
        assert!(
            world
                .attempts
                .iter()
                .all(|token| *token == world.attempts[0])
        );
        assert_eq!(world.connections, breaks + panics + 1);
    }
}

#[test]
fn one_keys_writes_keep_their_order() {
    let world = World {
        breaks: 2,
        ..World::default()
    };
    let (_control, fake, remote) = start(world);
    let store = RemoteStore::new(&remote, Share::whole());
    let saves = (0..40).map(|number| store.save(&key(number % 3), write()));
    let saved = block_on(futures_util::future::join_all(saves));
    assert!(saved.iter().all(Result::is_ok));
    let world = fake.0.lock().expect("no panic");
    let last = (0..3).map(|number| world.saved[&key(number)].1.number);
    assert_eq!(
        last.collect::<Vec<_>>(),
        [39, 37, 38],
        "the last of each was the last sent"
    );
    drop(world);
    block_on(store.close()).expect("nothing is under way");
    assert_eq!(
        block_on(store.save(&key(1), write())),
        Err(StoreError::Closed)
    );
}

#[test]
fn what_is_under_way_by_a_lost_connection_comes_back_at_once() {
    let world = World {
        hangs: 1,
        breaks: 1,
        ..World::default()
    };
    let (_control, fake, remote) = start(world);
    let store = RemoteStore::new(&remote, Share::whole());
    let begun = Instant::now();
    // More than one batch: the first is never answered, and the second breaks.
    let saves = (0..6).map(|number| store.save(&key(number), write()));
    let saved = block_on(futures_util::future::join_all(saves));
    assert!(saved.iter().all(Result::is_ok), "{saved:?}");
    let patience = Options::new(0).patience;
    assert!(begun.elapsed() < patience / 2, "{:?}", begun.elapsed());
    assert_eq!(fake.0.lock().expect("no panic").connections, 2);
}

#[test]
fn who_gives_up_is_in_nobodys_way() {
    for _ in 0..100 {
        let (_control, _, remote) = start(World::default());
        let store = RemoteStore::new(&remote, Share::whole());
        let mut save = store.save(&key(1), write());
        let mut cx = Context::from_waker(Waker::noop());
        // It has entered the queue, and is sent or not, or even answered by a quick thread.
        let begun = save.as_mut().poll(&mut cx);
        assert!(
            matches!(begun, Poll::Pending | Poll::Ready(Ok(_))),
            "{begun:?}"
        );
        drop(save);
        block_on(store.close()).expect("nothing is under way");
    }
}

#[test]
fn who_is_refused_is_told_at_once() {
    let world = World {
        refuses: true,
        ..World::default()
    };
    let (_control, _, remote) = start(world);
    assert_eq!(remote.check(), Err(StoreError::Closed));
}

#[test]
fn trouble_is_told_of_once_until_it_is_another() {
    let said = Warnings::default();
    tracing::subscriber::set_global_default(said.clone()).expect("nobody else listens");
    let world = World {
        unreachable: Some("it is not at home"),
        ..World::default()
    };
    let (_control, fake, remote) = start(world);
    let store = RemoteStore::new(&remote, Share::whole());
    thread::scope(|scope| {
        scope.spawn(|| {
            fake.tried_times(3);
            fake.0.lock().expect("no panic").unreachable = Some("it is ill");
            fake.tried_times(3);
            fake.0.lock().expect("no panic").unreachable = None;
        });
        block_on(store.save(&key(1), write())).expect("it is saved in the end");
    });
    assert_eq!(said.of("it is not at home"), 1);
    assert_eq!(said.of("it is ill"), 1);
    block_on(store.close()).expect("nothing is under way");
}

#[test]
fn a_share_of_reminders_costs_nothing_of_others() {
    let reminders = (0..1000u16).map(|number| DueReminder {
        key: RecordKey::new("A", &number.to_string(), "s", number),
        etag: ETag(1),
        reminder: Reminder {
            due: WallTime(number.into()),
            period_ms: None,
            catch_up: CatchUp::Once,
        },
    });
    let world = World {
        reminders: reminders.collect(),
        ..World::default()
    };
    let (_control, fake, remote) = start(world);
    // The parts 3, 13, …, 63: of every 64 slots, seven.
    let store = RemoteStore::new(&remote, Share::new(3, 10));
    let due = |until, most| {
        let due = block_on(store.due(WallTime(until), most)).expect("a page is read");
        let found = due.reminders.iter().map(|due| due.reminder.due.0);
        (found.collect::<Vec<_>>(), due.next.map(|next| next.0))
    };
    assert_eq!(due(700, 3), (vec![3, 13, 23], Some(33)));
    assert_eq!(due(30, 9), (vec![3, 13, 23], Some(33)));
    assert_eq!(due(0, 9), (vec![], Some(3)));
    assert_eq!(due(1000, 0), (vec![], Some(3)));
    let own: Vec<u64> = (0..1000).filter(|number| number % 64 % 10 == 3).collect();
    fake.0.lock().expect("no panic").given = 0;
    assert_eq!(due(1000, 1000), (own.clone(), None));
    assert_eq!(fake.0.lock().expect("no panic").given, own.len());
}
