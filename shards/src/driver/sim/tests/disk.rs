//! Disks that crash, lie and fill up.

use std::path::Path;

use super::*;

const LOCKED: OpenOptions = OpenOptions { lock: true, ..NEW };

#[test]
fn a_crash_loses_nothing_that_was_synced_and_tears_between_sectors() {
    let (mut lost, mut kept, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        sync_names(&world, &mut driver);
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
        sync_names(&world, &mut driver);
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
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        sync_names(&world, &mut driver);
        world.set_config(config);
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
fn a_durable_write_is_there_once_it_is_answered() {
    let mut seen = [0; 4];
    for seed in 0..400 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        sync_names(&world, &mut driver);
        let buffer = Bytes::from(vec![1; 2_048]);
        let offset = 0;
        let op = Op::WriteDurable {
            file,
            buffer,
            offset,
        };
        driver.submit(Token(1), op);
        // Two steps of up to 500 µs each.
        world.advance_to(world.now() + Duration::from_micros(world.random() % 1_100));
        let mut done = Vec::new();
        driver.poll(&mut done);
        let answered = match done.pop().map(|completion| completion.result) {
            None => false,
            Some(Ok(Outcome::Wrote(2_048))) => true,
            other => panic!("{other:?}"),
        };
        world.crash(0);
        let there = world.contents(0, Path::new("/log")).expect("has its name");
        let there = there.iter().filter(|byte| **byte == 1).count();
        if answered {
            assert_eq!(there, 2_048, "seed {seed}: answered and lost");
        }
        seen[match (answered, there) {
            (true, _) => 0,
            (false, 0) => 1,
            (false, 2_048) => 2,
            (false, _) => 3,
        }] += 1;
    }
    assert!(seen.into_iter().all(|count| count > 20), "{seen:?}");
}

#[test]
fn a_durable_write_fails_at_either_step_or_falls_short() {
    let world = SimWorld::new(1, calm());
    let mut driver = world.driver(0);
    let file = open(&world, &mut driver, "/log").expect("opens");
    let text = vec![1; 1_000];
    for config in [
        SimConfig {
            write_error_probability: 1.0,
            ..calm()
        },
        SimConfig {
            sync_error_probability: 1.0,
            ..calm()
        },
    ] {
        world.set_config(config);
        let failed = write_durable(&world, &mut driver, file, text.clone(), 0);
        assert_eq!(code(failed.expect_err("broken")), libc::EIO);
    }
    let counts = world.counts();
    assert_eq!((counts.write_errors, counts.sync_errors), (1, 1));
    assert_eq!(world.contents(0, Path::new("/log")), Some(text.clone()));

    // A short one never comes to its sync.
    world.set_config(SimConfig {
        short_probability: 1.0,
        sync_error_probability: 1.0,
        ..calm()
    });
    let short = write_durable(&world, &mut driver, file, text, 0).expect("some of it");
    assert!(short < 1_000);
    assert_eq!((world.counts().short, world.counts().sync_errors), (1, 1));
}

#[test]
fn a_disk_that_lies_says_yes_and_loses() {
    let (mut lost, mut saved) = (0, 0);
    for seed in 0..100 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        sync_names(&world, &mut driver);
        world.set_config(SimConfig {
            sync_lost_probability: 1.0,
            ..calm()
        });
        let wrote = write_durable(&world, &mut driver, file, vec![1; 100], 0);
        assert_eq!(wrote.expect("so it says"), 100);
        assert_eq!(world.counts().syncs_lost, 1);
        let honest = seed % 2 == 0;
        if honest {
            world.set_config(calm());
            sync(&world, &mut driver, file).expect("syncs");
        }
        world.crash(0);
        let there = world.contents(0, Path::new("/log")).expect("has its name");
        if honest {
            assert_eq!(there.len(), 100, "seed {seed}");
            saved += 1;
        } else if there.is_empty() {
            lost += 1;
        }
    }
    assert!(lost > 10 && saved == 50, "{lost} {saved}");
}

