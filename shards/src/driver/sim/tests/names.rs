//! Which names survive a crash.

use std::path::Path;

use super::*;

#[test]
fn a_name_is_durable_once_its_directory_is_synced() {
    let (mut made, mut removed) = ([0; 2], [0; 2]);
    for seed in 0..100 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let dir = path("/dir");
        run(&world, &mut driver, Op::MakeDir { path: dir.clone() }).expect("makes it");
        sync_names(&world, &mut driver);
        make(&world, &mut driver, "/dir/old", b"old");
        make(&world, &mut driver, "/dir/gone", b"gone");
        let op = Op::Remove {
            path: path("/dir/gone"),
        };
        run(&world, &mut driver, op).expect("removes");
        run(&world, &mut driver, Op::SyncDir { path: dir }).expect("syncs");

        // Neither of these is synced.
        make(&world, &mut driver, "/dir/new", b"new");
        let op = Op::Remove {
            path: path("/dir/old"),
        };
        run(&world, &mut driver, op).expect("removes");
        assert_eq!(world.files(0), [path("/dir/new")]);

        world.crash(0);
        let there = |name: &str| world.contents(0, Path::new(name));
        assert_eq!(there("/dir/gone"), None, "seed {seed}: it came back");
        made[usize::from(there("/dir/new").is_some())] += 1;
        removed[usize::from(there("/dir/old").is_none())] += 1;
        // What has a name has all that was synced.
        for (name, bytes) in [("/dir/new", b"new"), ("/dir/old", b"old")] {
            assert!(there(name).is_none_or(|there| there == bytes), "{name}");
        }
    }
    assert!(made.into_iter().all(|count| count > 20), "{made:?}");
    assert!(removed.into_iter().all(|count| count > 20), "{removed:?}");
}

#[test]
fn what_is_in_a_directory_without_a_name_is_lost_with_it() {
    let mut lost = 0;
    for seed in 0..50 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let dir = path("/dir");
        run(&world, &mut driver, Op::MakeDir { path: dir.clone() }).expect("makes it");
        make(&world, &mut driver, "/dir/a", b"a");
        run(&world, &mut driver, Op::SyncDir { path: dir.clone() }).expect("syncs");
        world.crash(0);
        let mut driver = world.driver(0);
        let listed = run(&world, &mut driver, Op::List { path: dir });
        match listed {
            Ok(Outcome::Names(names)) => assert_eq!(names, ["a"]),
            Err(error) => {
                assert_eq!(code(error), libc::ENOENT);
                assert!(world.files(0).is_empty());
                lost += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((10..40).contains(&lost), "{lost}");
}

#[test]
fn a_rename_happens_or_not() {
    for synced in [false, true] {
        let mut seen = [0; 2];
        for seed in 0..100 {
            let world = SimWorld::new(seed, calm());
            let mut driver = world.driver(0);
            make(&world, &mut driver, "/state", b"old");
            sync_names(&world, &mut driver);
            make(&world, &mut driver, "/state.new", b"new");
            let op = Op::Rename {
                from: path("/state.new"),
                to: path("/state"),
            };
            run(&world, &mut driver, op).expect("renames");
            if synced {
                sync_names(&world, &mut driver);
            }
            world.crash(0);
            let state = world.contents(0, Path::new("/state"));
            let state = state.unwrap_or_else(|| panic!("seed {seed}: both are lost"));
            assert!(state == b"old" || state == b"new", "seed {seed}: {state:?}");
            seen[usize::from(state == b"new")] += 1;
            if state == b"new" {
                assert_eq!(world.files(0), [path("/state")], "one file, two names");
            }
        }
        match synced {
            true => assert_eq!(seen, [0, 100]),
            false => assert!(seen.into_iter().all(|count| count > 20), "{seen:?}"),
        }
    }
}

#[test]
fn a_rename_between_directories_takes_one_name_and_gives_the_other() {
    for synced in ["/a", "/b"] {
        let world = SimWorld::new(1, calm());
        let mut driver = world.driver(0);
        for dir in ["/a", "/b"] {
            run(&world, &mut driver, Op::MakeDir { path: path(dir) }).expect("makes it");
        }
        sync_names(&world, &mut driver);
        make(&world, &mut driver, "/a/file", b"text");
        let op = Op::Rename {
            from: path("/a/file"),
            to: path("/b/file"),
        };
        run(&world, &mut driver, op).expect("renames");
        let op = Op::SyncDir { path: path(synced) };
        run(&world, &mut driver, op).expect("syncs");
        world.crash(0);
        assert_eq!(world.files(0), [path("/b/file")]);
    }
    let world = SimWorld::new(1, calm());
    let mut driver = world.driver(0);
    run(&world, &mut driver, Op::MakeDir { path: path("/a") }).expect("makes it");
    make(&world, &mut driver, "/file", b"text");
    for (from, to, refused) in [
        ("/a", "/a/b", libc::EINVAL),
        ("/a", "/file", libc::ENOTDIR),
        ("/file", "/a", libc::EISDIR),
        ("/file", "/b/file", libc::ENOENT),
    ] {
        let (from, to) = (path(from), path(to));
        let error = run(&world, &mut driver, Op::Rename { from, to }).expect_err("refused");
        assert_eq!(code(error), refused);
    }
}

#[test]
fn when_all_directories_are_synced_a_crash_changes_no_name() {
    for seed in 0..200 {
        let world = SimWorld::new(seed, calm());
        let mut driver = world.driver(0);
        let directories = ["/a", "/b", "/"];
        for dir in &directories[..2] {
            run(&world, &mut driver, Op::MakeDir { path: path(dir) }).expect("makes it");
        }
        let any = || {
            let dir = directories[world.random() as usize % 3];
            path(dir).join((world.random() % 3).to_string())
        };
        for _ in 0..60 {
            let op = match world.random() % 5 {
                0 => Op::Open {
                    path: any(),
                    options: NEW,
                },
                1 | 2 => Op::Rename {
                    from: any(),
                    to: any(),
                },
                3 => Op::Remove { path: any() },
                _ => Op::SyncDir {
                    path: path(directories[world.random() as usize % 3]),
                },
            };
            if let Ok(Outcome::Opened(file)) = run(&world, &mut driver, op) {
                // So that each can be told from the others.
                let name = world.random().to_le_bytes().to_vec();
                write_durable(&world, &mut driver, file, name, 0).expect("writes");
                run(&world, &mut driver, Op::Close { handle: file }).expect("closes");
            }
        }
        let see = || -> Vec<_> {
            let files = world.files(0).into_iter();
            files.map(|file| (world.contents(0, &file), file)).collect()
        };
        let first = world.random() as usize % 3;
        for turn in 0..3 {
            let path = path(directories[(first + turn) % 3]);
            run(&world, &mut driver, Op::SyncDir { path }).expect("syncs");
        }
        let before = see();
        world.crash(0);
        assert_eq!(see(), before, "seed {seed}");
    }
}
