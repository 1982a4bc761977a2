use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use quark_shards::slots::Key;

use super::*;
use crate::frame::FrameReader;

fn terms(who: Who, cluster: &str, window: Window) -> Rc<Terms> {
    let actors = ["Account", "Ledger"].map(|name| Offer {
        name: name.to_owned(),
        fingerprint: name.len() as u64,
    });
    Rc::new(Terms {
        cluster: cluster.to_owned(),
        who,
        epoch: 1,
        actors: actors.into(),
        window,
        max_frame: FRAME_LEAST,
    })
}

fn node() -> Who {
    Who::Node(Node {
        name: "a".to_owned(),
        incarnation: 70,
        seed: 700,
        shard: 1,
        ports: vec![9000, 9001],
    })
}

/// One side with its reader, and what it saw.
struct Side {
    session: Session<u32>,
    reader: FrameReader,
    /// Calls to be answered, with their arguments.
    served: Vec<(u64, Vec<u8>)>,
    told: Vec<Vec<u8>>,
    replies: BTreeMap<u32, Vec<u8>>,
    schemas: Vec<(u16, Vec<u8>)>,
    of_cluster: Vec<Vec<u8>>,
}

impl Side {
    fn new(session: Session<u32>) -> Self {
        Side {
            reader: FrameReader::new(session.integrity(), session.frame_most()),
            session,
            served: Vec::new(),
            told: Vec::new(),
            replies: BTreeMap::new(),
            schemas: Vec::new(),
            of_cluster: Vec::new(),
        }
    }

    fn receive(&mut self, mut chunk: &[u8], now: Time) -> Result<(), SessionError> {
        while let Some(frame) = self.reader.next(&mut chunk)? {
            match self.session.receive(frame, now)? {
                Event::Opened => {
                    self.reader.set_integrity(self.session.integrity());
                    self.reader.set_most(self.session.frame_most());
                }
                Event::Call(request) => self.served.push((request.number, request.args.to_vec())),
                Event::Tell(request) => {
                    self.told.push(request.args.to_vec());
                    self.session.consume(request.frame_bytes);
                }
                Event::Reply(Reply { ticket, body, .. }) => {
                    let before = self.replies.insert(ticket, body.to_vec());
                    assert_eq!(before, None, "one reply a call");
                }
                Event::SchemaAsked(actor) => {
                    self.session.tell_schema(actor, &[actor as u8; 100]);
                }
                Event::SchemaTold { actor, body } => {
                    self.schemas.push((actor, body.to_vec()));
                }
                Event::Cluster(said) => self.of_cluster.push(said.to_vec()),
                Event::Nothing | Event::Room | Event::Leaving => {}
            }
        }
        Ok(())
    }