#[test]
fn a_misdirected_write_lands_sectors_away() {
    for seed in 0..50 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let file = open(&world, &mut driver, "/log").expect("opens");
        write(&world, &mut driver, file, vec![1; 8_192], 0).expect("writes");
        world.set_config(SimConfig {
            misdirected_write_probability: 1.0,
            ..calm()
        });
        let wrote = write(&world, &mut driver, file, vec![2; 100], 1_000);
        assert_eq!(wrote.expect("so it says"), 100);
        assert_eq!(world.counts().misdirected, 1);
        let bytes = world.contents(0, Path::new("/log")).expect("there");
        assert_eq!(bytes.len(), 8_192);
        assert!(bytes[1_000..1_100].iter().all(|byte| *byte == 1));
        let at = bytes.iter().position(|byte| *byte == 2).expect("elsewhere");
        assert_eq!(at % 512, 1_000 % 512);
        assert!(bytes[at..].iter().take(100).all(|byte| *byte == 2));
    }
}

#[test]
fn a_lock_keeps_others_out_until_its_file_is_closed() {
    let world = SimWorld::new(1, calm());
    let (mut one, mut two) = (world.driver(0), world.driver(1));
    let locked = || Op::Open {
        path: path("/lock"),
        options: LOCKED,
    };
    let Ok(Outcome::Opened(handle)) = run(&world, &mut one, locked()) else {
        panic!("did not open");
    };
    for driver in [&mut one, &mut two] {
        let refused = run(&world, driver, locked()).expect_err("locked");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }
    // Another node has another disk.
    run(&world, &mut world.driver_on(1, 9), locked()).expect("its own");

    // A write under way holds the file open.
    let op = Op::WriteDurable {
        file: handle,
        buffer: Bytes::from_static(b"text"),
        offset: 0,
    };
    one.submit(Token(1), op);
    one.submit(Token(2), Op::Close { handle });
    let mut refused = 0;
    let mut done = Vec::new();
    while run(&world, &mut two, locked()).is_err() {
        refused += 1;
    }
    one.poll(&mut done);
    assert!(refused > 0 && one.in_flight() == 0, "{refused}: {done:?}");

    // And so is what a dead process had.
    drop(two);
    run(&world, &mut one, locked()).expect("free again");
    world.crash(0);
    sync_names(&world, &mut world.driver(0));
    run(&world, &mut world.driver(1), locked()).expect("free again");
}

#[test]
fn room_that_is_set_aside_is_there_when_the_disk_is_full() {
    let config = SimConfig {
        disk_bytes: 10_000,
        ..calm()
    };
    let world = SimWorld::new(1, config.clone());
    let mut driver = world.driver(0);
    let file = open(&world, &mut driver, "/log").expect("opens");
    let allocate = |offset, len| Op::Allocate { file, offset, len };
    run(&world, &mut driver, allocate(0, 8_000)).expect("fits");
    for (offset, len) in [(8_000, 2_001), (0, 1 << 50)] {
        let full = run(&world, &mut driver, allocate(offset, len)).expect_err("too much");
        assert_eq!(code(full), libc::ENOSPC);
    }
    let far = run(&world, &mut driver, allocate(u64::MAX, 1)).expect_err("no such place");
    assert_eq!(code(far), libc::EFBIG);

    world.set_config(SimConfig {
        no_space_probability: 1.0,
        ..config
    });
    for offset in (0..8_000).step_by(1_000) {
        let wrote = write_durable(&world, &mut driver, file, vec![1; 1_000], offset);
        assert_eq!(wrote.expect("it is its own room"), 1_000);
    }
    let beyond = write(&world, &mut driver, file, vec![1; 1_000], 7_500);
    assert_eq!(beyond.expect("what is inside"), 500);
    let full = write(&world, &mut driver, file, vec![1; 1_000], 8_000);
    assert_eq!(code(full.expect_err("full")), libc::ENOSPC);
    assert_eq!(world.counts().no_space, 3);

    // Room comes back when the disk grows, and when a file is removed.
    world.set_config(calm());
    world.set_disk_bytes(9_000);
    let wrote = write(&world, &mut driver, file, vec![1; 2_000], 8_000);
    assert_eq!(wrote.expect("half"), 1_000);
    let other = open(&world, &mut driver, "/other").expect("opens");
    let full = write(&world, &mut driver, other, vec![1; 1], 0);
    assert_eq!(code(full.expect_err("full")), libc::ENOSPC);
    let op = Op::Remove { path: path("/log") };
    run(&world, &mut driver, op).expect("removes");
    let wrote = write(&world, &mut driver, other, vec![1; 9_000], 0);
    assert_eq!(wrote.expect("all"), 9_000);
    // Who has the removed file open can still read it.
    assert_eq!(read(&world, &mut driver, file).len(), 9_000);
}

