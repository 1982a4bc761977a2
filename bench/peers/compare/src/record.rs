//! What was seen, line by line, so that tables can be written anew from it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contender::Contender;
use crate::error::Error;
use crate::machine::Machine;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub(crate) enum Record {
    Head(Head),
    Contender(Contender),
    Run(Run),
    Round(Round),
}

/// Where and how everything was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) machine: Machine,
    /// In UTC, when it began.
    pub(crate) date: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
}

/// One process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) round: u32,
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) workload: String,
    /// A cache line's round trip between the two cores, before and after.
    pub(crate) floors_ns: Option<(f64, f64)>,
    /// What it printed.
    pub(crate) line: Option<Value>,
    /// Why it printed nothing.
    pub(crate) failed: Option<String>,
}

/// The end of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) round: u32,
    pub(crate) seconds: f64,
    pub(crate) load: f64,
    pub(crate) steal_percent: f64,
}

/// Keeps records as they come, in a file too.
pub(crate) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    records: Vec<Record>,
}

impl Recorder {
    pub(crate) fn new(path: PathBuf) -> Result<Self, Error> {
        match File::create(&path) {
            Ok(file) => Ok(Recorder {
                path,
                file: BufWriter::new(file),
                records: Vec::new(),
            }),
            Err(source) => Err(Error::Write { path, source }),
        }
    }

    /// Written at once: what was measured must not be lost with what comes later.
    pub(crate) fn keep(&mut self, record: Record) -> Result<(), Error> {
        let written = serde_json::to_string(&record)
            .map_err(std::io::Error::from)
            .and_then(|line| writeln!(self.file, "{line}"))
            .and_then(|()| self.file.flush());
        written.map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })?;
        self.records.push(record);
        Ok(())
    }

    pub(crate) fn end(self) -> Vec<Record> {
        self.records
    }
}

/// The records of an earlier run.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, why)| Error::NoRecord {
        path: path.to_owned(),
        line,
        why,
    })
}

fn parse(text: &str) -> Result<Vec<Record>, (usize, String)> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let record = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| (index + 1, error.to_string()))
    };
    lines.map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let run = Record::Run(Run {
            round: 2,
            name: "acme".to_owned(),
            mode: "one".to_owned(),
            workload: "ring".to_owned(),
            floors_ns: Some((110.5, 499.0)),
            line: Some(serde_json::json!({"figures": {"hop_ns": 1.5}})),
            failed: None,
        });
        let line = serde_json::to_string(&run).unwrap();
        let read = parse(&format!("{line}\n\n{line}\n")).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(serde_json::to_string(&read[1]).unwrap(), line);
    }

    #[test]
    fn what_is_no_record_is_named() {
        let (line, why) = parse("\n{\"record\":\"feast\"}").unwrap_err();
        assert_eq!(line, 2);
        assert!(why.contains("feast"), "{why}");
        assert!(parse("{").is_err());
    }
}
