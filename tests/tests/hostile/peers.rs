//! Those who mean no good: many that say nothing, in a process of their own, and one that knows the
//! protocol and speaks it by hand.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use quark_net::frame::FrameReader;
use quark_net::session::{Event, Patience, Protection, Session, Terms, Who, Window};
use quark_shards::time::Time;

/// How many of them there are, and whom they visit: see [`Crowd`].
const CROWD: &str = "QUARK_HOSTILE_CROWD";

/// How long what has to happen may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Lets this process have as many descriptors as it may; says how many.
pub(crate) fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit anyone may");
    limit.maximum.unwrap_or(u64::MAX)
}

/// Descriptors of this process.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Memory of this process, in bytes.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("the system says it") * 1024
}

/// Connections on which nothing is said, of a process of their own: it needs as many descriptors as
/// this one.
pub(crate) struct Crowd {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Crowd {
    /// As many connections, by turns to each of these; they are open.
    pub(crate) fn visit(addresses: &[SocketAddr], count: usize) -> Self {
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        let me = std::env::current_exe().expect("it runs");
        let mut child = Command::new(me)
            .args(["--exact", "a_crowd", "--nocapture"])
            .env(CROWD, format!("{count} {}", addresses.join(" ")))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it ran before");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut crowd = Crowd { child, said };
        crowd.hears("all are connected");
        crowd
    }

    /// Waits until all of them were closed by the other side.
    pub(crate) fn are_closed(mut self) {
        self.hears("all are closed");
        let ended = self.child.wait().expect("it was begun");
        assert!(ended.success());
    }

    fn hears(&mut self, words: &str) {
        let mut line = String::new();
        while self.said.read_line(&mut line).expect("it speaks") > 0 {
            if line.contains(words) {
                return;
            }
            line.clear();
        }
        panic!("the crowd has ended before it said that {words}");
    }
}

/// What the crowd's process does.
pub(crate) fn be_a_crowd() {
    let Ok(orders) = std::env::var(CROWD) else {
        return;
    };
    let mut orders = orders.split(' ');
    let count: usize = orders
        .next()
        .and_then(|count| count.parse().ok())
        .expect("a count");
    let addresses: Vec<SocketAddr> = orders
        .map(|addr| addr.parse().expect("an address"))
        .collect();
    raise_descriptors();
    let crowd: Vec<_> = (0..count)
        .map(|number| TcpStream::connect(addresses[number % addresses.len()]).expect("a port"))
        .collect();
    println!("all are connected");
    crowd.into_iter().for_each(|stream| is_closed(&stream));
    let _ = writeln!(std::io::stdout(), "all are closed");
}

/// Waits until the other side has closed it, whatever it says before.
pub(crate) fn is_closed(mut stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(LIMIT));
    let mut heard = [0; 4096];
    loop {
        match stream.read(&mut heard) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("it was not closed: {error}"),
        }
    }
}

/// What a client of the cluster "bank" says of itself.
pub(crate) fn terms() -> Terms {
    Terms {
        cluster: "bank".to_owned(),
        who: Who::Client,
        epoch: 0,
        actors: Vec::new(),
        window: Window::default(),
        max_frame: 1 << 20,
    }
}

/// The dialing side of a session, whose first words wait to be sent.
pub(crate) fn dial(terms: Terms) -> Session<u32> {
    let (patience, plain) = (Patience::default(), Protection::Plain);
    Session::dial(Rc::new(terms), patience, plain, 8, Time::ZERO)
}

/// A session by hand.
pub(crate) struct Hand {
    pub(crate) stream: TcpStream,
    pub(crate) session: Session<u32>,
}

impl Hand {
    /// One that is open.
    pub(crate) fn shaken(addr: SocketAddr) -> Self {
        Hand::shaken_by(addr, terms())
    }

    /// One of these terms.
    pub(crate) fn shaken_by(addr: SocketAddr, terms: Terms) -> Self {
        let mut hand = Hand {
            stream: TcpStream::connect(addr).expect("a port"),
            session: dial(terms),
        };
        hand.send();
        let mut reader = FrameReader::new(hand.session.integrity(), hand.session.frame_most());
        let mut heard = vec![0; 64 << 10];
        while !hand.session.is_open() {
            let length = hand.stream.read(&mut heard).expect("it answers");
            assert_ne!(length, 0, "it does not hang up");
            let frame = reader.next(&mut &heard[..length]).expect("a frame");
            if let Some(frame) = frame {
                let event = hand.session.receive(frame, Time::ZERO);
                assert!(matches!(event, Ok(Event::Opened)));
            }
        }
        hand
    }

    /// Sends what has been written.
    pub(crate) fn send(&mut self) {
        let bytes = self.session.take_outgoing(usize::MAX);
        self.stream.write_all(&bytes).expect("it listens");
    }
}

/// A relay to `to` for one connection: where it listens, and what came of its dialer, piece by piece.
pub(crate) fn relay(to: SocketAddr) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it listens");
    let (says, said) = mpsc::channel();
    std::thread::spawn(move || {
        let (here, _) = listener.accept().expect("somebody comes");
        let there = TcpStream::connect(to).expect("a port");
        let (answers, back) = (clone(&there), clone(&here));
        std::thread::spawn(move || pass(answers, back, |_| {}));
        pass(here, there, |piece| {
            let _ = says.send(piece.to_vec());
        });
    });
    (addr, said)
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        note(&piece[..length]);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a descriptor")
}

/// Waits until `what` is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
