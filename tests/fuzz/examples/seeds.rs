//! Writes inputs that the searches may begin with, into `corpus` beside this workspace's manifest.

use std::fs;
use std::io;
use std::path::Path;

use quark_storage::embedded::fuzzing::sample;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let segments = corpus.join("segment");
    fs::create_dir_all(&segments)?;
    for seed in 0..=60 {
        fs::write(segments.join(format!("sample{seed}")), sample(seed))?;
    }
    Ok(())
}
