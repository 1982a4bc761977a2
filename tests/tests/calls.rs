//! What a call promises: at most once, in order, with a deadline, and never to itself.
#![allow(missing_docs)]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use quark::{Context, Credits, prelude::*};
use quark_tests::{Gate, block_on, in_time, key_on, small};

/// Long enough for a loaded machine, short enough for a test.
const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Tally {
    count: u64,
    seen: Vec<u64>,
}

#[actor]
impl Tally {
    pub fn add(&mut self, amount: u64) -> u64 {
        self.count += amount;
        self.count
    }

    pub async fn add_behind(&mut self, gate: Gate, amount: u64) -> u64 {
        gate.pass().await;
        self.count += amount;
        self.count
    }

    pub fn total(&self) -> u64 {
        self.count
    }

    pub fn note(&mut self, number: u64) {
        self.seen.push(number);
    }

    pub fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }

    pub async fn count_up(&mut self, cx: &Cx<Self>, by: u64, asks: u64) -> Result<u64, CallError> {
        let other = cx.actor::<Tally>(by);
        for _ in 0..asks {
            self.count += 1;
            other.add(1).await?;
        }
        Ok(self.count)
    }
}

fn tally_on(engine: &Engine, shard: u16) -> TallyRef {
    engine.actor::<Tally>(key_on(shard, |key| engine.home_of::<Tally>(key)))
}

#[test]
fn a_call_runs_at_most_once() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let tallies = [tally_on(&engine, 0), tally_on(&engine, 1)];
        let mut timed_out = 0;
        for round in 0..200 {
            for tally in &tallies {
                // Timeouts that often pass before the answer comes: nothing may be sent again.
                let timeout = Duration::from_millis(round % 3);
                match tally.add(1).timeout(timeout).wait() {
                    Ok(_) => {}
                    Err(CallError::Timeout) => timed_out += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let ran: u64 = tallies
            .iter()
            .map(|tally| tally.total().wait().unwrap())
            .sum();
        assert!(ran <= 400, "{ran} of 400 calls ran");
        assert!(
            ran + timed_out >= 400,
            "{ran} ran and {timed_out} timed out"
        );
    });
}

#[test]
fn a_timeout_leaves_the_outcome_unknown() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let tally = tally_on(&engine, shard);
            let gate = Gate::new();
            let call = tally
                .add_behind(gate.clone(), 7)
                .timeout(Duration::from_millis(30));
            let error = call.wait().unwrap_err();
            assert_eq!(error, CallError::Timeout);
            assert!(!error.never_ran() && error.to_string().contains("unknown"));
            gate.open();
            // The turn went on, and its late answer is nobody's.
            assert_eq!(tally.add(1).wait(), Ok(8));
            assert_eq!(tally.total().wait(), Ok(8));
        }
    });
}

#[derive(Default)]
pub struct Sender;

