use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use quark_shards::driver::sim::{SimConfig, SimWorld};
use quark_shards::idle::IdlePolicy;
use quark_shards::io::{TcpListener, TcpStream};
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};
use quark_shards::slots::Key;

use super::*;
use crate::session::{
    Lost, Node, Offer, Outgoing, Patience, Reply, Request, SendError, Session, Terms, Way, Who,
    Window,
};
use crate::tls::{Pem, Source, Tls};

/// Both ends live on one shard of a simulated world.
struct World {
    sim: SimWorld,
    shard: Rc<Shard>,
    acceptor: Rc<Acceptor<Echo>>,
    server: Rc<Echo>,
    addr: SocketAddr,
}

/// Answers what it is asked, a little later, and notes what becomes of its own calls.
#[derive(Default)]
struct Echo {
    links: RefCell<Vec<Rc<Link<Echo>>>>,
    served: RefCell<Vec<Vec<u8>>>,
    told: RefCell<Vec<Vec<u8>>>,
    replies: RefCell<BTreeMap<u32, Vec<u8>>>,
    lost: RefCell<Vec<Lost<u32>>>,
    closed: RefCell<Vec<String>>,
}

impl Handler for Echo {
    type Ticket = u32;

    fn opened(&self, link: &Rc<Link<Self>>) {
        self.links.borrow_mut().push(link.clone());
    }

    fn call(&self, link: &Rc<Link<Self>>, request: &Request<'_>) {
        let (number, args) = (request.number, request.args.to_vec());
        self.served.borrow_mut().push(args.clone());
        let link = link.clone();
        quark_shards::current::with_current(|shard| {
            let shard = shard.expect("handlers are called on their shard");
            let think = shard.sleep(Duration::from_micros(shard.random() % 300));
            shard.spawn(async move {
                think.await;
                let replied = link.reply::<SendError>(number, 0, true, |out| {
                    out.extend_from_slice(&args);
                    Ok(())
                });
                replied.expect("an echo fits");
            });
        });
    }

    fn tell(&self, link: &Rc<Link<Self>>, request: &Request<'_>) {
        self.told.borrow_mut().push(request.args.to_vec());
        link.consume(request.frame_bytes);
    }

    fn reply(&self, reply: Reply<'_, u32>) {
        let Reply { ticket, body, .. } = reply;
        let before = self.replies.borrow_mut().insert(ticket, body.to_vec());
        assert_eq!(before, None, "one reply a call");
    }

    fn lost(&self, lost: Lost<u32>, _: &LinkError) {
        self.lost.borrow_mut().push(lost);
    }

    fn closed(&self, _: &Rc<Link<Self>>, why: &LinkError) {
        self.closed.borrow_mut().push(why.to_string());
    }
}

fn terms(who: Who) -> Rc<Terms> {
    Rc::new(Terms {
        cluster: "sim".to_owned(),
        who,
        epoch: 1,
        actors: vec![Offer {
            name: "Echo".to_owned(),
            fingerprint: 1,
        }],
        window: Window {
            messages: 64,
            bytes: 16 << 20,
        },
        max_frame: 1 << 20,
    })
}

impl World {
    fn new(seed: u64, config: SimConfig, limits: ListenLimits) -> Self {
        World::with(seed, config, limits, None)
    }

    fn with(seed: u64, config: SimConfig, limits: ListenLimits, tls: Option<Tls>) -> Self {
        let sim = SimWorld::new(seed, config);
        let driver = sim.driver(0);
        let end = mesh(1, Credits::default(), true).remove(0);
        let config = ShardConfig {
            idle: IdlePolicy::Park,
            ..ShardConfig::default()
        };
        let shard = Shard::new(end, config, Box::new(driver));
        let server = Rc::new(Echo::default());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(&*shard, any, 16).expect("a free port");
        let addr = listener.local_addr(&*shard).expect("it listens");
        let node = Who::Node(Node {
            name: "a".to_owned(),
            incarnation: 1,
            seed: 1,
            shard: 0,
            ports: vec![addr.port()],
        });
        let acceptor = Rc::new(Acceptor::new(
            terms(node),
            Patience::default(),
            limits,
            tls,
            server.clone(),
        ));
        let (accepts, on) = (acceptor.clone(), shard.clone());
        shard.spawn(async move { accepts.run(on, listener).await });
        World {
            sim,
            shard,
            acceptor,
            server,
            addr,
        }
    }

    fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let done = Rc::new(RefCell::new(None));
        let into = done.clone();
        self.shard.spawn(async move {
            let value = future.await;
            *into.borrow_mut() = Some(value);
        });
        for _ in 0..5_000_000 {
            if let Some(value) = done.take() {
                return value;
            }
            assert!(Rc::strong_count(&done) > 1, "it has panicked");
            self.step();
        }
        panic!("it does not end");
    }

    /// A pass, or the next thing that happens.
    fn step(&self) {
        if self.sim.pick().is_none() {
            let next = self.sim.next_event().expect("something is to happen");
            return self.sim.advance_to(next);
        }
        if self.shard.is_parked() {
            self.shard.unpark();
        }
        if !self.shard.guarded_pass() {
            self.shard.park();
        }
    }

    /// A link to the server; it has opened, or ended.
    async fn dial(shard: Rc<Shard>, addr: SocketAddr, echo: Rc<Echo>) -> Option<Rc<Link<Echo>>> {
        World::dial_behind(shard, addr, Shield::Plain, echo).await
    }

    async fn dial_behind(
        shard: Rc<Shard>,
        addr: SocketAddr,
        shield: Shield,
        echo: Rc<Echo>,
    ) -> Option<Rc<Link<Echo>>> {
        let stream = TcpStream::connect(&*shard, addr).await.ok()?;
        let now = shard.read_clock();
        let (patience, salt) = (Patience::default(), shard.unique());
        let session = Session::dial(terms(Who::Client), patience, shield.protection(), salt, now);
        let link = Link::start(shard.clone(), stream, shield, session, echo);
        while !link.is_open() && !link.has_ended() {
            shard.sleep(Duration::from_micros(50)).await;
        }
        Some(link)
    }
}

/// An authority with a certificate that it has signed, and their PEM.
struct Authority {
    pem: Vec<u8>,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority {
            pem: certificate.pem().into_bytes(),
            issuer: rcgen::Issuer::new(params, key),
        }
    }

    /// A certificate for `name`, and its key.
    fn sign(&self, name: &str) -> (Pem, Pem) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        (
            Pem::Bytes(certificate.pem().into_bytes()),
            Pem::Bytes(key.serialize_pem().into_bytes()),
        )
    }

    /// What a side has that trusts this authority.
    fn source(&self, identity: Option<(Pem, Pem)>, mutual: bool) -> Source {
        Source {
            authorities: Pem::Bytes(self.pem.clone()),
            identity,
            mutual,
        }
    }
}

/// Calls over TLS to a server that has `server`; says what became of it.
fn call_over_tls(
    seed: u64,
    server: Source,
    client: Source,
    name: &'static str,
) -> Result<u32, String> {
    let config = SimConfig {
        short_probability: 0.3,
        ..SimConfig::default()
    };
    let tls = Tls::new(server).expect("good certificates");
    let world = World::with(seed, config, ListenLimits::default(), Some(tls));
    let (shard, addr) = (world.shard.clone(), world.addr);
    world.run(async move {
        let shield = Tls::new(client).expect("good certificates").dial(name);
        let shield = shield.expect("a name");
        let echo = Rc::new(Echo::default());
        let link = World::dial_behind(shard.clone(), addr, shield, echo.clone()).await;
        let link = link.expect("it is not refused");
        link.opened().await.map_err(|error| error.to_string())?;
        let sent = work(shard.clone(), link.clone(), 100).await;
        while echo.replies.borrow().len() < 80 {
            if link.has_ended() {
                return Err(echo.closed.borrow().join(", "));
            }
            shard.sleep(Duration::from_millis(1)).await;
        }
        Ok(sent)
    })
}

#[test]
fn sessions_go_through_tls_by_certificates_of_the_same_authority() {
    let ours = Authority::new();
    for seed in 0..10 {
        let server = ours.source(Some(ours.sign("quark")), true);
        let client = ours.source(Some(ours.sign("trader")), true);
        assert_eq!(call_over_tls(seed, server, client, "quark"), Ok(100));
    }
    let server = ours.source(Some(ours.sign("quark")), false);
    let nameless = ours.source(None, false);
    assert_eq!(call_over_tls(1, server, nameless, "quark"), Ok(100));
}

