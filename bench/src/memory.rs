//! This process's memory: how much is resident, and how to have the machine give it early.

use std::fs;

/// Bytes of memory resident now; 0 where the system will not say.
#[must_use]
pub fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    resident_pages(&statm) * rustix::param::page_size() as u64
}

/// Touches so many bytes and gives them back, so that a workload which grows is not charged for
/// the host's first touch of idle memory (ten times an ordinary page fault on rented machines).
pub fn touch(bytes: usize) {
    /// Freed piece by piece at the end, and small enough for any machine to have one whole.
    const PIECE: usize = 16 << 20;
    let page = rustix::param::page_size();
    let mut pieces = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(PIECE);
        let mut piece = Vec::new();
        if piece.try_reserve_exact(size).is_err() {
            return;
        }
        piece.resize(size, 0_u8);
        for byte in piece.iter_mut().step_by(page) {
            *byte = 1;
        }
        pieces.push(std::hint::black_box(piece));
        left -= size;
    }
}

fn resident_pages(statm: &str) -> u64 {
    statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_is_resident() {
        let before = resident();
        assert!(before > 0);
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(
            resident() >= before + (48 << 20),
            "{before} then {}",
            resident()
        );
        drop(held);
        touch(40 << 20);
    }

    #[test]
    fn an_odd_statm_is_zero() {
        assert_eq!(resident_pages("100 42 7 1 0 5 0"), 42);
        assert_eq!(resident_pages(""), 0);
        assert_eq!(resident_pages("x y"), 0);
    }
}
