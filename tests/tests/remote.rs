//! Calls between engines in one process, over real sockets.
#![allow(missing_docs, reason = "what tests call explains itself")]

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::tls::{Pem, Source, Tls};
use quark::{ActorOptions, Client, ConnectError, Context, IdlePolicy, Listen, NotRemote};

#[derive(Default)]
pub struct Account {
    cents: i64,
    notes: Vec<String>,
}

#[message]
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    owner: String,
    cents: i64,
    notes: Vec<String>,
}

#[message]
#[derive(Debug, Clone, PartialEq)]
pub struct TooPoor {
    lacks: i64,
}

/// Never leaves the process.
pub struct Secret;

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    pub fn withdraw(&mut self, cents: i64) -> Result<i64, TooPoor> {
        if cents > self.cents {
            return Err(TooPoor {
                lacks: cents - self.cents,
            });
        }
        self.cents -= cents;
        Ok(self.cents)
    }

    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub fn statement(&self, cx: &Cx<Self>) -> Statement {
        Statement {
            owner: cx.key().to_string(),
            cents: self.cents,
            notes: self.notes.clone(),
        }
    }

    pub async fn think(&mut self, millis: u64) -> u64 {
        quark::sleep(Duration::from_millis(millis)).await;
        millis
    }

    pub fn stumble(&mut self) {
        panic!("it stumbles");
    }

    pub fn fill(&self, bytes: u64) -> Vec<u8> {
        vec![7; bytes as usize]
    }

    pub fn asked_by(&self, cx: &Cx<Self>) -> (Option<u64>, Option<String>) {
        let user = cx.context().and_then(|context| context.get("user"));
        (cx.request_id(), user.map(str::to_owned))
    }

    pub async fn asked_by_another(
        &self,
        cx: &Cx<Self>,
        other: u64,
    ) -> (Option<u64>, Option<String>) {
        cx.actor::<Account>(other)
            .asked_by()
            .await
            .unwrap_or_default()
    }

    pub fn hide(&mut self, _secret: Secret) {}

    pub fn count_notes(&self) -> u64 {
        self.notes.len() as u64
    }

    pub fn fill_once(&mut self, bytes: u64) -> Vec<u8> {
        self.cents += 1;
        vec![7; bytes as usize]
    }
}

/// Lives on one shard of its server, which a client has not.
#[derive(Default)]
pub struct Vault;

#[actor(pinned = 2)]
impl Vault {
    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }
}

fn topology(shards: usize) -> Topology {
    let topology = Topology::detect().expect("a machine");
    topology.shards(shards).oversubscribe(true)
}

