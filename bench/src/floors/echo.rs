//! The floor of calls over the network: bytes sent to another core over loopback TCP and as many as
//! an answer has sent back, by sockets that never block.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::{FloorError, median, pinned};
use crate::clock::Clock;

/// Short batches, so that the median steps over whatever disturbs a few of them.
const BATCHES: usize = 300;
/// Round trips of a batch with one message under way.
const TRIPS: usize = 64;
/// Messages of a batch with many under way.
const MESSAGES: usize = 4_096;

/// Bytes of a message each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Of a question.
    pub asked: usize,
    /// Of its answer.
    pub answered: usize,
}

/// How many messages travel together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Sent and not yet answered.
    pub under_way: usize,
    /// The most that either side takes before it sends what comes of them.
    pub at_once: usize,
}

/// Nanoseconds of a message on `first` answered on `second`: of a round trip if one is under way,
/// else of each message.
///
/// # Errors
///
/// When the cores are one, or either may not be used, or there is no loopback.
pub fn message_ns(
    first: usize,
    second: usize,
    sizes: Sizes,
    flow: Flow,
) -> Result<f64, FloorError> {
    let failed = |error: io::Error| FloorError::Socket {
        reason: error.to_string(),
    };
    let (asking, answering) = pair().map_err(failed)?;
    let clock = Clock::new();
    let asked = pinned::on_both(
        (first, second),
        move |_| ask(asking, sizes, flow, &clock),
        move || {
            // Whoever asks sees the connection close.
            let _ = answer(answering, sizes, flow);
        },
    )?;
    asked.map_err(failed)
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let asking = TcpStream::connect(listener.local_addr()?)?;
    let (answering, _) = listener.accept()?;
    for socket in [&asking, &answering] {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
    }
    Ok((asking, answering))
}

fn ask(mut socket: TcpStream, sizes: Sizes, flow: Flow, clock: &Clock) -> io::Result<f64> {
    let under_way = flow.under_way;
    let question = vec![1; sizes.asked * under_way];
    let mut answers = vec![0; sizes.answered * flow.at_once];
    let messages = if under_way == 1 { TRIPS } else { MESSAGES };
    let mut batches = Vec::with_capacity(BATCHES);
    // The first batch warms up.
    for _ in 0..=BATCHES {
        let begun = clock.now();
        send(&mut socket, &question)?;
        let (mut asked, mut heard, mut answered) = (under_way, 0, 0);
        while answered < messages {
            heard += receive(&mut socket, &mut answers)?;
            let whole = heard / sizes.answered;
            // Each answer is a new question, as far as the batch goes.
            let more = (whole - answered).min(messages.saturating_sub(asked));
            answered = whole;
            if more > 0 {
                send(&mut socket, &question[..more * sizes.asked])?;
                asked += more;
            }
        }
        batches.push((clock.now() - begun) as f64 / messages as f64);
    }
    batches.swap_remove(0);
    Ok(median(batches))
}

fn answer(mut socket: TcpStream, sizes: Sizes, flow: Flow) -> io::Result<()> {
    let mut questions = vec![0; sizes.asked * flow.at_once];
    let answers = vec![1; sizes.answered * flow.at_once];
    let (mut heard, mut answered) = (0, 0);
    loop {
        heard += receive(&mut socket, &mut questions)?;
        let whole = heard / sizes.asked;
        send(&mut socket, &answers[..(whole - answered) * sizes.answered])?;
        answered = whole;
    }
}

/// Sends all of it, looking again and again whether there is room.
fn send(socket: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Looks again and again until something has come.
fn receive(socket: &mut TcpStream, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.read(into) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(received) => return Ok(received),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
}