#[actor]
impl Sender {
    /// Asks and sends in turn, all under way together: who is polled first is sent first. Says
    /// which asks were refused.
    pub async fn flood(&self, cx: &Cx<Self>, to: u64, count: u64) -> Result<Vec<u64>, String> {
        type Way<'a> = Pin<Box<dyn Future<Output = Result<bool, String>> + 'a>>;
        let to = cx.actor::<Tally>(to);
        let way = |number| -> Way<'_> {
            let (ask, send) = (to.note(number), to.note(number).send());
            if number % 3 == 0 {
                Box::pin(async {
                    let sent = send.await.map_err(|error| error.to_string());
                    sent.map(|()| true)
                })
            } else {
                Box::pin(async {
                    match ask.await {
                        Ok(()) => Ok(true),
                        // A turn does not wait for an ask's credit.
                        Err(CallError::Overloaded) => Ok(false),
                        Err(error) => Err(error.to_string()),
                    }
                })
            }
        };
        let mut ways: Vec<_> = (0..count)
            .map(|number| Some((number, way(number))))
            .collect();
        let mut refused = Vec::new();
        poll_fn(|cx| {
            for place in &mut ways {
                if let Some((number, way)) = place
                    && let Poll::Ready(done) = way.as_mut().poll(cx)
                {
                    if !done? {
                        refused.push(*number);
                    }
                    *place = None;
                }
            }
            if ways.iter().all(Option::is_none) {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await
        .map(|()| refused)
    }

    pub async fn deadline_below(&self, cx: &Cx<Self>, to: u64) -> Option<Duration> {
        cx.actor::<Sender>(to).remaining().await.unwrap_or(None)
    }

    pub fn remaining(&self, cx: &Cx<Self>) -> Option<Duration> {
        cx.remaining()
    }

    pub async fn context_below(
        &self,
        cx: &Cx<Self>,
        path: Vec<u64>,
    ) -> (Option<u64>, Option<String>) {
        let mut path = path;
        match path.pop() {
            Some(next) => cx.actor::<Sender>(next).context_below(path).await.unwrap(),
            None => (
                cx.request_id(),
                cx.context()
                    .and_then(|context| context.get("user").map(str::to_owned)),
            ),
        }
    }

    pub async fn start_and_drop(&self, cx: &Cx<Self>, to: u64, gate: Gate) {
        let to = cx.actor::<Tally>(to);
        let mut call = Box::pin(to.add_behind(gate, 5));
        poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
}

fn sender_on(engine: &Engine, shard: u16) -> SenderRef {
    engine.actor::<Sender>(key_on(shard, |key| engine.home_of::<Sender>(key)))
}

#[test]
fn order_holds_while_credit_is_short() {
    in_time(LONG, || {
        let short = |ask_slots, tell_slots| Credits {
            ask_slots,
            reserve_slots: 4,
            tell_slots,
        };
        // With more room for asks than for sends, asks must not pass the sends by.
        for (credits, shards) in [
            (short(4, 4), (0, 0)),
            (short(4, 4), (0, 1)),
            (short(4, 4), (1, 0)),
            (short(256, 4), (0, 1)),
            (short(4, 256), (1, 0)),
        ] {
            let engine = small().credits(credits).launch().unwrap();
            let to = key_on(shards.1, |key| engine.home_of::<Tally>(key));
            let sender = sender_on(&engine, shards.0);
            let refused = sender.flood(to, 500).wait().unwrap();
            assert!(
                refused.iter().all(|number| number % 3 != 0),
                "a send was refused"
            );
            let expected: Vec<_> = (0..500)
                .filter(|number| !refused.contains(number))
                .collect();
            // The last sends may be under way yet.
            let seen = loop {
                let seen = engine.actor::<Tally>(to).seen().wait().unwrap();
                if seen.len() >= expected.len() {
                    break seen;
                }
                thread::yield_now();
            };
            assert_eq!(seen, expected, "{shards:?}");
        }
    });
}

#[test]
fn a_dropped_caller_cancels_nothing() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for (from, to) in [(0, 0), (0, 1), (1, 1)] {
            let tally = key_on(to, |key| engine.home_of::<Tally>(key)) + 10_000 * u64::from(from);
            let gate = Gate::new();
            sender_on(&engine, from)
                .start_and_drop(tally, gate.clone())
                .wait()
                .unwrap();
            gate.wait_for(1);
            gate.open();
            assert_eq!(
                engine.actor::<Tally>(tally).add(1).wait(),
                Ok(6),
                "{from} to {to}"
            );
        }
        // A caller outside, who goes before the answer.
        let tally = engine.actor::<Tally>("outside");
        let gate = Gate::new();
        let mut call = Box::pin(tally.add_behind(gate.clone(), 5));
        block_on(poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        drop(call);
        gate.open();
        assert_eq!(tally.add(1).wait(), Ok(6));
    });
}

#[derive(Default)]
pub struct Link {
    laps: u64,
}

#[actor]
impl Link {
    /// Calls the next of `path`, exclusively all the way.
    pub async fn hold(&mut self, cx: &Cx<Self>, path: Vec<u64>) -> Result<u64, CallError> {
        self.laps += 1;
        let mut path = path;
        match path.pop() {
            None => Ok(0),
            Some(next) => match cx.actor::<Link>(next).hold(path).await {
                Ok(below) => Ok(below + 1),
                Err(CallError::Failed(below)) => Err(below),
                Err(error) => Err(error.map(|_| unreachable!("not the method's own"))),
            },
        }
    }

    /// The same, sharing the actor.
    pub async fn share(&self, cx: &Cx<Self>, path: Vec<u64>) -> Result<u64, CallError> {
        let mut path = path;
        match path.pop() {
            None => Ok(0),
            Some(next) => match cx.actor::<Link>(next).share(path).await {
                Ok(below) => Ok(below + 1),
                Err(CallError::Failed(below)) => Err(below),
                Err(error) => Err(error.map(|_| unreachable!("not the method's own"))),
            },
        }
    }