#[test]
fn strangers_certificates_are_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = || ours.source(Some(ours.sign("quark")), true);
    let nameless = ours.source(None, true);
    let stranger = Source {
        authorities: Pem::Bytes(ours.pem.clone()),
        ..theirs.source(Some(theirs.sign("trader")), true)
    };
    let trusts_others = theirs.source(Some(ours.sign("trader")), true);
    for (client, name) in [
        (nameless, "quark"),
        (stranger, "quark"),
        (trusts_others, "quark"),
        (ours.source(Some(ours.sign("trader")), true), "other"),
    ] {
        let refused = call_over_tls(2, server(), client, name);
        let why = refused.expect_err("nobody is let in so");
        assert!(why.contains("TLS") || why.contains("closed"), "{why}");
    }
}

#[test]
fn who_speaks_no_tls_is_not_let_in() {
    let ours = Authority::new();
    let tls = Tls::new(ours.source(Some(ours.sign("quark")), false));
    let tls = tls.expect("good certificates");
    let world = World::with(1, SimConfig::default(), ListenLimits::default(), Some(tls));
    let (shard, addr) = (world.shard.clone(), world.addr);
    let opened = world.run(async move {
        let link = World::dial(shard, addr, Rc::new(Echo::default())).await;
        link.expect("it is not refused").opened().await
    });
    assert!(opened.is_err());
}

#[test]
fn certificates_are_read_again_and_bad_ones_leave_the_good_in_use() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let write = |authority: &Authority| {
        let (Pem::Bytes(chain), Pem::Bytes(key)) = authority.sign("quark") else {
            unreachable!("they were made here");
        };
        std::fs::write(file("chain"), chain).expect("room");
        std::fs::write(file("key"), key).expect("room");
        std::fs::write(file("ca"), &authority.pem).expect("room");
    };
    write(&ours);
    let source = Source {
        authorities: Pem::File(file("ca")),
        identity: Some((Pem::File(file("chain")), Pem::File(file("key")))),
        mutual: true,
    };
    let tls = Tls::new(source).expect("good certificates");
    let lets_in = |authority: &Authority| {
        let tls = tls.clone();
        let world = World::with(1, SimConfig::default(), ListenLimits::default(), Some(tls));
        let client = authority.source(Some(authority.sign("trader")), true);
        let shield = Tls::new(client).and_then(|client| client.dial("quark"));
        let (shard, addr) = (world.shard.clone(), world.addr);
        world.run(async move {
            let (shield, echo) = (shield.expect("good certificates"), Rc::default());
            let link = World::dial_behind(shard.clone(), addr, shield, echo).await;
            let link = link.expect("it is not refused");
            // A client hears only later that its certificate was refused.
            shard.sleep(Duration::from_millis(50)).await;
            link.is_open()
        })
    };
    assert!(lets_in(&ours) && !lets_in(&theirs));
    std::fs::write(file("key"), "nothing").expect("room");
    let refused = tls.reload().expect_err("no key");
    assert!(refused.to_string().contains("key"), "{refused}");
    assert!(lets_in(&ours));
    write(&theirs);
    tls.reload().expect("good certificates");
    assert!(!lets_in(&ours) && lets_in(&theirs));
}

fn outgoing() -> Outgoing<'static> {
    Outgoing {
        way: Way {
            actor: 0,
            is_exact: true,
        },
        method: 0,
        left: Some(Duration::from_secs(1)),
        key: Key::Int(7),
        context: &[],
    }
}

fn append(args: &[u8]) -> impl FnOnce(&mut bytes::BytesMut) -> Result<(), SendError> {
    move |out| {
        out.extend_from_slice(args);
        Ok(())
    }
}