#[test]
fn a_test_can_harm_a_file() {
    let world = SimWorld::new(1, calm());
    let mut driver = world.driver(0);
    make(&world, &mut driver, "/b", b"bbbb");
    make(&world, &mut driver, "/a", b"aaaa");
    sync_names(&world, &mut driver);
    assert_eq!(world.files(0), [path("/a"), path("/b")]);
    assert!(world.files(7).is_empty());
    let (a, missing) = (Path::new("/a"), Path::new("/c"));
    assert!(world.flip_bit(0, a, 1, 1) && world.cut(0, a, 3));
    assert!(!world.flip_bit(0, a, 3, 1) && !world.flip_bit(0, missing, 0, 0));
    assert!(!world.cut(0, missing, 0));
    world.crash(0);
    assert_eq!(world.contents(0, a).as_deref(), Some(&b"aca"[..]));
    assert_eq!(world.contents(0, missing), None);
}

#[test]
fn direct_files_want_everything_aligned() {
    let world = SimWorld::new(1, calm());
    let mut driver = world.driver(0);
    let op = Op::Open {
        path: path("/log"),
        options: OpenOptions {
            direct: true,
            ..NEW
        },
    };
    let Ok(Outcome::Opened(file)) = run(&world, &mut driver, op) else {
        panic!("did not open");
    };
    let page = vec![1; 3 * 4_096];
    let pad = page.as_ptr().align_offset(4_096);
    let page = Bytes::from(page).slice(pad..pad + 8_192);
    world.set_config(SimConfig {
        short_probability: 1.0,
        ..calm()
    });
    for (buffer, offset, fits) in [
        (page.clone(), 4_096, true),
        (page.slice(1..), 0, false),
        (page.slice(..100), 0, false),
        (page.clone(), 512, false),
    ] {
        let op = Op::Write {
            file,
            buffer,
            offset,
        };
        match run(&world, &mut driver, op) {
            Ok(Outcome::Wrote(count)) => assert!(fits && count == 4_096, "{count}"),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(!fits && code(error) == libc::EINVAL),
        }
    }
}

#[test]
fn the_time_of_day_goes_with_the_clock_and_can_be_wrong() {
    let world = SimWorld::new(1, calm());
    let (mut here, mut there) = (world.driver(0), world.driver_on(1, 1));
    let start = here.wall_time();
    assert_eq!(start, Duration::from_secs(1_767_225_600));
    world.stall(Duration::from_secs(3));
    assert_eq!(here.wall_time() - start, Duration::from_secs(3));
    world.set_wall_skew(1, -2_000_000_000);
    assert_eq!(there.wall_time() - start, Duration::from_secs(1));
    world.set_wall_skew(1, 2_000_000_000);
    assert_eq!(there.wall_time() - start, Duration::from_secs(5));
    assert_eq!(here.wall_time() - start, Duration::from_secs(3));

    // From the seed, like everything.
    let word = here.unique();
    assert_ne!(word, there.unique());
    assert_eq!(SimWorld::new(1, calm()).driver(0).unique(), word);
    assert_ne!(SimWorld::new(2, calm()).driver(0).unique(), word);
}
