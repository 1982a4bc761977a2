//! What a log needs of files and names.

use super::*;

#[test]
fn what_is_written_durably_is_all_there() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("f");
        let file = File::open(cx, &path, NEW).await.expect("makes it");
        let text: Bytes = (0..5_000u32).flat_map(u32::to_le_bytes).collect();
        let wrote = file.write_durable(cx, text.clone(), 100).await;
        wrote.expect("writes and syncs");
        let nothing = file.write_durable(cx, Bytes::new(), 0).await;
        nothing.expect("syncs what was written before");
        assert_eq!(file.size(cx).await.expect("open"), 20_100);
        let read = file.read_exact_at(cx, 20_000, 100).await.expect("reads");
        assert!(read == text, "other bytes");
        let beyond = file.read_exact_at(cx, 20_000, 101).await;
        let beyond = beyond.expect_err("one too many");
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        assert!(
            file.read_exact_at(cx, 0, 1 << 40)
                .await
                .expect("none")
                .is_empty()
        );
        file.close(cx).await.expect("closes");

        let file = File::open(cx, &path, READ).await.expect("opens");
        let refused = file.write_durable(cx, Bytes::from_static(b"x"), 0).await;
        assert_eq!(refused.expect_err("read only").raw_os_error(), Some(9));
    });
}

#[test]
fn a_hundred_durable_writes_at_once_all_end() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("g");
        let file = File::open(cx, &path, NEW).await.expect("makes it");
        let left = Cell::new(100);
        let mut writes: Vec<_> = (0..100u64)
            .map(|n| {
                let (file, left) = (&file, &left);
                Box::pin(async move {
                    let bytes = Bytes::from(n.to_le_bytes().to_vec());
                    file.write_durable(cx, bytes, n * 8).await.expect("writes");
                    left.set(left.get() - 1);
                })
            })
            .collect();
        poll_fn(|task| {
            writes.retain_mut(|write| write.as_mut().poll(task).is_pending());
            if left.get() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let expected: Vec<u8> = (0..100u64).flat_map(u64::to_le_bytes).collect();
        assert!(read_to_end(cx, &file).await == expected, "other bytes");
    });
}

#[test]
fn names_are_made_changed_and_removed() {
    on_every_driver(async |cx| {
        let dir = cx.folder.join("dir");
        names::make_dir(cx, &dir).await.expect("makes it");
        let again = names::make_dir(cx, &dir).await.expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert!(again.to_string().contains("dir"), "{again}");

        for (name, text) in [("b", "of b"), ("a", "of a")] {
            let file = File::open(cx, dir.join(name), NEW).await.expect("makes it");
            let wrote = file.write_durable(cx, Bytes::from(text), 0).await;
            wrote.expect("writes");
        }
        let listed = names::list(cx, &dir).await.expect("lists");
        assert_eq!(listed, ["a", "b"]);

        // Over another, whose bytes are gone then.
        let (a, b) = (dir.join("a"), dir.join("b"));
        names::rename(cx, &a, &b).await.expect("renames");
        names::sync_dir(cx, &dir).await.expect("syncs");
        assert_eq!(names::list(cx, &dir).await.expect("lists"), ["b"]);
        let file = File::open(cx, &b, READ).await.expect("opens");
        assert_eq!(read_to_end(cx, &file).await, b"of a");
        let missing = names::rename(cx, &a, &b).await.expect_err("it is gone");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);

        names::remove(cx, &b).await.expect("removes");
        assert!(names::list(cx, &dir).await.expect("lists").is_empty());
        assert_eq!(read_to_end(cx, &file).await, b"of a", "open, it stays");
        let missing = names::remove(cx, &b).await.expect_err("it is gone");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().starts_with("cannot remove "));
        assert!(names::remove(cx, &dir).await.is_err(), "a directory");

        for error in [
            names::list(cx, &b).await.map(drop),
            names::sync_dir(cx, &b).await,
            names::make_dir(cx, b.join("c")).await,
        ] {
            let error = error.expect_err("no such directory");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        let file = File::open(cx, &b, NEW).await.expect("makes it");
        let refused = names::list(cx, &b).await.expect_err("no directory");
        assert_eq!(refused.kind(), io::ErrorKind::NotADirectory);
        let refused = names::sync_dir(cx, &b).await.expect_err("no directory");
        assert_eq!(refused.kind(), io::ErrorKind::NotADirectory);
        file.close(cx).await.expect("closes");
    });
}

