//! A counter that outlives its process: this program starts itself, kills it in mid-count, three
//! times, and starts it again. No count that was acknowledged is ever lost.
//!
//! `cargo run --example durable` does all that in a directory of its own;
//! `cargo run --example durable -- count DIR` counts in DIR until you kill it, however you like.

#![allow(missing_docs, clippy::print_stdout)]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use quark::StateError;
use quark::prelude::*;

#[derive(Default, Stateful)]
pub struct Counter {
    #[state]
    count: State<u64>,
}

#[actor]
impl Counter {
    pub async fn add(&mut self) -> Result<u64, StateError> {
        *self.count += 1;
        self.count.save().await?; // on disk when this returns
        Ok(*self.count)
    }
}

/// Counts until somebody kills it; each line is a count that is on disk.
fn count(directory: &Path) -> Result<(), Box<dyn Error>> {
    let topology = Topology::detect()?.shards(1);
    let store = Store::directory(directory);
    let engine = Engine::builder().topology(topology).store(store).launch()?;
    let counter = engine.actor::<Counter>("visits");
    loop {
        println!("{}", counter.add().wait()?);
    }
}

/// Starts a process that counts, and kills it when it has counted so far; gives the first and the
/// last count that it acknowledged.
fn kill_at(directory: &Path, counts: usize) -> Result<(u64, u64), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["count".as_ref(), directory.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or("it has no output")?;
    let mut acknowledged = Vec::new();
    for line in BufReader::new(said).lines() {
        acknowledged.push(line?.parse()?);
        if acknowledged.len() == counts {
            child.kill()?; // SIGKILL: nothing is tidied up
        }
    }
    child.wait()?;
    match (acknowledged.first(), acknowledged.last()) {
        (Some(first), Some(last)) => Ok((*first, *last)),
        _ => Err("it has counted nothing".into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, directory] = &arguments[..]
        && verb == "count"
    {
        return count(Path::new(directory));
    }
    let directory = tempfile::tempdir_in(".")?;
    let mut before = 0;
    for counts in [1, 20, 200] {
        let (first, last) = kill_at(directory.path(), counts)?;
        println!("from {first} to {last}, then killed");
        // One that was not acknowledged any more may have been saved.
        assert!(
            first == before + 1 || first == before + 2,
            "{before} was acknowledged"
        );
        before = last;
    }
    Ok(())
}
