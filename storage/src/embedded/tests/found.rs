//! What fuzzing has found in reading logs, kept as tests: see `tests/fuzz`.

use crate::embedded::fuzzing;

/// Checksums that are right over numbers that no log would write.
#[test]
fn numbers_at_their_ends_are_no_panic() {
    // The next sequence of a segment, of a batch, and a record's own sequence and number.
    for order in [
        [14, 40, 0xfc, 56].as_slice(),
        &[14, 40, 0xff, 0],
        &[14, 32, 0xff, 0],
        &[0, 1, 2, 13, 32, 0xff, 0],
        &[0, 1, 2, 13, 8, 0xff, 0],
        &[0, 1, 2, 12, 8, 0xff, 0, 9],
        &[4, 1, 2, 12, 32, 0xff, 4, 9],
    ] {
        let log = [&fuzzing::sample(0)[..], order].concat();
        fuzzing::segment(&log);
    }
}

/// A record of no events: nothing pointed to it, but the length of its journal.
#[test]
fn a_record_of_no_events_is_none() {
    let log = [&fuzzing::sample(0)[..], &[4, 2, 5, 9, 11, 0, 0, 1, 1, 9]].concat();
    fuzzing::segment(&log);
}

/// A record that is forged to be the fence of a slot: it has a body, and a later fence has none.
#[test]
fn a_fence_with_a_body_is_counted_as_it_was() {
    fuzzing::segment(&[
        0, 5, 5, 23, 9, 4, 1, 22, 8, 13, 22, 3, 6, 22, 9, 0, 10, 21, 7, 13, 21, 9, 6, 9, 20, 1, 14,
        8, 1, 2, 255, 255, 255, 255, 255, 255, 255, 11, 8, 7, 172, 172, 172, 172, 172, 172, 172,
        172, 172, 58, 172, 172, 172, 172, 182, 172, 172, 172, 172, 172, 172, 172, 172, 172, 172,
        172, 172, 172, 172, 172, 172, 172, 172, 172, 6, 43, 30, 5, 40, 30, 11, 0, 6, 52, 29, 8, 58,
        29, 5, 55, 29, 3, 49, 29, 9, 4, 51, 28, 7, 48, 28, 9, 15, 0, 2, 0, 0, 1, 1, 15, 32, 64,
        128,
    ]);
}

#[test]
fn samples_are_read() {
    for seed in 0..60 {
        fuzzing::segment(&fuzzing::sample(seed));
        fuzzing::record(&fuzzing::sample(seed));
        fuzzing::meta(&fuzzing::sample(seed));
        fuzzing::snapshot(&fuzzing::sample(seed));
    }
}

/// Numbers at their ends in a snapshot's header and in its items, under right checksums.
#[test]
fn a_snapshot_that_is_forged_is_no_panic() {
    fuzzing::snapshot(&[1]);
    fuzzing::snapshot(&[2]);
    for block in 0..6 {
        for at in 0..16 {
            for value in [[0xff, 0].as_slice(), &[0xfd, 0], &[0xfc, 40], &[3]] {
                fuzzing::snapshot(&[&[2, block, at], value].concat());
                fuzzing::snapshot(&[&[1, block, at], value].concat());
            }
        }
    }
}
