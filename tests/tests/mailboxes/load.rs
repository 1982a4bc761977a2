//! A load on types of every policy, and what must be true of it.
#![allow(unreachable_pub)] // only public methods are messages

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::SimOptions;
use quark::{DeadReason, Priority, sleep};

const SHARDS: u16 = 3;
const CLIENTS: u64 = 6;
const STEPS: u64 = 40;

/// A message, as its sender numbers it.
pub struct Mail {
    id: usize,
    sender: u64,
    seq: u64,
}

/// A method's own error: it was to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oops;

#[derive(Clone, Copy, Default)]
struct Fate {
    ran: bool,
    /// A one-way message that was taken.
    taken: bool,
    /// It certainly did not run, says an error.
    never_ran: bool,
    answered: bool,
}

/// What has happened to every message of a run.
#[derive(Default)]
struct Book {
    fates: Vec<Fate>,
    /// The last of each sender's that ran, by actor and priority.
    last: BTreeMap<(u64, &'static str, u64, Priority), u64>,
    broken: Option<String>,
}

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

fn with<R>(f: impl FnOnce(&mut Book) -> R) -> R {
    BOOK.with_borrow_mut(f)
}

impl Book {
    fn ran(&mut self, mail: &Mail, actor: (&'static str, u64), priority: Priority) {
        let fate = &mut self.fates[mail.id];
        if fate.ran {
            self.broken = Some(format!("message {} ran twice", mail.id));
        }
        fate.ran = true;
        let place = (mail.sender, actor.0, actor.1, priority);
        if let Some(last) = self.last.insert(place, mail.seq)
            && last > mail.seq
        {
            self.broken = Some(format!("{place:?}: {} ran after {last}", mail.seq));
        }
    }
}

/// What a message does.
#[derive(Clone, Copy)]
enum Kind {
    Low,
    Note,
    High,
    Look,
    Fail,
    Boom,
}

type Answer = Pin<Box<dyn Future<Output = Result<(), CallError<Oops>>>>>;

trait Target {
    fn tell(&self, kind: Kind, mail: Mail) -> Result<(), CallError>;
    fn ask(&self, kind: Kind, mail: Mail) -> Answer;
    /// Moves the actor; says whether it was taken for that.
    fn migrate(&self, engine: Engine, to: u16) -> Pin<Box<dyn Future<Output = bool>>>;
}

macro_rules! targets {
    ($($name:ident $reference:ident ($($options:tt)*);)*) => {
        $(
            #[derive(Default)]
            pub struct $name;

            #[actor($($options)*)]
            impl $name {
                #[turn(priority = "low")]
                pub fn low(&mut self, cx: &Cx<Self>, mail: Mail) {
                    with(|book| book.ran(&mail, (stringify!($name), key(cx.key())), Priority::Low));
                }

                pub async fn note(&mut self, cx: &Cx<Self>, mail: Mail) {
                    let actor = (stringify!($name), key(cx.key()));
                    with(|book| book.ran(&mail, actor, Priority::Normal));
                    sleep(Duration::from_micros(cx.random() % 300)).await;
                }

                #[turn(priority = "high")]
                pub fn high(&mut self, cx: &Cx<Self>, mail: Mail) {
                    with(|book| book.ran(&mail, (stringify!($name), key(cx.key())), Priority::High));
                }

                #[turn(priority = "high")]
                pub async fn look(&self, cx: &Cx<Self>, mail: Mail) {
                    with(|book| book.ran(&mail, (stringify!($name), key(cx.key())), Priority::High));
                    sleep(Duration::from_micros(cx.random() % 300)).await;
                }

                pub fn fail(&self, cx: &Cx<Self>, mail: Mail) -> Result<(), Oops> {
                    let actor = (stringify!($name), key(cx.key()));
                    with(|book| book.ran(&mail, actor, Priority::Normal));
                    Err(Oops)
                }

                pub fn boom(&mut self, cx: &Cx<Self>, mail: Mail) {
                    let actor = (stringify!($name), key(cx.key()));
                    with(|book| book.ran(&mail, actor, Priority::Normal));
                    resume_unwind(Box::new("a method of the load"));
                }
            }

            impl Target for $reference {
                fn tell(&self, kind: Kind, mail: Mail) -> Result<(), CallError> {
                    match kind {
                        Kind::Low => self.low(mail).tell().map_err(|error| error.reason),
                        Kind::Note => self.note(mail).tell().map_err(|error| error.reason),
                        Kind::High => self.high(mail).tell().map_err(|error| error.reason),
                        Kind::Look => self.look(mail).tell().map_err(|error| error.reason),
                        Kind::Fail => self.fail(mail).tell().map_err(|error| error.reason),
                        Kind::Boom => self.boom(mail).tell().map_err(|error| error.reason),
                    }
                }

                fn ask(&self, kind: Kind, mail: Mail) -> Answer {
                    let me = self.clone();
                    Box::pin(async move {
                        let none = |error: CallError| error.map(|never| match never {});
                        match kind {
                            Kind::Low => me.low(mail).await.map_err(none),
                            Kind::Note => me.note(mail).await.map_err(none),
                            Kind::High => me.high(mail).await.map_err(none),
                            Kind::Look => me.look(mail).await.map_err(none),
                            Kind::Fail => me.fail(mail).await,
                            Kind::Boom => me.boom(mail).await.map_err(none),
                        }
                    })
                }

                fn migrate(&self, engine: Engine, to: u16) -> Pin<Box<dyn Future<Output = bool>>> {
                    let me = self.clone();
                    Box::pin(async move { engine.migrate(&me, to).await.is_ok() })
                }
            }
        )*

        fn targets(sim: &quark::testing::Sim) -> Vec<Rc<dyn Target>> {
            let mut all: Vec<Rc<dyn Target>> = Vec::new();
            for number in 0..2u64 {
                $(all.push(Rc::new(sim.actor::<$name>(number)));)*
            }
            all
        }
    };
}

targets! {
    Refuses RefusesRef (mailbox = 5);
    Waits WaitsRef (mailbox = 5, when_full = "wait");
    DropsOldest DropsOldestRef (mailbox = 5, when_full = "drop_oldest");
    DropsNewest DropsNewestRef (mailbox = 5, when_full = "drop_newest");
    Limited LimitedRef (
        mailbox = 64,
        adaptive_ms = 2,
        rate_limit = 20_000,
        burst = 30,
        breaker(failures = 6, within_ms = 20, open_ms = 2)
    );
    LimitedOldest LimitedOldestRef (
        mailbox = 8,
        when_full = "drop_oldest",
        breaker(failures = 3, within_ms = 20, open_ms = 2)
    );
}

fn key(key: quark::Key) -> u64 {
    match key {
        quark::Key::Int(number) => number,
        quark::Key::Str(_) => u64::MAX,
    }
}

/// One sender after its seed.
struct Client {
    me: u64,
    seq: u64,
    random: u64,
    targets: Vec<Rc<dyn Target>>,
    engine: Engine,
    moved: Rc<Cell<u64>>,
}

impl Client {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's constants; the high bits are the good ones.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn mail(&mut self) -> Mail {
        self.seq += 1;
        let id = with(|book| {
            book.fates.push(Fate::default());
            book.fates.len() - 1
        });
        Mail {
            id,
            sender: self.me,
            seq: self.seq,
        }
    }

