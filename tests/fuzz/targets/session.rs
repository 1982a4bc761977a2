//! Any bytes as what a peer sends: to either side that waits for a handshake, and to one that is open
//! and has calls under way.
#![no_main]

use std::rc::Rc;

use quark_net::frame::FrameReader;
use quark_net::session::{
    Event, FRAME_LEAST, Node, Offer, Outgoing, Patience, Protection, SendError, Session, Terms,
    Way, Who, Window,
};
use quark_shards::slots::Key;
use quark_shards::time::Time;

/// Calls that the side under search has room for.
const ROOM: u32 = 8;

fn terms() -> Rc<Terms> {
    Rc::new(Terms {
        cluster: "fuzz".to_owned(),
        who: Who::Node(Node {
            name: "a".to_owned(),
            incarnation: 2,
            seed: 3,
            shard: 0,
            ports: vec![1, 2],
        }),
        epoch: 1,
        actors: vec![Offer {
            name: "A".to_owned(),
            fingerprint: 1,
        }],
        window: Window {
            messages: ROOM,
            bytes: 4096,
        },
        max_frame: FRAME_LEAST,
    })
}

fn outgoing() -> Outgoing<'static> {
    Outgoing {
        way: Way {
            actor: 0,
            is_exact: true,
        },
        method: 0,
        left: None,
        key: Key::Int(7),
        context: &[],
    }
}

/// Takes `bytes` in as far as they are a session's.
fn take(session: &mut Session<u32>, mut bytes: &[u8]) {
    let mut reader = FrameReader::new(session.integrity(), session.frame_most());
    while let Ok(Some(frame)) = reader.next(&mut bytes) {
        match session.receive(frame, Time::ZERO) {
            Ok(Event::Opened) => {
                reader.set_integrity(session.integrity());
                reader.set_most(session.frame_most());
            }
            Ok(Event::Tell(request)) => session.consume(request.frame_bytes),
            Ok(_) => {}
            Err(_) => return,
        }
        assert!(session.serving() <= ROOM as usize);
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let (terms, patience) = (terms(), Patience::default());
    // Behind TLS no checksum keeps the bytes of a search out.
    let protection = if first & 1 == 0 {
        Protection::Tls
    } else {
        Protection::Plain
    };
    let accept = || Session::<u32>::accept(terms.clone(), patience, protection, 7, Time::ZERO);
    let dial = || Session::<u32>::dial(terms.clone(), patience, protection, 8, Time::ZERO);
    if first & 2 != 0 {
        let mut side = if first & 4 == 0 { accept() } else { dial() };
        return take(&mut side, bytes);
    }
    let (mut side, mut dialer) = (accept(), dial());
    take(&mut side, &dialer.take_outgoing(usize::MAX));
    take(&mut dialer, &side.take_outgoing(usize::MAX));
    assert!(side.is_open() && dialer.is_open());
    for ticket in 0..3 {
        let sent = side.call::<SendError>(outgoing(), ticket, |_| Ok(()));
        sent.expect("there is room");
        let sent = side.tell::<SendError>(outgoing(), |_| Ok(()));
        sent.expect("there is room");
    }
    take(&mut side, bytes);
    assert!(side.asked() <= 3);
});