/// Calls `calls` times, with all sizes of arguments; says how many were sent.
async fn work(shard: Rc<Shard>, link: Rc<Link<Echo>>, calls: u32) -> u32 {
    let mut sent = 0;
    while sent < calls && !link.has_ended() {
        let len = shard.random() % [10, 300, 40_000][sent as usize % 3];
        let args = vec![sent as u8; len as usize];
        let went = if sent.is_multiple_of(5) {
            link.tell(outgoing(), append(&args))
        } else {
            link.call(outgoing(), sent, append(&args))
        };
        match went {
            Ok(()) => sent += 1,
            Err(SendError::NoRoom | SendError::Closed) => {
                shard.sleep(Duration::from_micros(30)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

#[test]
fn what_is_sent_is_answered_over_a_slow_and_choppy_network() {
    for seed in 0..20 {
        let config = SimConfig {
            short_probability: 0.3,
            ..SimConfig::default()
        };
        let world = World::new(seed, config, ListenLimits::default());
        let echo = Rc::new(Echo::default());
        let (shard, addr, mine) = (world.shard.clone(), world.addr, echo.clone());
        let sent = world.run(async move {
            let link = World::dial(shard.clone(), addr, mine.clone()).await;
            let link = link.expect("it is not refused");
            let sent = work(shard.clone(), link, 200).await;
            while mine.replies.borrow().len() < 160 {
                shard.sleep(Duration::from_millis(1)).await;
            }
            sent
        });
        assert_eq!(sent, 200);
        assert_eq!(world.server.told.borrow().len(), 40);
        for (ticket, body) in &*echo.replies.borrow() {
            assert!(body.iter().all(|byte| *byte == *ticket as u8));
        }
    }
}

#[test]
fn each_call_over_a_bad_network_is_answered_or_lost_once() {
    let mut all_lost = 0;
    for seed in 0..60 {
        let config = SimConfig {
            short_probability: 0.3,
            reset_probability: 0.02,
            refuse_probability: 0.1,
            ..SimConfig::default()
        };
        let world = World::new(seed, config, ListenLimits::default());
        let echo = Rc::new(Echo::default());
        let (shard, addr, mine) = (world.shard.clone(), world.addr, echo.clone());
        let sent = world.run(async move {
            let Some(link) = World::dial(shard.clone(), addr, mine.clone()).await else {
                return 0;
            };
            let sent = work(shard.clone(), link.clone(), 100).await;
            let asked = sent - sent.div_ceil(5);
            for _ in 0..2000 {
                let settled = mine.replies.borrow().len() + mine.lost.borrow().len();
                if settled == asked as usize {
                    break;
                }
                shard.sleep(Duration::from_millis(1)).await;
            }
            asked
        });
        let (replies, lost) = (echo.replies.borrow(), echo.lost.borrow());
        assert_eq!(replies.len() + lost.len(), sent as usize, "seed {seed}");
        assert!(lost.iter().all(|lost| !replies.contains_key(&lost.ticket)));
        let served = world.server.served.borrow().len();
        let may_be_served = lost.iter().filter(|lost| lost.was_sent).count();
        assert!(served <= replies.len() + may_be_served, "seed {seed}");
        all_lost += lost.len();
    }
    assert!(all_lost > 0, "the network was bad");
}

#[test]
fn strangers_who_say_nothing_are_given_up_and_harm_nobody() {
    let limits = ListenLimits {
        handshakes: 8,
        ..ListenLimits::default()
    };
    let world = World::new(3, SimConfig::default(), limits);
    let (shard, addr) = (world.shard.clone(), world.addr);
    let idlers = world.run({
        let shard = shard.clone();
        async move {
            let mut idlers = Vec::new();
            for _ in 0..50 {
                idlers.push(TcpStream::connect(&*shard, addr).await.expect("a port"));
            }
            idlers
        }
    });
    let echo = Rc::new(Echo::default());
    let mine = echo.clone();
    let sent = world.run({
        let shard = shard.clone();
        async move {
            let link = World::dial(shard.clone(), addr, mine.clone()).await;
            let sent = work(shard.clone(), link.expect("it is not refused"), 10).await;
            // Long enough for all handshakes to be given up.
            shard.sleep(Patience::default().handshake * 2).await;
            sent
        }
    });
    assert_eq!((sent, echo.replies.borrow().len()), (10, 8));
    assert!(world.acceptor.report().crowded_out.get() >= 42);
    assert_eq!(world.acceptor.report().accepted.get(), 51);
    assert_eq!(world.server.closed.borrow().len(), 50);
    drop(idlers);
}

#[test]
fn beyond_the_limit_of_sessions_nobody_is_let_in_until_one_goes() {
    let limits = ListenLimits {
        sessions: 3,
        ..ListenLimits::default()
    };
    let world = World::new(4, SimConfig::default(), limits);
    let (shard, addr) = (world.shard.clone(), world.addr);
    let opened = world.run(async move {
        let echo = Rc::new(Echo::default());
        let mut links = Vec::new();
        for _ in 0..5 {
            links.extend(World::dial(shard.clone(), addr, echo.clone()).await);
        }
        let before: Vec<_> = links.iter().map(|link| link.is_open()).collect();
        links[0].close();
        shard.sleep(Duration::from_millis(5)).await;
        let after = World::dial(shard.clone(), addr, echo).await;
        (before, after.map(|link| link.is_open()))
    });
    assert_eq!(opened, (vec![true, true, true, false, false], Some(true)));
    assert_eq!(world.acceptor.report().turned_away.get(), 2);
}

#[test]
fn who_leaves_answers_what_has_come_and_takes_no_more() {
    for seed in 0..20 {
        let world = World::new(seed, SimConfig::default(), ListenLimits::default());
        let (shard, addr, acceptor) = (world.shard.clone(), world.addr, world.acceptor.clone());
        let echo = Rc::new(Echo::default());
        let mine = echo.clone();
        let (sent, refused) = world.run(async move {
            let link = World::dial(shard.clone(), addr, mine.clone()).await;
            let link = link.expect("it is not refused");
            let sent = work(shard.clone(), link.clone(), 10).await;
            shard.sleep(Duration::from_micros(200)).await;
            acceptor.leave();
            while !acceptor.is_quiet() {
                shard.sleep(Duration::from_micros(50)).await;
            }
            // What the last answers take on their way.
            shard.sleep(Duration::from_millis(1)).await;
            let refused = link.call(outgoing(), 99, append(b"late"));
            assert_eq!(refused, Err(SendError::Closed));
            (sent, TcpStream::connect(&*shard, addr).await.is_err())
        });
        assert!(refused, "nobody listens any more");
        assert_eq!((sent, echo.replies.borrow().len()), (10, 8), "seed {seed}");
    }
}

#[test]
fn who_comes_while_a_side_leaves_is_sent_away() {
    let world = World::new(8, SimConfig::default(), ListenLimits::default());
    let (shard, addr, acceptor) = (world.shard.clone(), world.addr, world.acceptor.clone());
    world.run(async move {
        let stranger = TcpStream::connect(&*shard, addr).await.expect("a port");
        while acceptor.report().accepted.get() == 0 {
            shard.sleep(Duration::from_micros(50)).await;
        }
        acceptor.leave();
        assert!(acceptor.is_quiet());
        let heard = stranger
            .recv(&*shard, bytes::BytesMut::with_capacity(64))
            .await;
        assert!(heard.is_ok_and(|heard| heard.is_empty()), "it is closed");
    });
}

#[test]
fn both_sides_may_send_each_other_much_at_once() {
    for seed in 0..5 {
        let world = World::new(seed, SimConfig::default(), ListenLimits::default());
        let (shard, addr, server) = (world.shard.clone(), world.addr, world.server.clone());
        let mine = Rc::new(Echo::default());
        let echo = mine.clone();
        world.run(async move {
            let there = World::dial(shard.clone(), addr, mine.clone()).await;
            let there = there.expect("it is not refused");
            let here = server.links.borrow()[0].clone();
            let much = vec![7; 100_000];
            let (mut sent, mut answered) = ([0_u32; 2], 0);
            while answered < 400 {
                for (side, link) in [&there, &here].into_iter().enumerate() {
                    while sent[side] < 200
                        && link.call(outgoing(), sent[side], append(&much)).is_ok()
                    {
                        sent[side] += 1;
                    }
                }
                shard.sleep(Duration::from_micros(100)).await;
                assert!(!there.has_ended(), "{:?}", mine.closed.borrow());
                answered = mine.replies.borrow().len() + server.replies.borrow().len();
            }
        });
        assert_eq!(echo.replies.borrow().len(), 200);
    }
}

#[test]
fn a_burst_lets_others_on_the_shard_go_between() {
    let world = World::new(3, SimConfig::default(), ListenLimits::default());
    let (shard, addr) = (world.shard.clone(), world.addr);
    world.shard.spawn(async move {
        let link = World::dial(shard.clone(), addr, Rc::new(Echo::default())).await;
        let link = link.expect("it is not refused");
        for number in 0..64_u8 {
            let told = link.tell(outgoing(), append(&[number]));
            told.expect("there is room");
        }
    });
    let (mut told, mut most_in_a_pass) = (0, 0);
    while told < 64 {
        world.step();
        let before = std::mem::replace(&mut told, world.server.told.borrow().len());
        most_in_a_pass = most_in_a_pass.max(told - before);
    }
    assert_eq!(most_in_a_pass, 32);
}

#[test]
fn a_silent_peer_is_asked_and_an_idle_session_stays() {
    let world = World::new(5, SimConfig::default(), ListenLimits::default());
    let (shard, addr) = (world.shard.clone(), world.addr);
    let is_open = world.run(async move {
        let echo = Rc::new(Echo::default());
        let link = World::dial(shard.clone(), addr, echo).await;
        shard.sleep(Duration::from_secs(120)).await;
        link.map(|link| link.is_open())
    });
    assert_eq!(is_open, Some(true));
}