    fn kind(&mut self) -> Kind {
        match self.below(20) {
            0..5 => Kind::Low,
            5..10 => Kind::Note,
            10..13 => Kind::High,
            13..17 => Kind::Look,
            17..19 => Kind::Fail,
            _ => Kind::Boom,
        }
    }

    async fn run(mut self) {
        for _ in 0..STEPS {
            let target = self.below(self.targets.len() as u64) as usize;
            let target = self.targets[target].clone();
            let count = 1 + self.below(12);
            match self.below(9) {
                0..4 => self.tell(&*target, count),
                4..7 => self.ask(&*target, count).await,
                7 => {
                    let to = self.below(u64::from(SHARDS)) as u16;
                    let moved = target.migrate(self.engine.clone(), to).await;
                    self.moved.set(self.moved.get() + u64::from(moved));
                }
                _ => sleep(Duration::from_micros(self.below(3_000))).await,
            }
        }
    }

    fn tell(&mut self, target: &dyn Target, count: u64) {
        for _ in 0..count {
            let (kind, mail) = (self.kind(), self.mail());
            let id = mail.id;
            match target.tell(kind, mail) {
                Ok(()) => with(|book| book.fates[id].taken = true),
                Err(_) => with(|book| book.fates[id].never_ran = true),
            }
        }
    }