    /// Waits at the gate, then calls itself as `&self`.
    pub async fn share_behind(&self, cx: &Cx<Self>, gate: Gate) -> Result<u64, CallError> {
        gate.pass().await;
        let answer = cx.me().share(Vec::new()).await;
        answer.map_err(|error| error.map(|_| unreachable!("it answers")))
    }

    /// Meets the other while it does the same.
    pub async fn cross(&mut self, cx: &Cx<Self>, gate: Gate, other: u64) -> Result<u64, CallError> {
        gate.pass().await;
        let other = cx.actor::<Link>(other);
        match other
            .hold(Vec::new())
            .timeout(Duration::from_millis(200))
            .await
        {
            Ok(laps) => Ok(laps),
            Err(error) => Err(error.map(|_| unreachable!("it answers"))),
        }
    }

    pub fn laps(&self) -> u64 {
        self.laps
    }
}

/// Links on shard 0, on shard 1, and on shard 0 again.
fn links(engine: &Engine) -> [u64; 3] {
    let on = |shard, from| from + key_on(shard, |key| engine.home_of::<Link>(from + key));
    [on(0, 0), on(1, 0), on(0, 5000)]
}

fn cycle() -> Result<u64, CallError<CallError>> {
    Err(CallError::Failed(CallError::CallCycle))
}

#[test]
fn a_cycle_is_refused_at_once() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let [a, b, c] = links(&engine);
        let begin = Instant::now();
        let link = |key| engine.actor::<Link>(key);
        // To itself; and paths, whose last entry is called first.
        assert_eq!(link(a).hold(vec![a]).wait(), cycle());
        assert_eq!(link(a).hold(vec![a, c]).wait(), cycle());
        assert_eq!(link(a).hold(vec![a, b]).wait(), cycle());
        assert_eq!(link(b).hold(vec![b, a]).wait(), cycle());
        assert_eq!(link(a).hold(vec![a, c, b]).wait(), cycle());
        assert_eq!(link(b).hold(vec![b, a, c]).wait(), cycle());
        // Not back to the beginning, but into the middle of the chain.
        assert_eq!(link(a).hold(vec![c, b, c]).wait(), cycle());
        assert!(
            begin.elapsed() < Duration::from_secs(15),
            "no timeout ended them"
        );
        // A chain without a cycle is let through, also right after.
        assert_eq!(link(a).hold(vec![c, b]).wait(), Ok(2));
    });
}

#[test]
fn shared_turns_of_a_chain_enter_again() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let [a, b, c] = links(&engine);
        let link = |key| engine.actor::<Link>(key);
        assert_eq!(link(a).share(vec![a]).wait(), Ok(1));
        assert_eq!(link(a).share(vec![a, c, a, b, a]).wait(), Ok(5));
        assert_eq!(link(b).share(vec![b, a, b]).wait(), Ok(3));
    });
}

#[test]
fn a_waiting_exclusive_turn_lets_the_chain_inside_go_on() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let [a, ..] = links(&engine);
        let link = engine.actor::<Link>(a);
        let gate = Gate::new();
        thread::scope(|scope| {
            let shared = scope.spawn(|| link.share_behind(gate.clone()).wait());
            gate.wait_for(1);
            let exclusive = scope.spawn(|| link.hold(Vec::new()).wait());
            // A stranger's shared turn behind it waits; that shows that the first one does.
            while engine.list().iter().all(|actor| actor.waiting == 0) {
                thread::yield_now();
            }
            let stranger = link.laps().timeout(Duration::from_millis(50)).wait();
            assert_eq!(stranger, Err(CallError::Timeout));
            gate.open();
            assert_eq!(shared.join().unwrap(), Ok(0));
            assert_eq!(exclusive.join().unwrap(), Ok(0));
        });
        assert_eq!(link.laps().wait(), Ok(1));
    });
}

