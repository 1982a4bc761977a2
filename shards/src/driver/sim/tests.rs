mod disk;
mod names;

use std::io;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::driver::{Completion, Driver, Handle, Op, OpenOptions, Outcome, Token};

const NEW: OpenOptions = OpenOptions {
    read: true,
    write: true,
    create: true,
    create_new: false,
    truncate: false,
    direct: false,
    lock: false,
};

/// No delays on the mesh and no faults, but what a test asks for.
fn calm() -> SimConfig {
    SimConfig {
        mesh_delay_probability: 0.0,
        ..SimConfig::default()
    }
}

/// Runs one operation to its end.
fn run(world: &SimWorld, driver: &mut SimDriver, op: Op) -> io::Result<Outcome> {
    driver.submit(Token(7), op);
    let mut done = Vec::new();
    loop {
        driver.poll(&mut done);
        if let Some(Completion { token, result, .. }) = done.pop() {
            assert_eq!(token, Token(7));
            assert_eq!(driver.in_flight(), 0);
            return result;
        }
        world.advance_to(world.next_event().expect("it ends"));
    }
}

fn open(world: &SimWorld, driver: &mut SimDriver, path: &str) -> io::Result<Handle> {
    let path = PathBuf::from(path);
    match run(world, driver, Op::Open { path, options: NEW })? {
        Outcome::Opened(handle) => Ok(handle),
        other => panic!("{other:?}"),
    }
}

fn write(
    world: &SimWorld,
    driver: &mut SimDriver,
    file: Handle,
    bytes: Vec<u8>,
    offset: u64,
) -> io::Result<usize> {
    let buffer = Bytes::from(bytes);
    let op = Op::Write {
        file,
        buffer,
        offset,
    };
    match run(world, driver, op)? {
        Outcome::Wrote(count) => Ok(count),
        other => panic!("{other:?}"),
    }
}

