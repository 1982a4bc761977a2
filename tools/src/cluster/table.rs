//! What is shown of a cluster: a line for each node.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// A cluster at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shown {
    /// The process that has started it.
    pub(super) starter: u32,
    pub(super) cluster: String,
    pub(super) redis: String,
    /// The newest version of the cluster's table that a node has.
    pub(super) version: u64,
    pub(super) nodes: Vec<Row>,
}

/// A node at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) number: u16,
    pub(super) name: String,
    /// Nothing once it has ended.
    pub(super) process: Option<u32>,
    /// Where its first shard listens, once that is known.
    pub(super) address: Option<String>,
    pub(super) state: State,
    /// How many slots it owns, by the newest version of the table.
    pub(super) slots: usize,
    pub(super) calls_per_second: f64,
    pub(super) actors: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    Starting,
    Serving,
    /// It has no lease, or no slots.
    Waiting,
    Paused,
    Leaving,
    /// How.
    Ended(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Starting => "starting",
            State::Serving => "serving",
            State::Waiting => "waiting",
            State::Paused => "paused",
            State::Leaving => "leaving",
            State::Ended(how) => how,
        })
    }
}

impl Shown {
    /// What there is to say of the cluster as a whole: a line.
    pub(super) fn heading(&self) -> String {
        let (cluster, version) = (&self.cluster, self.version);
        format!("cluster {cluster}, version {version} of its table\n")
    }

    /// The nodes below what the columns are.
    pub(super) fn table(&self) -> String {
        let name = self.widest(|row| row.name.len(), "node");
        let address = self.widest(|row| row.address.as_ref().map_or(1, String::len), "address");
        let state = self.widest(|row| row.state.to_string().len(), "state");
        let mut text = format!(
            "{:<name$}  {:>7}  {:<address$}  {:<state$}  {:>6}  {:>8}  {:>7}\n",
            "node", "pid", "address", "state", "slots", "calls/s", "actors"
        );
        for row in &self.nodes {
            let process = row.process.map_or("-".to_owned(), |id| id.to_string());
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{:<name$}  {process:>7}  {:<address$}  {:<state$}  {:>6}  {:>8.0}  {:>7}",
                row.name,
                row.address.as_deref().unwrap_or("-"),
                row.state.to_string(),
                row.slots,
                row.calls_per_second,
                row.actors,
            );
        }
        text
    }

    fn widest(&self, width: impl Fn(&Row) -> usize, title: &str) -> usize {
        let rows = self.nodes.iter().map(width);
        rows.max().unwrap_or(0).max(title.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |number: u16, state, address: Option<&str>| Row {
            number,
            name: format!("node-{number}"),
            process: Some(7),
            address: address.map(str::to_owned),
            state,
            slots: 65_536,
            calls_per_second: 1234.4,
            actors: 5,
        };
        let shown = Shown {
            starter: 1,
            cluster: "quark".to_owned(),
            redis: "redis://localhost".to_owned(),
            version: 3,
            nodes: vec![
                row(1, State::Ended("killed by signal 9".to_owned()), None),
                row(10, State::Serving, Some("127.0.0.1:65535")),
            ],
        };
        let table = shown.table();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{table}"
        );
        assert!(
            lines[2].contains("1234") && lines[2].contains("65536"),
            "{table}"
        );
    }
}