#[test]
fn crossed_calls_end_at_their_deadline() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let [a, b, c] = links(&engine);
        for (one, other) in [(a, c), (a, b)] {
            let gate = Gate::new();
            let [one_ref, other_ref] = [one, other].map(|key| engine.actor::<Link>(key));
            thread::scope(|scope| {
                let first = scope.spawn(|| one_ref.cross(gate.clone(), other).wait());
                let second = scope.spawn(|| other_ref.cross(gate.clone(), one).wait());
                gate.wait_for(2);
                gate.open();
                let ends = [first.join().unwrap(), second.join().unwrap()];
                let timeout = Err(CallError::Failed(CallError::Timeout));
                assert!(ends.contains(&timeout), "{ends:?}");
            });
            // Both are free again.
            assert_eq!(one_ref.hold(vec![other]).wait(), Ok(1));
        }
    });
}

#[test]
fn deadlines_are_inherited() {
    in_time(LONG, || {
        let engine = small().timeout(Duration::from_secs(20)).launch().unwrap();
        for to in 0..2 {
            let sender = sender_on(&engine, 0);
            let to = key_on(to, |key| engine.home_of::<Sender>(10_000 + key)) + 10_000;
            let below = sender.deadline_below(to).wait().unwrap().unwrap();
            assert!(
                below > Duration::from_secs(5) && below <= Duration::from_secs(21),
                "{below:?}"
            );
            let call = sender.deadline_below(to).timeout(Duration::from_secs(4));
            let below = call.wait().unwrap().unwrap();
            assert!(below <= Duration::from_secs(5), "{below:?}");
        }
    });
}

#[test]
fn context_goes_with_the_chain_of_calls() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let on =
            |shard, from: u64| from + key_on(shard, |key| engine.home_of::<Sender>(from + key));
        let path = vec![on(0, 0), on(1, 0), on(0, 5000), on(1, 5000)];
        let sender = engine.actor::<Sender>(on(0, 9000));
        let context = Context::new(42).with("user", "alice");
        let expected = (Some(42), Some("alice".to_owned()));
        let call = || sender.context_below(path.clone()).context(context.clone());
        assert_eq!(call().wait(), Ok(expected.clone()));
        assert_eq!(block_on(call()), Ok(expected.clone()));
        {
            let _port = engine.port().unwrap();
            assert_eq!(call().wait(), Ok(expected));
        }
        assert_eq!(sender.context_below(path.clone()).wait(), Ok((None, None)));
    });
}

#[derive(Default)]
pub struct Purse;

#[actor(timeout_ms = 40)]
impl Purse {
    pub fn spend(&mut self, cents: u64) -> Result<u64, String> {
        if cents > 10 {
            return Err(format!("{cents} is too much"));
        }
        Ok(10 - cents)
    }

    pub async fn wait_at(&mut self, gate: Gate) {
        gate.pass().await;
    }
}

#[test]
fn a_methods_own_error_comes_as_failed() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let purse = engine.actor::<Purse>(key_on(shard, |key| engine.home_of::<Purse>(key)));
            assert_eq!(purse.spend(3).wait(), Ok(7));
            let failed = Err(CallError::Failed("12 is too much".to_owned()));
            assert_eq!(purse.spend(12).wait(), failed);
            assert_eq!(block_on(purse.spend(12)), failed);
        }
    });
}

#[test]
fn a_type_may_have_a_timeout_of_its_own() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let purse = engine.actor::<Purse>(1);
        let gate = Gate::new();
        let begin = Instant::now();
        assert_eq!(purse.wait_at(gate.clone()).wait(), Err(CallError::Timeout));
        assert!(begin.elapsed() >= Duration::from_millis(35));
        assert!(begin.elapsed() < Duration::from_secs(20));
        // A call's own timeout goes before it; this one waits in the mailbox for the gate.
        let waiting = thread::spawn(move || purse.spend(1).timeout(LONG).wait());
        thread::sleep(Duration::from_millis(80));
        gate.open();
        assert_eq!(waiting.join().unwrap(), Ok(9));
    });
}

#[test]
fn many_callers_lose_no_answer() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let sum = Arc::new(AtomicU64::new(0));
        let errors = Arc::new(Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for key in 0..8_u64 {
                let (engine, sum, errors) = (engine.clone(), sum.clone(), errors.clone());
                scope.spawn(move || {
                    match engine.actor::<Tally>(key).count_up(key + 100, 500).wait() {
                        Ok(count) => drop(sum.fetch_add(count, Ordering::Relaxed)),
                        Err(error) => errors.lock().unwrap().push(error),
                    }
                });
            }
        });
        assert!(errors.lock().unwrap().is_empty(), "{errors:?}");
        assert_eq!(sum.load(Ordering::Relaxed), 8 * 500);
    });
}
