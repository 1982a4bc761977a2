use std::io;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::driver::{Completion, Driver, Handle, Op, OpenOptions, Outcome, Token};

const NEW: OpenOptions = OpenOptions {
    read: true,
    write: true,
    create: true,
    truncate: false,
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
        if let Some(Completion { token, result }) = done.pop() {
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

/// A mixed workload of three shards with everything going wrong; the trace it leaves.
fn storm(seed: u64) -> u64 {
    let world = SimWorld::new(seed, SimConfig::faulty());
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
        match draw >> 32 & 15 {
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
fn a_crash_loses_nothing_that_was_synced_and_tears_between_sectors() {
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        write(&world, &mut driver, file, vec![1; 4_096], 0).expect("writes");
        sync(&world, &mut driver, file).expect("syncs");
        write(&world, &mut driver, file, vec![2; 2_048], 4_096).expect("writes");

        world.crash(0);
        driver.submit(Token(1), Op::Fdatasync { file });
        assert_eq!(driver.in_flight(), 0, "the old driver is dead");
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("still there");
        let after = read(&world, &mut driver, file);
        assert!(
            after[..4_096].iter().all(|byte| *byte == 1),
            "lost synced bytes"
        );
        let tail = &after[4_096..];
        for sector in tail.chunks(512) {
            assert!(
                sector.iter().all(|byte| *byte == sector[0]),
                "torn in a sector"
            );
        }
        match tail.iter().filter(|byte| **byte == 2).count() {
            0 => lost += 1,
            2_048 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(lost > 20 && kept > 20 && torn > 20, "{lost} {kept} {torn}");
}

#[test]
fn a_write_under_way_may_reach_the_medium_but_a_sync_does_not_cover_it() {
    let mut seen = [0; 2];
    for seed in 0..100 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        sync(&world, &mut driver, file).expect("syncs");
        // Both under way at once: the sync was submitted before the write had completed.
        let buffer = Bytes::from(vec![3; 100]);
        let op = Op::Write {
            file,
            buffer,
            offset: 0,
        };
        driver.submit(Token(1), op);
        driver.submit(Token(2), Op::Fdatasync { file });
        let mut done = Vec::new();
        while done.len() < 2 {
            world.advance_to(world.next_event().expect("both end"));
            driver.poll(&mut done);
        }
        world.crash(0);
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        let after = read(&world, &mut driver, file);
        seen[usize::from(after.len() == 100)] += 1;
    }
    assert!(seen[0] > 10 && seen[1] > 10, "{seen:?}");
}

#[test]
fn a_failed_sync_is_not_made_good_by_the_next() {
    let mut lost = 0;
    for seed in 0..200 {
        let config = SimConfig {
            sync_error_probability: 0.5,
            ..calm()
        };
        let world = SimWorld::new(seed, config);
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        write(&world, &mut driver, file, vec![1; 100], 0).expect("writes");
        let first = sync(&world, &mut driver, file);
        let second = sync(&world, &mut driver, file);
        assert_eq!(
            read(&world, &mut driver, file).len(),
            100,
            "the cache has it"
        );
        world.crash(0);
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        let there = read(&world, &mut driver, file).len() == 100;
        if first.is_ok() {
            assert!(there, "seed {seed}: a synced write is gone");
        } else if second.is_ok() && !there {
            lost += 1;
        }
    }
    assert!(lost > 10, "the second sync always helps: {lost}");
}

#[test]
fn a_full_disk_says_so() {
    let config = SimConfig {
        disk_bytes: 1_000,
        ..calm()
    };
    let world = SimWorld::new(1, config);
    let mut driver = world.driver(0);
    let file = open(&world, &mut driver, "/log").expect("opens");
    let wrote = write(&world, &mut driver, file, vec![1; 1_500], 0);
    assert_eq!(wrote.expect("as much as fits"), 1_000);
    for offset in [1_000, u64::MAX, 1 << 50] {
        let full = write(&world, &mut driver, file, vec![1; 1], offset);
        assert_eq!(full.expect_err("full").raw_os_error(), Some(libc::ENOSPC));
    }
    // What lies within the file can still be written over.
    assert_eq!(
        write(&world, &mut driver, file, vec![2; 10], 990).expect("fits"),
        10
    );
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
