//! The rounds: everyone's turn at each workload, again and again.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::cli::Options;
use crate::contender::{self, Contender};
use crate::error::Error;
use crate::figures;
use crate::floor;
use crate::machine::{self, Machine, Steal};
use crate::process;
use crate::progress::Progress;
use crate::record::{Head, Record, Recorder, Round, Run};

/// Runs all that is asked for; keeps it in runs.jsonl.
pub(crate) fn run(options: &Options) -> Result<Vec<Record>, Error> {
    let contenders = contenders(options)?;
    std::fs::create_dir_all(&options.out).map_err(|source| Error::Write {
        path: options.out.clone(),
        source,
    })?;
    let mut recorder = Recorder::new(options.out.join("runs.jsonl"))?;
    recorder.keep(Record::Head(head(options)))?;
    for contender in &contenders {
        recorder.keep(Record::Contender(contender.clone()))?;
    }
    let turns = turns(options);
    let mut progress = Progress::begin(&turns, contenders.len(), options.seconds);
    let mut lost: Vec<(usize, &str)> = Vec::new();
    let mut before = floor::round_trip_ns();
    let (all_begun, mut last) = (Instant::now(), Duration::ZERO);
    let most = Duration::from_secs(60 * options.minutes);
    for round in 1..=options.rounds {
        if round > 1 && all_begun.elapsed() + last > most {
            progress.cut_short(round);
            break;
        }
        let (begun, steal) = (Instant::now(), Steal::begin());
        for (_, workload) in turns.iter().filter(|(in_round, _)| *in_round == round) {
            for (index, contender) in contenders.iter().enumerate() {
                progress.next(round, workload, contender);
                if lost.contains(&(index, workload)) {
                    continue;
                }
                let said = one(contender, workload, options);
                let after = floor::round_trip_ns();
                if let Err(why) = &said {
                    progress.trouble(workload, contender, why);
                    if why.starts_with("timed out") && !contender.is_quark() {
                        lost.push((index, workload));
                    }
                }
                let (line, failed) = match said {
                    Ok(line) => (Some(line), None),
                    Err(why) => (None, Some(why)),
                };
                recorder.keep(Record::Run(Run {
                    round,
                    name: contender.name.clone(),
                    mode: contender.mode.clone(),
                    workload: (*workload).to_owned(),
                    floors_ns: before.zip(after),
                    line,
                    failed,
                }))?;
                before = after;
            }
        }
        last = begun.elapsed();
        recorder.keep(Record::Round(Round {
            round,
            seconds: last.as_secs_f64(),
            load: machine::load(),
            steal_percent: steal.percent(),
        }))?;
    }
    progress.end();
    Ok(recorder.end())
}

/// One process; what it printed.
fn one(contender: &Contender, workload: &str, options: &Options) -> Result<Value, String> {
    let arguments = contender.arguments(workload, options.seconds);
    let patience = Duration::from_secs(options.limit);
    let line = process::first_line(&contender.program, &arguments, patience)?;
    serde_json::from_str(&line).map_err(|_| "printed no JSON line".to_owned())
}

fn contenders(options: &Options) -> Result<Vec<Contender>, Error> {
    let mut all = Vec::new();
    if let Some(program) = &options.quark {
        all.extend(contender::quark(program));
    }
    for program in &options.programs {
        all.extend(contender::peer(program)?);
    }
    Ok(all)
}

/// In which round each workload comes, in order.
fn turns(options: &Options) -> Vec<(u32, &'static str)> {
    let workloads = options.workloads();
    let all = (1..=options.rounds)
        .flat_map(|round| workloads.iter().map(move |workload| (round, *workload)));
    all.filter(|(round, workload)| *round <= figures::most_rounds(workload))
        .collect()
}

fn head(options: &Options) -> Head {
    let now = SystemTime::now();
    Head {
        machine: Machine::read(),
        date: humantime::format_rfc3339_seconds(now).to_string(),
        rustc: machine::version("rustc", &["--version"]),
        commit: machine::version("git", &["describe", "--always", "--dirty", "--abbrev=10"]),
        rounds: options.rounds,
        seconds: options.seconds,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn slow_workloads_come_in_fewer_rounds() {
        let arguments = ["x", "--quark", "q", "--workloads", "idle,ring,activate"];
        let turns = turns(&Options::parse_from(arguments));
        let of = |name| {
            turns
                .iter()
                .filter(|(_, workload)| *workload == name)
                .count()
        };
        assert_eq!((of("ring"), of("activate"), of("idle")), (5, 3, 2));
        assert_eq!(turns[..3], [(1, "ring"), (1, "activate"), (1, "idle")]);
    }

    #[test]
    fn there_is_one_round_and_no_more_than_time_for() {
        let folder = std::env::temp_dir().join(format!("peer-rounds-{}", std::process::id()));
        let out = folder.to_str().unwrap();
        let quark = "/nowhere/quark-bench";
        let options = Options::parse_from([
            "x",
            "--quark",
            quark,
            "--workloads",
            "ring",
            "--minutes",
            "0",
            "--out",
            out,
        ]);
        let records = run(&options).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let is_round = |record: &&Record| matches!(record, Record::Round(_));
        assert_eq!(records.iter().filter(is_round).count(), 1);
    }

    #[test]
    fn programs_are_run_by_turns() {
        let folder = std::env::temp_dir().join(format!("peer-compare-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("peer-acme");
        let script = "#!/bin/sh\n\
            if [ \"$1\" = --describe ]; then\n\
            echo '{\"peer\":\"acme\",\"version\":\"1\",\"is_virtual\":false,\"mailbox\":\"64\",\
            \"modes\":[{\"name\":\"one\",\"spins\":false}]}'; exit\nfi\n\
            [ \"$1\" = ring ] || { echo no such luck >&2; exit 3; }\n\
            echo \"{\\\"figures\\\":{\\\"hop_ns\\\":7.5}}\"\n";
        std::fs::write(&program, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let out = folder.to_str().unwrap();
        let options = Options::parse_from([
            "x",
            "--quark",
            "/nowhere/quark-bench",
            program.to_str().unwrap(),
            "--workloads",
            "ring,ping-pong",
            "--rounds",
            "2",
            "--out",
            out,
        ]);
        let records = run(&options).unwrap();
        let kept = crate::record::read(&folder.join("runs.jsonl")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(kept.len(), records.len());
        let runs: Vec<&Run> = records
            .iter()
            .filter_map(|record| match record {
                Record::Run(run) => Some(run),
                _ => None,
            })
            .collect();
        let order: Vec<_> = runs
            .iter()
            .map(|run| (run.round, run.mode.as_str()))
            .collect();
        let turn = |round| [(round, "spin"), (round, "park"), (round, "one")];
        assert_eq!(order, [turn(1), turn(1), turn(2), turn(2)].concat());
        assert!(
            runs[0]
                .failed
                .as_ref()
                .unwrap()
                .starts_with("did not start")
        );
        let ring = runs[2].line.as_ref().unwrap();
        assert_eq!(ring["figures"]["hop_ns"], 7.5);
        assert_eq!(runs[5].failed.as_deref(), Some("failed: no such luck"));
    }
}