fn serve(shards: usize, at: SocketAddr) -> Engine {
    Engine::builder()
        .topology(topology(shards))
        .idle(IdlePolicy::Park)
        .seed(77)
        .configure::<Account>(ActorOptions::new())
        .listen(Listen::at(at).cluster("bank"))
        .launch()
        .expect("it listens")
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn connect(server: &Engine) -> Client {
    Client::builder()
        .cluster("bank")
        .idle(IdlePolicy::Park)
        .timeout(Duration::from_secs(5))
        .connect(server.addresses()[0])
        .expect("it lets in")
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

#[test]
fn a_client_calls_what_lives_on_every_shard_of_a_server() {
    let server = serve(3, anywhere());
    assert_eq!(server.addresses().len(), 3);
    let client = connect(&server);
    for key in 0..50_u64 {
        let there = client.actor::<Account>(key);
        assert_eq!(there.deposit(5).wait(), Ok(5));
        // The very same actor, as those see it who live with it.
        assert_eq!(server.actor::<Account>(key).deposit(1).wait(), Ok(6));
        assert_eq!(there.deposit(1).wait(), Ok(7));
    }
}

#[test]
fn what_hangs_on_a_call_goes_along_with_it() {
    let server = serve(3, anywhere());
    let client = connect(&server);
    let alice = || Context::new(42).with("user", "alice").with("", "");
    let expected = (Some(42), Some("alice".to_owned()));
    for key in 0..20_u64 {
        let there = client.actor::<Account>(key);
        assert_eq!(there.asked_by().wait(), Ok((None, None)));
        let told = there.asked_by().context(alice()).wait();
        assert_eq!(told.as_ref(), Ok(&expected));
        // And with what that calls, wherever it lives.
        let told = there.asked_by_another(key + 1).context(alice()).wait();
        assert_eq!(told.as_ref(), Ok(&expected));
    }
    let too_long = Context::new(1).with("user", &"a".repeat(100_000));
    let account = client.actor::<Account>(1_u64);
    let refused = account.asked_by().context(too_long).wait();
    assert!(
        matches!(refused, Err(CallError::NotRemote(_))),
        "{refused:?}"
    );
}

#[test]
fn all_that_a_method_answers_comes_back() {
    let server = serve(2, anywhere());
    let client = connect(&server);
    let alice = client.actor::<Account>("alice");
    assert_eq!(alice.deposit(7).wait(), Ok(7));
    assert_eq!(
        alice.withdraw(10).wait(),
        Err(CallError::Failed(TooPoor { lacks: 3 }))
    );
    alice
        .note("first".to_owned())
        .tell()
        .expect("there is room");
    alice
        .note("second".to_owned())
        .tell()
        .expect("there is room");
    let statement = Statement {
        owner: "alice".to_owned(),
        cents: 7,
        notes: vec!["first".to_owned(), "second".to_owned()],
    };
    assert_eq!(alice.statement().wait(), Ok(statement));
    assert_eq!(alice.stumble().wait(), Err(CallError::Panicked));
    let late = alice.think(500).timeout(Duration::from_millis(50)).wait();
    assert_eq!(late, Err(CallError::Timeout));
    assert_eq!(
        alice.fill(500_000).wait().map(|bytes| bytes.len()),
        Ok(500_000)
    );
    let refused = alice.hide(Secret).wait();
    let Err(CallError::NotRemote(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        matches!(*why, NotRemote::StaysHome { method: "hide", .. }),
        "{why}"
    );
    let unreadable = alice.fill_once(5_000_000).wait();
    let Err(error @ CallError::Unreadable(_)) = unreadable else {
        panic!("{unreadable:?}");
    };
    assert!(!error.never_ran(), "it has run: {error}");
    assert!(alice.statement().wait().is_ok(), "the session lives on");
}

#[test]
fn where_a_type_lives_is_its_servers_affair() {
    let server = Engine::builder()
        .topology(topology(3))
        .idle(IdlePolicy::Park)
        .configure::<Vault>(ActorOptions::new())
        .listen(Listen::at(anywhere()).cluster("bank"))
        .launch()
        .expect("it listens");
    let client = connect(&server);
    for key in 0..10_u64 {
        assert_eq!(client.actor::<Vault>(key).shard().wait(), Ok(2));
    }
}

#[test]
fn what_was_told_before_a_client_ends_arrives() {
    let server = serve(3, anywhere());
    for round in 1..=10 {
        let client = connect(&server);
        for key in 0..30_u64 {
            // Of three lines two are not dialed yet.
            let told = client.actor::<Account>(key).note("bye".to_owned()).tell();
            told.expect("there is room");
        }
        client.shutdown();
        for key in 0..30_u64 {
            let noted = server.actor::<Account>(key).count_notes().wait();
            assert_eq!(noted, Ok(round), "{key}");
        }
    }
}

#[test]
fn many_calls_are_under_way_at_once() {
    let server = serve(2, anywhere());
    let client = connect(&server);
    block_on(async {
        // More than the server has room for at once.
        let calls = (0..5000_u64).map(|key| {
            let account = client.actor::<Account>(key);
            async move { account.deposit(1).await }
        });
        let mut calls: Vec<_> = calls.map(Box::pin).collect();
        for call in &mut calls {
            assert_eq!(call.as_mut().await, Ok(1));
        }
        let calls: Vec<_> = (0..100_u64)
            .map(|key| {
                let account = client.actor::<Account>(key);
                std::thread::spawn(move || {
                    (0..50)
                        .map(|_| account.deposit(1).wait())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for (_, answers) in (0..100_u64).zip(calls) {
            let answers = answers.join().expect("no panic");
            let expected: Vec<_> = (2..52).map(Ok).collect();
            assert_eq!(answers, expected);
        }
    });
}

#[test]
fn who_waits_for_what_is_no_more_is_told_so_and_may_call_again() {
    let server = serve(1, anywhere());
    let addr = server.addresses()[0];
    let client = connect(&server);
    let alice = client.actor::<Account>("alice");
    assert_eq!(alice.deposit(1).wait(), Ok(1));
    server.shutdown();

    let failed = alice.deposit(1).wait();
    assert!(
        matches!(
            failed,
            Err(CallError::Unreachable(_) | CallError::Disconnected | CallError::Stopped)
        ),
        "{failed:?}"
    );
    let server = serve(1, addr);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match alice.deposit(1).wait() {
            Ok(cents) => break assert_eq!(cents, 1, "it begins anew"),
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    }
    drop(server);
}

#[test]
fn a_server_that_shuts_down_under_load_answers_what_it_has_taken() {
    let server = serve(2, anywhere());
    let client = connect(&server);
    let callers: Vec<_> = (0..8_u64)
        .map(|key| {
            let account = client.actor::<Account>(key);
            std::thread::spawn(move || {
                let mut deposited = 0;
                loop {
                    match account.deposit(1).wait() {
                        Ok(cents) => deposited = cents,
                        Err(error) => return (deposited, error),
                    }
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    server.shutdown();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    for caller in callers {
        let (deposited, error) = caller.join().expect("no panic");
        assert!(deposited > 0);
        // Nothing that was taken is left unanswered.
        assert!(error.never_ran(), "{error}");
    }
}

#[test]
fn strangers_learn_why_they_are_not_let_in() {
    let server = serve(1, anywhere());
    let addr = server.addresses()[0];
    let refused = Client::builder().cluster("casino").connect(addr);
    let Err(ConnectError::Peer(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.to_string().contains("bank"), "{why}");
    server.shutdown();
    let unreachable = Client::builder().cluster("bank").connect(addr);
    let Err(ConnectError::Peer(why)) = unreachable else {
        panic!("{unreachable:?}");
    };
    assert!(why.to_string().contains(&addr.to_string()), "{why}");
}

#[test]
fn calls_go_over_tls() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["bank".to_owned()]).expect("a certificate");
    let pem = |text: String| Pem::Bytes(text.into_bytes());
    let tls = Tls::new(Source {
        authorities: pem(cert.pem()),
        identity: Some((pem(cert.pem()), pem(signing_key.serialize_pem()))),
        mutual: false,
    });
    let tls = tls.expect("good certificates");
    let server = Engine::builder()
        .topology(topology(2))
        .idle(IdlePolicy::Park)
        .configure::<Account>(ActorOptions::new())
        .listen(Listen::at(anywhere()).tls(tls.clone()))
        .launch()
        .expect("it listens");
    let addr = server.addresses()[0];
    let client = Client::builder().tls(tls.clone(), "bank").connect(addr);
    let client = client.expect("it lets in");
    for key in 0..20_u64 {
        assert_eq!(client.actor::<Account>(key).deposit(1).wait(), Ok(1));
    }
    let filled = client.actor::<Account>("much").fill(900_000).wait();
    assert_eq!(filled.map(|bytes| bytes.len()), Ok(900_000));
    let plain = Client::builder().connect(addr);
    assert!(matches!(plain, Err(ConnectError::Peer(_))), "{plain:?}");
    let other = Client::builder().tls(tls, "casino").connect(addr);
    let Err(ConnectError::Peer(why)) = other else {
        panic!("{other:?}");
    };
    assert!(why.to_string().contains("TLS"), "{why}");
}

#[test]
fn nothing_listens_to_the_world_in_plain_text_unasked() {
    let everywhere: SocketAddr = "0.0.0.0:0".parse().expect("an address");
    let builder = || {
        let builder = Engine::builder().topology(topology(1));
        builder.configure::<Account>(ActorOptions::new())
    };
    let refused = builder().listen(Listen::at(everywhere)).launch();
    let words = refused.map(|_| ()).expect_err("not so").to_string();
    assert!(words.contains(".insecure()"), "{words}");
    let engine = builder().listen(Listen::at(everywhere).insecure()).launch();
    assert!(engine.is_ok());
}