#[test]
fn a_new_file_must_be_new() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("h");
        let fresh = OpenOptions {
            read: true,
            write: true,
            create_new: true,
            ..OpenOptions::default()
        };
        let file = File::open(cx, &path, fresh).await.expect("makes it");
        let again = File::open(cx, &path, fresh).await.err().expect("there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        file.close(cx).await.expect("closes");
        let read_only = OpenOptions {
            write: false,
            ..fresh
        };
        let path = cx.folder.join("i");
        let refused = File::open(cx, &path, read_only).await.err();
        let refused = refused.expect("nothing could be written");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn a_locked_file_is_its_openers_alone() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("lock");
        let alone = OpenOptions {
            read: true,
            write: true,
            create: true,
            lock: true,
            ..OpenOptions::default()
        };
        let file = File::open(cx, &path, alone).await.expect("locks it");
        let refused = File::open(cx, &path, alone).await.err().expect("locked");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        // Who doesn't ask for the lock does not see it.
        File::open(cx, &path, READ).await.expect("opens");
        file.close(cx).await.expect("closes");
        let file = File::open(cx, &path, alone).await.expect("free again");
        // Dropped, it is closed soon.
        drop(file);
        let mut tries = 0;
        while let Err(error) = File::open(cx, &path, alone).await {
            tries += 1;
            assert!(tries < 1_000, "never free: {error}");
        }

        let cut = OpenOptions {
            truncate: true,
            ..alone
        };
        let refused = File::open(cx, &path, cut).await.err().expect("dangerous");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn room_is_set_aside() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("j");
        let file = File::open(cx, &path, NEW).await.expect("makes it");
        assert_eq!(file.size(cx).await.expect("open"), 0);
        file.allocate(cx, 0, 10_000).await.expect("there is room");
        assert_eq!(file.size(cx).await.expect("open"), 10_000);
        file.allocate(cx, 5_000, 1_000).await.expect("it has it");
        assert_eq!(file.size(cx).await.expect("open"), 10_000);
        assert!(read_to_end(cx, &file).await.iter().all(|byte| *byte == 0));
        let refused = file.allocate(cx, 0, 0).await.expect_err("nothing");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let file = File::open(cx, &path, READ).await.expect("opens");
        let refused = file.allocate(cx, 0, 1).await.expect_err("read only");
        assert_eq!(refused.raw_os_error(), Some(9));
    });
}

#[test]
fn dropped_durable_writes_and_names_leave_nothing_behind() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("k");
        let file = File::open(cx, &path, NEW).await.expect("makes it");
        let bytes = Bytes::from(vec![1; 1 << 20]);
        start_and_drop(file.write_durable(cx, bytes, 0)).await;
        start_and_drop(file.allocate(cx, 0, 1 << 20)).await;
        start_and_drop(names::rename(cx, &path, cx.folder.join("l"))).await;
        start_and_drop(names::remove(cx, cx.folder.join("m"))).await;
        start_and_drop(names::sync_dir(cx, &cx.folder)).await;
    });
}

#[test]
fn clocks_on_walls_and_unique_words_differ() {
    on_every_driver(async |cx| {
        let mut times = Vec::new();
        let mut words = Vec::new();
        cx.with_driver(&mut |driver| {
            times.push(driver.wall_time());
            words.extend((0..10).map(|_| driver.unique()));
        });
        let year = Duration::from_secs(365 * 24 * 3600);
        assert!(times[0] > 50 * year, "{times:?}");
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 10);
    });
}

#[test]
fn direct_files_go_past_the_cache_where_they_can() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("direct");
        let options = OpenOptions {
            direct: true,
            ..NEW
        };
        let file = match File::open(cx, &path, options).await {
            Ok(file) => file,
            // Not every driver and every file system has them.
            Err(error) => {
                let kind = error.kind();
                let known = [io::ErrorKind::Unsupported, io::ErrorKind::InvalidInput];
                return assert!(known.contains(&kind), "{error}");
            }
        };
        let text: Vec<u8> = (0..3_072u32).flat_map(u32::to_le_bytes).collect();
        let pad = text.as_ptr().align_offset(DIRECT_ALIGN);
        let text = Bytes::from(text).slice(pad..pad + 2 * DIRECT_ALIGN);
        let wrote = file.write_durable(cx, text.clone(), 4_096).await;
        wrote.expect("writes");

        let mut buffer = BytesMut::with_capacity(3 * DIRECT_ALIGN);
        let pad = buffer.as_ptr().align_offset(DIRECT_ALIGN);
        buffer.resize(pad, 0);
        let mut buffer = buffer.split_off(pad);
        let _rest = buffer.split_off(DIRECT_ALIGN);
        let read = file.read_at(cx, buffer, 8_192).await.expect("reads");
        assert!(read == text[DIRECT_ALIGN..], "other bytes");
        file.close(cx).await.expect("closes");
    });
}
