//! The process's memory, and processor time.

use std::hint::black_box;
use std::time::Duration;

/// Bytes of memory that the process holds.
///
/// # Panics
/// If the system does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split_ascii_whitespace().nth(1).expect("Linux");
    pages.parse::<u64>().expect("Linux") * 4096
}

/// Touches a GiB and gives it back to the allocator: hosts are slow to hand memory out, and what
/// they need for that is no peer's fault.
pub fn touch() {
    let mut held = Vec::new();
    for _ in 0..16_384 {
        held.push(black_box(vec![1_u8; 64 << 10]));
    }
    drop(black_box(held));
}

/// Processor time that the process has used.
///
/// # Panics
/// If the system does not say.
#[must_use]
pub fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit_once(')').expect("Linux").1;
    let ticks = |field: usize| -> u64 {
        let text = fields.split_ascii_whitespace().nth(field).expect("Linux");
        text.parse().expect("Linux")
    };
    // User and system time, in hundredths of a second on every Linux.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Processor time used while nothing is done for `while_idle`, in percent of one core.
#[must_use]
pub fn idle_percent(while_idle: Duration) -> f64 {
    let before = processor_time();
    std::thread::sleep(while_idle);
    let used = processor_time() - before;
    used.as_secs_f64() / while_idle.as_secs_f64() * 100.0
}