    fn outgoing(&self, key: Key<'static>) -> Outgoing<'static> {
        let peer = self.session.peer();
        Outgoing {
            way: peer
                .and_then(|peer| peer.way("Ledger", 6))
                .expect("both have it"),
            method: 3,
            left: Some(Duration::from_millis(5)),
            key,
            context: b"trace",
        }
    }

    fn call(&mut self, ticket: u32, args: &[u8]) -> Result<(), SendError> {
        let outgoing = self.outgoing(Key::Str("alice"));
        self.session.call(outgoing, ticket, |out| {
            out.extend_from_slice(args);
            Ok(())
        })
    }

    fn tell(&mut self, args: &[u8]) -> Result<(), SendError> {
        let outgoing = self.outgoing(Key::Int(8));
        self.session.tell(outgoing, |out| {
            out.extend_from_slice(args);
            Ok(())
        })
    }

    fn answer(&mut self, at: usize) {
        let (number, args) = self.served.swap_remove(at);
        let answered = self.session.reply::<SendError>(number, 0, true, |out| {
            out.extend_from_slice(&args);
            Ok(())
        });
        answered.expect("it fits");
    }
}

fn pair(window: Window, protection: Protection) -> (Side, Side) {
    let patience = Patience::default();
    let client = terms(Who::Client, "prod", window);
    let server = terms(node(), "prod", window);
    (
        Side::new(Session::dial(client, patience, protection, 11, Time::ZERO)),
        Side::new(Session::accept(
            server,
            patience,
            protection,
            22,
            Time::ZERO,
        )),
    )
}

/// Carries all that is written to and fro until nobody writes any more.
fn exchange(a: &mut Side, b: &mut Side, now: Time) -> Result<(), SessionError> {
    loop {
        let (from_a, from_b) = (
            a.session.take_outgoing(usize::MAX),
            b.session.take_outgoing(usize::MAX),
        );
        if from_a.is_empty() && from_b.is_empty() {
            return Ok(());
        }
        b.receive(&from_a, now)?;
        a.receive(&from_b, now)?;
    }
}

fn opened(window: Window, protection: Protection) -> (Side, Side) {
    let (mut a, mut b) = pair(window, protection);
    exchange(&mut a, &mut b, Time::ZERO).expect("they agree");
    (a, b)
}

#[test]
fn a_session_opens_and_both_ends_know_each_other() {
    for protection in [Protection::Plain, Protection::Tls] {
        let (a, b) = opened(Window::default(), protection);
        assert_eq!(a.session.peer().expect("open").terms.who, node());
        assert_eq!(b.session.peer().expect("open").terms.who, Who::Client);
        assert_eq!(a.session.integrity(), b.session.integrity());
    }
}

#[test]
fn calls_are_answered_in_any_order_with_all_that_went_along() {
    let (mut a, mut b) = opened(Window::default(), Protection::Plain);
    for ticket in 0..3 {
        a.call(ticket, &[ticket as u8; 5]).expect("there is room");
    }
    let bytes = a.session.take_outgoing(usize::MAX);
    let mut chunk = &bytes[..];
    let frame = b.reader.next(&mut chunk).expect("whole").expect("there");
    let Ok(Event::Call(request)) = b.session.receive(frame, Time::ZERO) else {
        panic!("a call comes first");
    };
    assert_eq!(
        (request.key, request.context, request.args),
        (Key::Str("alice"), &b"trace"[..], &[0; 5][..])
    );
    assert_eq!((request.actor, request.method), (1, 3));
    assert_eq!(request.left, Some(Duration::from_millis(5)));
    assert!(request.is_exact);
    b.served.push((request.number, request.args.to_vec()));
    b.receive(chunk, Time::ZERO).expect("two more");
    for _ in 0..3 {
        b.answer(b.served.len() - 1);
    }
    exchange(&mut a, &mut b, Time::ZERO).expect("they agree");
    let expected = (0..3).map(|ticket| (ticket, vec![ticket as u8; 5]));
    assert_eq!(a.replies, expected.collect());
    assert_eq!((a.session.asked(), b.session.serving()), (0, 0));
}

#[test]
fn strangers_are_refused_and_told_why() {
    let patience = Patience::default();
    let dial = terms(Who::Client, "test", Window::default());
    let accept = terms(node(), "prod", Window::default());
    let mut a = Side::new(Session::dial(
        dial,
        patience,
        Protection::Plain,
        1,
        Time::ZERO,
    ));
    let mut b = Side::new(Session::accept(
        accept,
        patience,
        Protection::Plain,
        2,
        Time::ZERO,
    ));
    let hello = a.session.take_outgoing(usize::MAX);
    assert!(matches!(
        b.receive(&hello, Time::ZERO),
        Err(SessionError::WrongCluster { .. })
    ));
    let refused = a.receive(&b.session.take_outgoing(usize::MAX), Time::ZERO);
    let Err(SessionError::Refused(words)) = refused else {
        panic!("{refused:?}");
    };
    assert!(words.contains("prod"), "{words}");
}

#[test]
fn no_more_is_under_way_than_there_is_room_for() {
    let window = Window {
        messages: 4,
        bytes: 1000,
    };
    let (mut a, mut b) = opened(window, Protection::Plain);
    for ticket in 0..4 {
        a.call(ticket, b"x").expect("there is room");
    }
    assert_eq!(a.call(4, b"x"), Err(SendError::NoRoom));
    exchange(&mut a, &mut b, Time::ZERO).expect("within the window");
    b.answer(0);
    exchange(&mut a, &mut b, Time::ZERO).expect("within the window");
    a.tell(&[0; 2000]).expect("a frame may go over the bytes");
    assert_eq!(a.tell(b"x"), Err(SendError::NoRoom));
    exchange(&mut a, &mut b, Time::ZERO).expect("one over is allowed");
    // It was credited, being more than a quarter of the window.
    a.tell(b"x").expect("there is room again");
}

#[test]
fn who_sends_more_than_he_was_given_room_for_is_cut_off() {
    let small = Window {
        messages: 1,
        bytes: 100,
    };
    let patience = Patience::default();
    let dial = terms(Who::Client, "prod", Window::default());
    let accept = terms(node(), "prod", small);
    let mut a = Side::new(Session::dial(
        dial,
        patience,
        Protection::Plain,
        1,
        Time::ZERO,
    ));
    let mut b = Side::new(Session::accept(
        accept,
        patience,
        Protection::Plain,
        2,
        Time::ZERO,
    ));
    exchange(&mut a, &mut b, Time::ZERO).expect("they agree");
    a.session.room = Room::new(Window::default());
    a.session.asked = Asked::new(9);
    a.call(0, b"x").expect("so it thinks");
    a.call(1, b"x").expect("so it thinks");
    assert_eq!(
        exchange(&mut a, &mut b, Time::ZERO),
        Err(SessionError::Flood("calls"))
    );
}

#[test]
fn a_session_that_is_played_again_comes_damaged() {
    let (mut a, mut b) = pair(Window::default(), Protection::Plain);
    let mut tape = vec![a.session.take_outgoing(usize::MAX)];
    b.receive(&tape[0], Time::ZERO).expect("a hello");
    a.receive(&b.session.take_outgoing(usize::MAX), Time::ZERO)
        .expect("a welcome");
    a.call(0, b"pay 100").expect("there is room");
    tape.push(a.session.take_outgoing(usize::MAX));
    b.receive(&tape[1], Time::ZERO).expect("a call");
    assert_eq!(b.served.len(), 1);

    let server = terms(node(), "prod", Window::default());
    let again = Session::accept(
        server,
        Patience::default(),
        Protection::Plain,
        23,
        Time::ZERO,
    );
    let mut again = Side::new(again);
    again.receive(&tape[0], Time::ZERO).expect("a hello");
    let played = again.receive(&tape[1], Time::ZERO);
    assert!(
        matches!(played, Err(SessionError::Frame(FrameError::Damaged { .. }))),
        "{played:?}"
    );
    assert!(again.served.is_empty());
}

#[test]
fn what_was_never_sent_is_told_from_what_may_have_been() {
    let (mut a, _b) = opened(Window::default(), Protection::Plain);
    a.call(0, b"sent").expect("there is room");
    let _sent = a.session.take_outgoing(usize::MAX);
    a.call(1, b"kept").expect("there is room");
    let mut lost: Vec<_> = a.session.lose().collect();
    lost.sort_by_key(|lost| lost.ticket);
    let expected = [(0, true), (1, false)].map(|(ticket, was_sent)| Lost { ticket, was_sent });
    assert_eq!(lost, expected);
    assert_eq!(a.session.outgoing_len(), 0);
}

#[test]
fn silence_is_asked_about_and_then_given_up() {
    let (mut a, mut b) = opened(Window::default(), Protection::Plain);
    let patience = Patience::default();
    let mut now = Time::ZERO;
    for _ in 0..5 {
        now = a.session.next_tick();
        a.session.tick(now).expect("time to ask");
        assert!(a.session.outgoing_len() > 0);
        exchange(&mut a, &mut b, now).expect("it is there");
    }
    a.session.tick(now + patience.ping).expect("time to ask");
    let last = a.session.next_tick();
    assert_eq!(last, now + patience.silence);
    assert!(matches!(
        a.session.tick(last),
        Err(SessionError::Silent { .. })
    ));
}

#[test]
fn a_side_that_was_held_up_itself_asks_before_it_gives_up() {
    let (mut a, mut b) = opened(Window::default(), Protection::Plain);
    let much_later = Time::ZERO + Patience::default().silence * 3;
    a.session.tick(much_later).expect("nobody was asked yet");
    exchange(&mut a, &mut b, much_later).expect("it is there");
    let next = a.session.next_tick();
    assert_eq!(next, much_later + Patience::default().ping);
}

#[test]
fn who_asks_for_schemas_without_taking_them_is_cut_off() {
    let (mut a, mut b) = opened(Window::default(), Protection::Plain);
    for _ in 0..=SCHEMAS_MOST {
        a.session.ask_schema(1);
    }
    let asked = a.session.take_outgoing(usize::MAX);
    assert!(matches!(
        b.receive(&asked, Time::ZERO),
        Err(SessionError::Flood(_))
    ));
}

#[test]
fn nodes_speak_of_their_cluster_and_clients_only_listen() {
    let (patience, now) = (Patience::default(), Time::ZERO);
    let node = || terms(node(), "prod", Window::default());
    let dial = Session::dial(node(), patience, Protection::Plain, 11, now);
    let accept = Session::accept(node(), patience, Protection::Plain, 22, now);
    let (mut a, mut b) = (Side::new(dial), Side::new(accept));
    exchange(&mut a, &mut b, now).expect("they agree");
    a.session.say_of_cluster(b"who owns what?");
    exchange(&mut a, &mut b, now).expect("they agree");
    assert_eq!(b.of_cluster, [b"who owns what?"]);

    // A client is told, and tells nothing.
    let (mut liar, mut server) = opened(Window::default(), Protection::Plain);
    server.session.say_of_cluster(b"this is who");
    exchange(&mut liar, &mut server, now).expect("they agree");
    assert_eq!(liar.of_cluster, [b"this is who"]);
    liar.session.say_of_cluster(b"me");
    assert!(liar.session.take_outgoing(usize::MAX).is_empty());
    let mut frame = bytes::BytesMut::new();
    let written = crate::frame::write_frame::<crate::frame::FrameError>(
        &mut frame,
        Header::of(Kind::Cluster),
        liar.session.integrity(),
        100,
        |_| Ok(()),
    );
    assert!(written.is_ok() && liar.session.take_outgoing(usize::MAX).is_empty());
    assert_eq!(
        server.receive(&frame, now),
        Err(SessionError::OutOfTurn(Kind::Cluster))
    );
}

#[test]
fn a_handshake_has_its_time() {
    let (a, mut b) = pair(Window::default(), Protection::Plain);
    assert_eq!(a.session.next_tick(), b.session.next_tick());
    assert_eq!(b.session.tick(Time::ZERO), Ok(()));
    assert_eq!(
        b.session.tick(b.session.next_tick()),
        Err(SessionError::SlowHandshake)
    );
}

#[test]
fn after_a_goodbye_nothing_new_is_sent_but_answers_come() {
    let (mut a, mut b) = opened(Window::default(), Protection::Plain);
    a.call(0, b"before").expect("there is room");
    b.session.say_goodbye();
    exchange(&mut a, &mut b, Time::ZERO).expect("they agree");
    assert_eq!(a.call(1, b"after"), Err(SendError::Closed));
    assert!(b.session.is_obeyed() && !a.session.is_obeyed());
    b.answer(0);
    exchange(&mut a, &mut b, Time::ZERO).expect("they agree");
    assert_eq!(a.replies.len(), 1);
}

#[test]
fn what_a_type_looks_like_can_be_asked() {
    let (mut a, mut b) = opened(Window::default(), Protection::Plain);
    a.session.ask_schema(1);
    exchange(&mut a, &mut b, Time::ZERO).expect("they agree");
    assert_eq!(a.schemas, [(1, vec![1; 100])]);
    a.session.ask_schema(2);
    let asked = exchange(&mut a, &mut b, Time::ZERO);
    assert!(
        matches!(asked, Err(SessionError::WrongIndex { .. })),
        "{asked:?}"
    );
}

#[test]
fn keys_and_contexts_have_their_limits() {
    let (mut a, _b) = opened(Window::default(), Protection::Plain);
    let key = "k".repeat(crate::message::KEY_MOST + 1);
    let outgoing = Outgoing {
        key: Key::Str(&key),
        ..a.outgoing(Key::Int(0))
    };
    let sent = a.session.tell::<SendError>(outgoing, |_| Ok(()));
    assert_eq!(sent, Err(SendError::TooLong));
    assert_eq!(a.session.outgoing_len(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Call(usize),
    Tell(usize),
    Answer(prop::sample::Index),
    /// So many bytes of what lies on the way arrive.
    Carry(usize),
}

fn steps() -> impl Strategy<Value = Vec<(bool, Step)>> {
    let step = prop_oneof![
        (0..300_usize).prop_map(Step::Call),
        (0..300_usize).prop_map(Step::Tell),
        any::<prop::sample::Index>().prop_map(Step::Answer),
        (1..500_usize).prop_map(Step::Carry),
    ];
    prop::collection::vec((any::<bool>(), step), 0..200)
}

proptest! {
    /// Whatever two sides do, and however the connection cuts it, all calls are answered, each by
    /// its own answer, and one-way messages come in order.
    #[test]
    fn two_sides_understand_each_other(steps in steps(), messages in 1..9_u32, is_tls: bool) {
        let window = Window { messages, bytes: 600 };
        let protection = if is_tls { Protection::Tls } else { Protection::Plain };
        let (a, b) = opened(window, protection);
        let mut sides = [a, b];
        let mut wires: [VecDeque<u8>; 2] = Default::default();
        let mut sent: [Vec<Vec<u8>>; 2] = Default::default();
        let mut asked: [BTreeMap<u32, Vec<u8>>; 2] = Default::default();
        let mut next = 0;
        for (is_second, step) in steps {
            let me = usize::from(is_second);
            next += 1;
            match step {
                Step::Call(len) => {
                    let args = vec![next as u8; len];
                    if sides[me].call(next, &args).is_ok() {
                        asked[me].insert(next, args);
                    }
                }
                Step::Tell(len) => {
                    let args = vec![next as u8; len];
                    if sides[me].tell(&args).is_ok() {
                        sent[me].push(args);
                    }
                }
                Step::Answer(which) => {
                    let count = sides[me].served.len();
                    if count > 0 {
                        sides[me].answer(which.index(count));
                    }
                }
                Step::Carry(most) => {
                    wires[me].extend(sides[me].session.take_outgoing(usize::MAX));
                    let count = most.min(wires[me].len());
                    let chunk: Vec<u8> = wires[me].drain(..count).collect();
                    sides[1 - me].receive(&chunk, Time::ZERO).expect("they agree");
                }
            }
        }
        for _ in 0..4 {
            for me in 0..2 {
                wires[me].extend(sides[me].session.take_outgoing(usize::MAX));
                let chunk: Vec<u8> = wires[me].drain(..).collect();
                sides[1 - me].receive(&chunk, Time::ZERO).expect("they agree");
                while !sides[1 - me].served.is_empty() {
                    sides[1 - me].answer(0);
                }
            }
        }
        for me in 0..2 {
            prop_assert_eq!(&sides[me].replies, &asked[me]);
            prop_assert_eq!(&sides[1 - me].told, &sent[me]);
            prop_assert_eq!(sides[me].session.asked() + sides[me].session.serving(), 0);
        }
    }

    /// A peer that sends well-formed frames of any content can't do worse than be cut off.
    #[test]
    fn any_frames_are_survived(
        frames in prop::collection::vec(
            (1..12_u8, any::<u16>(), 0..4_u64, any::<[u16; 2]>(),
             prop::collection::vec(any::<u8>(), 0..64)),
            0..20,
        ),
        is_open: bool,
    ) {
        let window = Window { messages: 4, bytes: 600 };
        let (a, b) = if is_open {
            opened(window, Protection::Tls)
        } else {
            pair(window, Protection::Tls)
        };
        for mut side in [a, b] {
            for (kind, flags, call, [actor, method], body) in &frames {
                let mut bytes = vec![0; 4];
                bytes.extend([1, *kind]);
                bytes.extend(flags.to_le_bytes());
                bytes.extend(call.to_le_bytes());
                bytes.extend(50_u32.to_le_bytes());
                bytes.extend((actor % 3).to_le_bytes());
                bytes.extend(method.to_le_bytes());
                bytes.extend(body);
                let length = bytes.len() as u32 - 4;
                bytes[..4].copy_from_slice(&length.to_le_bytes());
                if side.receive(&bytes, Time::ZERO).is_err() {
                    break;
                }
                prop_assert!(side.session.serving() <= 4);
            }
        }
    }
}
