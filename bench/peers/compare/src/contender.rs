//! Who takes part: Quark with each idle policy, and each peer in each of its modes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::process;

/// One way that a program can be set up. Quark's modes are its idle policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) mode: String,
    /// Whether its threads spin while they have nothing to do.
    pub(crate) spins: bool,
    /// Whether actors run on the cores that they are put on; else a pool runs them where it likes.
    #[serde(default = "usually")]
    pub(crate) places: bool,
    /// Whether its actors are found and made by key.
    pub(crate) is_virtual: bool,
    /// What its mailboxes hold.
    pub(crate) mailbox: String,
    pub(crate) version: String,
    pub(crate) program: PathBuf,
}

pub(crate) const QUARK: &str = "Quark";
/// Time to say who one is: a virtual machine may have to start for that.
const PATIENCE: Duration = Duration::from_secs(20);

impl Contender {
    pub(crate) fn is_quark(&self) -> bool {
        self.name == QUARK
    }

    /// As tables and charts call it.
    pub(crate) fn title(&self) -> String {
        if self.is_quark() {
            format!("{QUARK}, {}", self.mode)
        } else {
            format!("{} ({})", self.name, self.mode)
        }
    }

    /// The arguments that have it run `workload`. How long Quark activates and idles is its own
    /// affair: the one is a number of keys, the other a time that everyone keeps.
    pub(crate) fn arguments(&self, workload: &str, seconds: f64) -> Vec<String> {
        let mut arguments: Vec<&str> = Vec::new();
        let seconds = seconds.to_string();
        if self.is_quark() {
            arguments.extend(["run", workload, "--idle", &self.mode, "--format", "json"]);
            if !crate::figures::is_slow(workload) {
                arguments.extend(["--seconds", &seconds]);
            }
        } else {
            arguments.extend([workload, "--mode", &self.mode, "--seconds", &seconds]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }
}

/// Quark with each of its two plain idle policies.
pub(crate) fn quark(program: &Path) -> [Contender; 2] {
    let version = process::first_line(program, &["--version"], PATIENCE);
    let version = version.unwrap_or_else(|_| "unknown".to_owned());
    let version = version.rsplit(' ').next().unwrap_or_default().to_owned();
    ["spin", "park"].map(|mode| Contender {
        name: QUARK.to_owned(),
        mode: mode.to_owned(),
        spins: mode == "spin",
        places: true,
        is_virtual: true,
        mailbox: "1,024".to_owned(),
        version: version.clone(),
        program: program.to_owned(),
    })
}

/// A peer in each of its modes, by what its program says of it.
pub(crate) fn peer(program: &Path) -> Result<Vec<Contender>, Error> {
    let described = process::first_line(program, &["--describe"], PATIENCE);
    described
        .and_then(|line| modes_of(&line, program))
        .map_err(|why| Error::NoDescription {
            program: program.to_owned(),
            why,
        })
}

fn modes_of(line: &str, program: &Path) -> Result<Vec<Contender>, String> {
    let said: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |from: &Value, name: &str| {
        let text = from.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or(format!("no text \"{name}\""))
    };
    let flag = |from: &Value, name: &str| {
        let flag = from.get(name).and_then(Value::as_bool);
        flag.ok_or(format!("no true or false \"{name}\""))
    };
    let modes = said.get("modes").and_then(Value::as_array);
    let modes = modes.filter(|modes| !modes.is_empty()).ok_or("no modes")?;
    let contender = |mode: &Value| {
        Ok(Contender {
            name: text(&said, "peer")?,
            mode: text(mode, "name")?,
            spins: flag(mode, "spins")?,
            // Only said where it does not hold.
            places: flag(mode, "places").unwrap_or_else(|_| usually()),
            is_virtual: flag(&said, "is_virtual")?,
            mailbox: text(&said, "mailbox")?,
            version: text(&said, "version")?,
            program: program.to_owned(),
        })
    };
    modes.iter().map(contender).collect()
}

fn usually() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_contender_for_each_mode() {
        let line = r#"{"peer":"acme","version":"1.2.3","is_virtual":false,"mailbox":"64",
            "modes":[{"name":"one","spins":false},{"name":"hot","spins":true,"places":false}]}"#;
        let found = modes_of(line, Path::new("peer-acme")).unwrap();
        let titles: Vec<_> = found.iter().map(Contender::title).collect();
        assert_eq!(titles, ["acme (one)", "acme (hot)"]);
        assert!(found[1].spins && !found[1].is_virtual);
        assert!(found[0].places && !found[1].places);
        assert_eq!(
            found[1].arguments("ring", 0.3),
            ["ring", "--mode", "hot", "--seconds", "0.3"]
        );
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for (line, why) in [
            ("", "EOF"),
            ("[1]", "no modes"),
            (r#"{"modes":[]}"#, "no modes"),
            (r#"{"modes":[{}],"peer":"x"}"#, "no text \"name\""),
            (r#"{"modes":[{"name":"a","spins":1}],"peer":"x"}"#, "spins"),
        ] {
            let error = modes_of(line, Path::new("x")).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn quark_keeps_its_own_time_where_everyone_does() {
        let [spin, park] = quark(Path::new("/nowhere/quark-bench"));
        assert_eq!(spin.title(), "Quark, spin");
        assert!(spin.spins && !park.spins);
        let ring = ["run", "ring", "--idle", "park", "--format", "json"];
        let timed = park.arguments("ring", 0.5);
        assert_eq!(timed[..6], ring);
        assert_eq!(timed[6..], ["--seconds", "0.5"]);
        assert!(!park.arguments("idle", 0.5).contains(&"0.5".to_owned()));
    }
}