    /// Several at once, sent in their order.
    async fn ask(&mut self, target: &dyn Target, count: u64) {
        let mut asks: Vec<Answer> = Vec::new();
        for _ in 0..count {
            let (kind, mail) = (self.kind(), self.mail());
            let id = mail.id;
            let answer = target.ask(kind, mail);
            asks.push(Box::pin(async move {
                let answer = answer.await;
                with(|book| {
                    let fate = &mut book.fates[id];
                    fate.answered = true;
                    fate.never_ran = answer.as_ref().is_err_and(CallError::never_ran);
                    if answer.is_ok() && !fate.ran {
                        book.broken = Some(format!("ask {id} was answered and never ran"));
                    }
                });
                answer
            }));
        }
        poll_fn(|cx| {
            asks.retain_mut(|ask| ask.as_mut().poll(cx).is_pending());
            match asks.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

/// What the runs have met: a load that meets nothing proves nothing.
#[derive(Debug, Default)]
pub struct Met {
    pub ran: usize,
    pub reasons: BTreeMap<DeadReason, u64>,
    pub moved: u64,
    pub opened: u64,
    pub closed_again: usize,
}

/// Runs the world of `seed`; its trace.
pub fn run(seed: u64, met: &mut Met) -> u64 {
    with(|book| *book = Book::default());
    let options = SimOptions {
        shards: SHARDS,
        ..SimOptions::default()
    };
    let sim = Engine::builder()
        .simulate(seed, options)
        .expect("nothing is registered twice");
    let moved = Rc::new(Cell::new(0));
    for me in 0..CLIENTS {
        let client = Client {
            me,
            seq: 0,
            random: sim.random(),
            targets: targets(&sim),
            engine: sim.engine().clone(),
            moved: moved.clone(),
        };
        sim.spawn_on((me % u64::from(SHARDS)) as u16, client.run());
    }
    sim.run_until_idle();
    let letters = sim.dead_letters();
    let breakers = sim.breakers();
    with(|book| {
        assert_eq!(book.broken, None);
        let mut vain = 0;
        for (id, fate) in book.fates.iter().enumerate() {
            assert!(!(fate.ran && fate.never_ran), "message {id} ran after all");
            assert!(
                fate.ran || fate.taken || fate.never_ran || fate.answered,
                "message {id} was lost"
            );
            vain += u64::from(fate.taken && !fate.ran);
        }
        assert_eq!(
            vain, letters.total,
            "one-way messages lost, or told of twice"
        );
        met.ran += book.fates.iter().filter(|fate| fate.ran).count();
    });
    met.moved += moved.get();
    let sum: u64 = letters.by_reason.values().sum();
    assert_eq!(sum, letters.total);
    for (reason, count) in letters.by_reason {
        *met.reasons.entry(reason).or_default() += count;
    }
    for breaker in breakers {
        met.opened += breaker.opened;
        let closed = breaker.state == quark::BreakerState::Closed;
        met.closed_again += usize::from(breaker.opened > 0 && closed);
    }
    let trace = sim.trace();
    sim.shutdown();
    trace
}