fn read(world: &SimWorld, driver: &mut SimDriver, file: Handle) -> Vec<u8> {
    let buffer = BytesMut::with_capacity(1 << 20);
    let op = Op::Read {
        file,
        buffer,
        offset: 0,
    };
    match run(world, driver, op) {
        Ok(Outcome::Filled(buffer)) => buffer.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn sync(world: &SimWorld, driver: &mut SimDriver, file: Handle) -> io::Result<()> {
    run(world, driver, Op::Fdatasync { file }).map(drop)
}

/// Makes the names in the root durable.
fn sync_names(world: &SimWorld, driver: &mut SimDriver) {
    let op = Op::SyncDir { path: "/".into() };
    run(world, driver, op).expect("syncs");
}

fn path(path: &str) -> PathBuf {
    path.into()
}

fn write_durable(
    world: &SimWorld,
    driver: &mut SimDriver,
    file: Handle,
    bytes: Vec<u8>,
    offset: u64,
) -> io::Result<usize> {
    let buffer = Bytes::from(bytes);
    let op = Op::WriteDurable {
        file,
        buffer,
        offset,
    };
    match run(world, driver, op)? {
        Outcome::Wrote(count) => Ok(count),
        other => panic!("{other:?}"),
    }
}

/// A file with `bytes`, durable but for its name.
fn make(world: &SimWorld, driver: &mut SimDriver, name: &str, bytes: &[u8]) {
    let file = open(world, driver, name).expect("opens");
    let wrote = write_durable(world, driver, file, bytes.to_vec(), 0);
    assert_eq!(wrote.expect("writes"), bytes.len());
    run(world, driver, Op::Close { handle: file }).expect("closes");
}

fn code(error: io::Error) -> i32 {
    error.raw_os_error().expect("the system's")
}

/// A mixed workload of three shards with everything going wrong; the trace it leaves.
fn storm(seed: u64) -> u64 {
    let world = SimWorld::new(
        seed,
        SimConfig {
            sync_lost_probability: 0.1,
            misdirected_write_probability: 0.1,
            ..SimConfig::faulty()
        },
    );
    let mut drivers: Vec<SimDriver> = (0..3).map(|shard| world.driver(shard)).collect();
    let bells: Vec<_> = drivers.iter().map(Driver::bell).collect();
    let listener = drivers[0]
        .listen("10.0.0.1:80".parse().expect("an address"), 4)
        .expect("free");
    let addr = drivers[0].local_addr(listener).expect("bound");
    let mut open: Vec<Vec<Handle>> = vec![Vec::new(); 3];
    let mut done = Vec::new();
    for step in 0..2_000u64 {
        let Some(shard) = world.pick() else {
            let Some(next) = world.next_event() else {
                break;
            };
            world.advance_to(next);
            continue;
        };
        let driver = &mut drivers[usize::from(shard)];
        let mine = &mut open[usize::from(shard)];
        driver.poll(&mut done);
        for completion in done.drain(..) {
            if let Ok(Outcome::Opened(handle)) = completion.result {
                mine.push(handle);
            }
        }
        let draw = driver.random();
        let handle = mine.get(draw as usize % mine.len().max(1)).copied();
        let handle = handle.unwrap_or(listener);
        let token = Token(step);
        match draw >> 32 & 31 {
            0..=3 => driver.submit(token, Op::Connect { addr }),
            4 => driver.submit(token, Op::Accept { listener: handle }),
            5 => driver.submit(
                token,
                Op::Open {
                    path: format!("/{}", draw % 5).into(),
                    options: NEW,
                },
            ),
            6 => driver.submit(
                token,
                Op::Write {
                    file: handle,
                    buffer: Bytes::from(vec![step as u8; 3_000]),
                    offset: draw % 5_000,
                },
            ),
            7 => driver.submit(token, Op::Fdatasync { file: handle }),
            8 | 9 => driver.submit(
                token,
                Op::Send {
                    socket: handle,
                    buffer: Bytes::from(vec![0; 40_000]),
                },
            ),
            10 | 11 => driver.submit(
                token,
                Op::Recv {
                    socket: handle,
                    buffer: BytesMut::with_capacity(5_000),
                },
            ),
            12 if handle != listener => {
                mine.retain(|other| *other != handle);
                driver.submit(token, Op::Close { handle });
            }
            13 => driver.cancel(Token(step / 2)),
            14 => bells[draw as usize % 3].ring(),
            16..=18 => driver.submit(
                token,
                Op::WriteDurable {
                    file: handle,
                    buffer: Bytes::from(vec![step as u8; 3_000]),
                    offset: draw % 5_000,
                },
            ),
            19 => driver.submit(
                token,
                Op::Allocate {
                    file: handle,
                    offset: draw % 5_000,
                    len: draw % 5_000,
                },
            ),
            20 => driver.submit(token, Op::Size { file: handle }),
            21 => driver.submit(
                token,
                Op::Rename {
                    from: format!("/{}", draw % 5).into(),
                    to: format!("/{}", draw % 7).into(),
                },
            ),
            22 => driver.submit(
                token,
                Op::Remove {
                    path: format!("/{}", draw % 5).into(),
                },
            ),
            23 => driver.submit(token, Op::SyncDir { path: "/".into() }),
            24 => driver.submit(token, Op::List { path: "/".into() }),
            25 => world.note(driver.unique()),
            28 => driver.submit(
                token,
                Op::SendMany {
                    socket: handle,
                    buffers: vec![Bytes::from(vec![0; 10_000]); 3],
                },
            ),
            26 => driver.submit(token, Op::RecvMany { socket: handle }),
            27 => driver.submit(token, Op::AcceptMany { listener: handle }),
            _ => {
                let budget = driver.mesh_budget(u16::from(shard == 0));
                assert!(budget <= SimConfig::faulty().mesh_budget_max);
            }
        }
        if draw & 1 == 0 {
            let until = driver.now() + Duration::from_micros(draw >> 50);
            driver.park(Some(until));
        }
    }
    world.crash(0);
    for file in world.files(0) {
        let bytes = world.contents(0, &file).expect("it is there");
        bytes.into_iter().for_each(|byte| world.note(byte.into()));
    }
    world.trace()
}

#[test]
fn a_seed_replays_and_another_differs() {
    let mut traces = Vec::new();
    for seed in 0..50 {
        let trace = storm(seed);
        assert_eq!(trace, storm(seed), "seed {seed} did not replay");
        assert!(!traces.contains(&trace), "seed {seed} is like another");
        traces.push(trace);
    }
}

#[test]
fn a_note_changes_the_trace() {
    let (a, b) = (SimWorld::new(1, calm()), SimWorld::new(1, calm()));
    assert_eq!(a.trace(), b.trace());
    a.note(1);
    b.note(2);
    assert_ne!(a.trace(), b.trace());
}

#[test]
fn injected_faults_show() {
    let config = SimConfig {
        read_error_probability: 1.0,
        write_error_probability: 1.0,
        sync_error_probability: 1.0,
        refuse_probability: 1.0,
        ..calm()
    };
    let world = SimWorld::new(1, config);
    let mut driver = world.driver(0);
    let file = open(&world, &mut driver, "/log").expect("opens");
    let wrote = write(&world, &mut driver, file, vec![1; 1], 0);
    assert_eq!(wrote.expect_err("broken").raw_os_error(), Some(libc::EIO));
    let synced = sync(&world, &mut driver, file);
    assert_eq!(synced.expect_err("broken").raw_os_error(), Some(libc::EIO));
    let addr = "10.0.0.1:1".parse().expect("an address");
    driver.listen(addr, 1).expect("free");
    let refused = run(&world, &mut driver, Op::Connect { addr });
    assert_eq!(
        refused.expect_err("refused").raw_os_error(),
        Some(libc::ECONNREFUSED)
    );
}

#[test]
fn a_crash_resets_the_connections_of_other_nodes() {
    let world = SimWorld::new(1, calm());
    let mut server = world.driver_on(1, 1);
    let mut client = world.driver_on(0, 0);
    let addr = "10.0.0.1:80".parse().expect("an address");
    server.listen(addr, 1).expect("free");
    let Ok(Outcome::Opened(socket)) = run(&world, &mut client, Op::Connect { addr }) else {
        panic!("did not connect");
    };
    world.crash(1);
    let buffer = BytesMut::with_capacity(10);
    let received = run(&world, &mut client, Op::Recv { socket, buffer });
    assert_eq!(
        received.expect_err("reset").raw_os_error(),
        Some(libc::ECONNRESET)
    );
    let refused = run(&world, &mut client, Op::Connect { addr });
    assert!(refused.is_err(), "nobody listens any more");
}

#[test]
fn operations_end_out_of_order() {
    let world = SimWorld::new(1, calm());
    let mut driver = world.driver(0);
    for token in 0..20 {
        let path = format!("/{token}").into();
        driver.submit(Token(token), Op::Open { path, options: NEW });
    }
    let mut done = Vec::new();
    driver.poll(&mut done);
    assert!(done.is_empty(), "nothing ends before its time");
    world.advance_to(Time::from_nanos(1_000_000));
    driver.poll(&mut done);
    let tokens: Vec<u64> = done.iter().map(|completion| completion.token.0).collect();
    assert_eq!(tokens.len(), 20);
    assert!(!tokens.is_sorted(), "{tokens:?}");
}

#[test]
fn a_parked_shard_runs_when_rung_completed_or_due() {
    let world = SimWorld::new(1, calm());
    let mut driver = world.driver(0);
    assert_eq!(world.pick(), Some(0), "a new shard runs");

    driver.park(None);
    assert!(world.is_parked(0) && !world.is_runnable(0));
    assert_eq!((world.pick(), world.next_event()), (None, None));

    driver.bell().ring();
    assert!(world.is_rung(0));
    assert_eq!(world.pick(), Some(0));
    assert!(!world.is_rung(0) && !world.is_parked(0));

    // Rung before the park: the park ends at once.
    driver.bell().ring();
    driver.park(None);
    assert_eq!(world.pick(), Some(0));

    let until = world.now() + Duration::from_micros(5);
    driver.park(Some(until));
    assert_eq!((world.pick(), world.next_event()), (None, Some(until)));
    world.advance_to(until);
    assert_eq!(world.pick(), Some(0));

    let options = NEW;
    let path = "/a".into();
    driver.submit(Token(1), Op::Open { path, options });
    driver.park(None);
    assert_eq!(world.pick(), None);
    world.advance_to(world.next_event().expect("it opens"));
    assert_eq!(world.pick(), Some(0));

    // A stall lets what falls into it happen.
    let path = "/b".into();
    driver.submit(Token(2), Op::Open { path, options });
    let before = driver.now();
    world.stall(Duration::from_secs(1));
    assert_eq!(driver.now() - before, Duration::from_secs(1));
    let mut done = Vec::new();
    driver.poll(&mut done);
    assert_eq!(done.len(), 2);
}

#[test]
fn the_mesh_holds_messages_up_for_a_time_and_then_lets_them_through() {
    let config = SimConfig {
        mesh_delay_probability: 1.0,
        mesh_delay_max: Duration::from_micros(50),
        mesh_budget_max: 4,
        ..SimConfig::default()
    };
    let world = SimWorld::new(1, config);
    let mut driver = world.driver(0);
    assert_eq!(driver.mesh_budget(1), 0);
    let until = world.next_event().expect("the delay ends");
    assert!(until > world.now() && until <= Time::from_nanos(50_000));
    assert_eq!(driver.mesh_budget(1), 0, "still held up");
    driver.park(None);
    assert_eq!(world.pick(), None);
    world.advance_to(until);
    assert_eq!(world.pick(), Some(0), "the shard is woken for them");
    assert!((1..=4).contains(&driver.mesh_budget(1)));
}

#[test]
fn shards_draw_from_streams_of_their_own() {
    let world = SimWorld::new(1, calm());
    let (mut a, mut b) = (world.driver(0), world.driver(1));
    assert_ne!(a.random(), b.random());
    let again = SimWorld::new(1, calm());
    let (mut c, _d) = (again.driver(0), again.driver(1));
    c.random();
    assert_eq!(a.random(), c.random());
}
