//! Clients: senders that do one thing after another, as their seed says.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use quark::{CallError, Engine, sleep};

use super::actors::{End, Keeper, KeeperRef, Large, Naps, Worker, WorkerRef, keeper_key, tell};
use super::counts::Kind;
use super::oracle::{self, Asked, Mail, May};
use super::profile::{LONG, Profile};
use super::random::Random;

/// One sender.
pub(super) struct Client {
    me: u64,
    random: Random,
    profile: Rc<Profile>,
    workers: Vec<WorkerRef>,
    keepers: Vec<KeeperRef>,
    /// It is on no shard, so it can't sleep.
    outside: bool,
    left: u64,
}

type Step<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl Client {
    pub(super) fn new(
        engine: &Engine,
        profile: &Rc<Profile>,
        seed: u64,
        messages: u64,
        outside: bool,
    ) -> Self {
        let workers = (0..profile.workers).map(|key| engine.actor::<Worker>(key));
        let keepers = (0..6).map(|number| engine.actor::<Keeper>(keeper_key(number)));
        Client {
            me: oracle::new_sender(),
            random: Random::new(seed),
            profile: profile.clone(),
            workers: workers.collect(),
            keepers: keepers.collect(),
            outside,
            left: messages,
        }
    }

    pub(super) async fn run(mut self) {
        while self.left > 0 {
            let before = self.left;
            match self.random.below(24) {
                0..=3 => self.ask().await,
                4 | 5 => self.ask_many().await,
                6..=8 => self.tell(),
                9 => self.tell_keeper(),
                10 | 11 => self.send().await,
                12 => self.ask_briefly().await,
                13 if !self.profile.calm => self.make_panic().await,
                14 => self.chain().await,
                15 => self.chain_shared().await,
                16 => self.make_leave().await,
                17 => self.carry().await,
                18 => self.fail().await,
                19 => self.give_up().await,
                20 | 21 => self.ask_keepers().await,
                22 => self.rest().await,
                _ => self.post().await,
            }
            let done = (before - self.left).max(1);
            self.left = before.saturating_sub(done);
        }
    }

    fn worker(&mut self) -> usize {
        // A few are called far more often than others.
        let all = self.workers.len() as u64;
        let hot = self.random.one_in(2);
        self.random.below(if hot { all.min(3) } else { all }) as usize
    }

    fn letter(&mut self) -> Mail {
        self.left = self.left.saturating_sub(1);
        if self.outside {
            oracle::count(Kind::Outside);
        }
        Mail::from(self.me)
    }

    /// What may become of an ask that does nothing special.
    fn may(&self) -> May {
        May {
            panic: self.profile.injects_panics(),
            restart: !self.profile.calm,
            stop: false,
            time_out: !self.profile.calm,
            wait_in_vain: !self.profile.calm || self.outside,
        }
    }

    fn naps(&mut self) -> Naps {
        Naps {
            count: self.random.below(3),
            micros: 1 + self.random.below(400),
        }
    }

    async fn ask(&mut self) {
        let (worker, naps, may) = (self.worker(), self.naps(), self.may());
        let (letter, kind) = (self.letter(), self.random.below(4));
        let asked = Asked::new(&letter, LONG, may);
        let worker = &self.workers[worker];
        match kind {
            0 => settle(asked, worker.add(letter)).await,
            1 => settle(asked, worker.read(letter)).await,
            2 => settle(asked, worker.slow(letter, naps)).await,
            _ => settle(asked, worker.peek(letter, naps)).await,
        }
    }

    /// Several asks of one worker at once: more than its mailbox holds, now and then.
    async fn ask_many(&mut self) {
        let (worker, naps, may) = (self.worker(), self.naps(), self.may());
        let kinds: Vec<_> = (0..2 + self.random.below(14))
            .map(|_| (self.letter(), self.random.below(3)))
            .collect();
        let worker = &self.workers[worker];
        let asks = kinds.into_iter().map(|(letter, kind)| -> Step<'_> {
            let asked = Asked::new(&letter, LONG, may);
            match kind {
                0 => Box::pin(settle(asked, worker.add(letter))),
                1 => Box::pin(settle(asked, worker.slow(letter, naps))),
                _ => Box::pin(settle(asked, worker.peek(letter, naps))),
            }
        });
        all(asks.collect()).await;
    }

    fn tell(&mut self) {
        let (worker, naps) = (self.worker(), self.naps());
        for _ in 0..1 + self.random.below(6) {
            let letter = self.letter();
            let id = letter.id;
            let worker = &self.workers[worker];
            match self.random.below(3) {
                0 => tell(id, worker.add(letter).tell()),
                1 => tell(id, worker.slow(letter, naps).tell()),
                _ => tell(id, worker.peek(letter, naps).tell()),
            }
        }
    }

    fn tell_keeper(&mut self) {
        let (keeper, naps) = (self.keeper(), self.naps());
        for _ in 0..1 + self.random.below(6) {
            let letter = self.letter();
            let id = letter.id;
            tell(id, self.keepers[keeper].put_slowly(letter, naps).tell());
        }
    }

    /// One after another, each when there is room.
    async fn send(&mut self) {
        let (keeper, worker, naps) = (self.keeper(), self.worker(), self.naps());
        let to_keeper = self.random.one_in(2);
        for _ in 0..1 + self.random.below(12) {
            let letter = self.letter();
            let id = letter.id;
            let sent = if to_keeper {
                let send = self.keepers[keeper].put_slowly(letter, naps).send();
                send.await.map_err(|error| error.reason)
            } else {
                let send = self.workers[worker].slow(letter, naps).send();
                send.await.map_err(|error| error.reason)
            };
            match sent {
                Ok(()) => oracle::sent(id),
                Err(reason) => oracle::refused(id, &reason),
            }
        }
    }

    /// Waits less long than the turn takes.
    async fn ask_briefly(&mut self) {
        let worker = self.worker();
        let may = May {
            time_out: true,
            wait_in_vain: true,
            ..self.may()
        };
        let timeout = Duration::from_millis(1 + self.random.below(3));
        let naps = Naps {
            count: 1 + self.random.below(2),
            micros: self.random.below(6_000),
        };
        let (letter, exclusive) = (self.letter(), self.random.one_in(2));
        let asked = Asked::new(&letter, timeout, may);
        let worker = &self.workers[worker];
        if exclusive {
            settle(asked, worker.slow(letter, naps).timeout(timeout)).await;
        } else {
            settle(asked, worker.peek(letter, naps).timeout(timeout)).await;
        }
    }

    async fn make_panic(&mut self) {
        let (worker, naps) = (self.worker(), self.naps());
        let may = May {
            panic: true,
            ..self.may()
        };
        let (letter, late) = (self.letter(), self.random.one_in(2));
        let asked = Asked::new(&letter, LONG, may);
        let worker = &self.workers[worker];
        if late {
            settle(asked, worker.boom_later(letter, naps)).await;
        } else {
            settle(asked, worker.boom(letter)).await;
        }
    }

    /// A worker, and those that it shall call along. Where nothing may be held up for long, they
    /// are in order, or else two paths could lock each other.
    fn path(&mut self) -> (usize, Vec<u64>) {
        let length = 2 + self.random.below(5);
        let mut path: Vec<_> = (0..length).map(|_| self.worker() as u64).collect();
        if self.profile.calm {
            path.sort_unstable();
            path.dedup();
        }
        let first = path.remove(0);
        (first as usize, path)
    }

    async fn chain(&mut self) {
        let ((worker, path), may) = (self.path(), self.may());
        let timeout = if self.profile.calm {
            LONG
        } else {
            // Chains may lock each other, which only their deadline ends.
            Duration::from_millis(30)
        };
        let letter = self.letter();
        let asked = Asked::new(&letter, timeout, may);
        let call = self.workers[worker].chain(letter, path, Vec::new());
        settle_chain(asked, call.timeout(timeout)).await;
    }

    async fn chain_shared(&mut self) {
        let ((worker, path), may) = (self.path(), self.may());
        let letter = self.letter();
        let asked = Asked::new(&letter, LONG, may);
        settle_chain(asked, self.workers[worker].chain_shared(letter, path)).await;
    }

    async fn make_leave(&mut self) {
        let (worker, keeper, may) = (self.worker(), self.keeper(), self.may());
        let (letter, who) = (self.letter(), self.random.one_in(2));
        let asked = Asked::new(&letter, LONG, may);
        if who {
            settle(asked, self.workers[worker].leave(letter)).await;
        } else {
            settle(asked, self.keepers[keeper].leave(letter)).await;
        }
    }

    async fn carry(&mut self) {
        let (worker, may) = (self.worker(), self.may());
        let word = self.random.next();
        let letter = self.letter();
        let asked = Asked::new(&letter, LONG, may);
        let load: Large = [word; 150];
        match self.workers[worker].carry(letter, load).await {
            Ok(back) => {
                asked.answered(back[0]);
                oracle::must(back[1..].iter().all(|other| *other == word), || {
                    format!("the answer of ask {} was damaged", asked.id)
                });
            }
            Err(error) => asked.failed(&error),
        }
    }

    async fn fail(&mut self) {
        let (worker, may) = (self.worker(), self.may());
        let letter = self.letter();
        let asked = Asked::new(&letter, LONG, may);
        settle(asked, self.workers[worker].fail(letter)).await;
    }

    /// Sends an ask and forgets it, at once or a little later.
    async fn give_up(&mut self) {
        let (worker, naps) = (self.worker(), self.naps());
        let (letter, later) = (self.letter(), self.random.one_in(2));
        oracle::count(Kind::Gone);
        {
            let mut call = pin!(self.workers[worker].slow(letter, naps));
            poll_fn(|cx| {
                let _ = call.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            if later && !self.outside {
                sleep(Duration::from_micros(300)).await;
            }
        }
    }

    fn keeper(&mut self) -> usize {
        self.random.below(self.keepers.len() as u64) as usize
    }

    async fn ask_keepers(&mut self) {
        let (keeper, may) = (self.keeper(), self.may());
        let kinds: Vec<_> = (0..1 + self.random.below(10))
            .map(|_| (self.letter(), self.random.below(3), self.naps()))
            .collect();
        let keeper = &self.keepers[keeper];
        let asks = kinds.into_iter().map(|(letter, kind, naps)| -> Step<'_> {
            let asked = Asked::new(&letter, LONG, may);
            match kind {
                0 => Box::pin(settle(asked, keeper.put(letter))),
                1 => Box::pin(settle(asked, keeper.get(letter))),
                _ => Box::pin(settle(asked, keeper.put_slowly(letter, naps))),
            }
        });
        all(asks.collect()).await;
    }

    async fn post(&mut self) {
        let (worker, to, may) = (self.worker(), self.worker() as u64, self.may());
        let (letter, count) = (self.letter(), 1 + self.random.below(6));
        let reminds = self.random.one_in(3);
        let asked = Asked::new(&letter, LONG, may);
        if reminds {
            settle(asked, self.workers[worker].remind(letter)).await;
        } else {
            settle(asked, self.workers[worker].post(letter, to, count)).await;
        }
    }

    /// Long enough that actors fall asleep, now and then.
    async fn rest(&mut self) {
        if self.outside {
            return;
        }
        let most = if self.random.one_in(20) {
            60_000
        } else {
            1_000
        };
        sleep(Duration::from_micros(self.random.below(most))).await;
    }
}

/// Waits for an answer and tells the oracle of it.
pub(super) async fn settle<E: std::fmt::Debug>(
    asked: Asked,
    call: impl Future<Output = Result<u64, CallError<E>>>,
) {
    match call.await {
        Ok(echo) => asked.answered(echo),
        Err(error) => asked.failed(&error),
    }
}

async fn settle_chain(asked: Asked, call: impl Future<Output = Result<(u64, End), CallError>>) {
    match call.await {
        Ok((echo, _)) => asked.answered(echo),
        Err(error) => asked.failed(&error),
    }
}

/// Polls all of `steps`, in order, until each has ended.
pub(super) async fn all(mut steps: Vec<Step<'_>>) {
    poll_fn(|cx| {
        steps.retain_mut(|step| step.as_mut().poll(cx).is_pending());
        if steps.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
