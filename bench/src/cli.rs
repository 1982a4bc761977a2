//! The command line: what may be asked, and the one line that says what is wrong with it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use quark::DriverKind;
use quark_numa::CpuList;
#[cfg(feature = "redis")]
use quark_tools::cluster::NodeOptions;
use serde::Serialize;

use crate::error::Error;
use crate::feed::Source;
use crate::hgrm::Unit;
use crate::load::{Generate, Serve};
use crate::workloads::{self, Workload};

/// More shards than any machine has cores for, so that a slip of the finger stays one.
const MOST_SHARDS: u64 = 4_096;
const MOST_SECONDS: f64 = 7.0 * 86_400.0;
const MOST_PER_SECOND: f64 = 1e9;
const MOST_UNITS: u64 = 1_000_000_000_000;
const MOST_PLAYERS: u32 = 10_000_000;
const LONGEST_NAME: usize = 64;

/// What is asked of the program.
#[derive(Clone, Debug)]
pub enum Command {
    /// The main job.
    Main,
    /// Name the workloads.
    List,
    /// Run some of them.
    Run(Run),
    /// Replay a feed.
    Replay(Replay),
    /// Play in a world.
    Game(Game),
    /// Serve generators elsewhere.
    Serve(Serve),
    /// Load a server elsewhere.
    Load(Generate),
    /// Be a node of a cluster.
    #[cfg(feature = "redis")]
    Node(NodeOptions),
    /// Draw files of earlier runs.
    Plot(Pictured),
}

/// `run`: workloads, in the order asked for.
#[derive(Args, Clone, Debug)]
pub struct Run {
    /// Which workloads; `quark-bench list` names them.
    #[arg(value_name = "WORKLOAD", required = true, value_parser = workload())]
    pub workloads: Vec<&'static Workload>,
    /// How to run them.
    #[command(flatten)]
    pub options: Options,
}

/// `replay`: a feed through gateway, accounts and book.
#[derive(Args, Clone, Debug, Default)]
pub struct Replay {
    /// LOBSTER message CSV, or synthetic:N for a made-up feed of N events. Without it: the feed
    /// QUARK_LOBSTER names, else one in shared/data/lobster here or above, else a made-up one.
    #[arg(long, value_name = "FILE|synthetic:N")]
    pub feed: Option<Source>,
    /// Write time,ask_price,ask_size,bid_price,bid_size here at each change of the best bid or
    /// offer.
    #[arg(long, value_name = "FILE")]
    pub bbo: Option<PathBuf>,
    /// Skip and count malformed lines instead of refusing the feed.
    #[arg(long)]
    pub lenient: bool,
    /// Tell the p999 of each S seconds by itself, and the most memory held in each, after a tenth
    /// of S to warm up.
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = window)]
    pub window: Option<Duration>,
    /// Acknowledge no event before it is durable, in a log in --dir. What an earlier replay has
    /// kept there stays, and sequences go on from it.
    #[arg(long)]
    pub durable: bool,
    /// Write a line for each event that is accepted, as it is acknowledged: its sequence and its
    /// order's id. A - stands for standard output.
    #[arg(
        long,
        value_name = "FILE",
        requires = "durable",
        allow_hyphen_values = true
    )]
    pub acks: Option<PathBuf>,
    /// Replay nothing; recover the log that --durable has left in DIR, and print the same lines for
    /// all that it has accepted, then the book that it comes to: `order ID DIRECTION SHARES PRICE`
    /// for each that rests, `trades COUNT SHARES` of the last lap, and how many of its events were
    /// applied, unseen, unknown, duplicate and excess, after `tally`.
    #[arg(long, value_name = "DIR", conflicts_with = "durable")]
    pub book: Option<PathBuf>,
    /// How to run it.
    #[command(flatten)]
    pub options: Options,
}

/// `game`: a world of squares and players.
#[derive(Args, Clone, Debug, Default)]
pub struct Game {
    /// How many players [default: 100000; with --search, where it begins: 25000 a shard].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = players)]
    pub players: Option<u32>,
    /// Find out how many players can be held with a p999 below the time between two ticks, on
    /// one shard unless --shards says otherwise.
    #[arg(long)]
    pub search: bool,
    /// How to run it.
    #[command(flatten)]
    pub options: Options,
}

/// `plot`: files of earlier runs in one picture.
#[derive(Args, Clone, Debug)]
pub struct Pictured {
    /// Percentile distributions: what --hgrm wrote, or another HdrHistogram tool.
    #[arg(value_name = "FILE.hgrm", required = true)]
    pub files: Vec<PathBuf>,
    /// Where the picture goes.
    #[arg(long, value_name = "FILE.svg")]
    pub out: PathBuf,
    /// What it is headed.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// What values are counted in where a file does not say; those of --hgrm do.
    #[arg(long, value_enum, default_value_t = Unit::Ms)]
    pub unit: Unit,
}

/// The options every run takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many shards [default: what suits the machine and the workload].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = shards)]
    pub shards: Option<usize>,
    /// Which cpus to pin shards to, such as 0-3,8 [default: what suits the machine].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub cpus: Option<CpuList>,
    /// What a shard does without work [default: what suits the machine and the workload].
    #[arg(long, value_enum)]
    pub idle: Option<Idle>,
    /// What shards stand on, uring or glommio [default: uring, or what QUARK_DRIVER names].
    #[arg(long, value_name = "DRIVER")]
    pub driver: Option<DriverKind>,
    /// Stop after so many seconds.
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = seconds, conflicts_with = "count")]
    pub seconds: Option<Duration>,
    /// Stop after so many of the workload's units.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub count: Option<u64>,
    /// Open loop: so many units per second on a fixed schedule, latency counted from it.
    #[arg(long, value_name = "R", allow_negative_numbers = true, value_parser = rate)]
    pub rate: Option<f64>,
    /// Decides all that is random.
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = 1
    )]
    pub seed: u64,
    /// Allow more shards than usable cores.
    #[arg(long)]
    pub oversubscribe: bool,
    /// A table, or one JSON object per line and workload.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Keep each workload's latencies in DIR: WORKLOAD.RUN.hgrm, percentiles in microseconds for
    /// HdrHistogram's plotter and `quark-bench plot`, and WORKLOAD.RUN.hlog, an interval log in
    /// nanoseconds.
    #[arg(long, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,
    /// Draw latency by percentile of all workloads of this run.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Where logs go that are written to disk: in a fresh folder there, removed at the end; for
    /// `replay --durable` the log itself, which stays [default: a fresh folder in target, or here].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Where durable-redis finds a Redis, which keeps what it is given there [default: one is
    /// started for the run].
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,
    /// The same for durable-postgres.
    #[arg(long, value_name = "URL")]
    pub postgres_url: Option<String>,
    /// What to call this run in file names and pictures [default for files: its date and time].
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            shards: None,
            cpus: None,
            idle: None,
            driver: None,
            seconds: None,
            count: None,
            rate: None,
            seed: 1,
            oversubscribe: false,
            format: Format::Text,
            hgrm: None,
            plot: None,
            dir: None,
            redis_url: None,
            postgres_url: None,
            name: None,
        }
    }
}

/// What a shard does without work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Look for work without end.
    Spin,
    /// Look for a while, then sleep.
    Adaptive,
    /// Sleep at once.
    Park,
}

impl Idle {
    /// As the engine names it.
    #[must_use]
    pub const fn policy(self) -> quark::IdlePolicy {
        match self {
            Idle::Spin => quark::IdlePolicy::Spin,
            Idle::Adaptive => quark::IdlePolicy::ADAPTIVE,
            Idle::Park => quark::IdlePolicy::Park,
        }
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Idle::Spin => "spin",
            Idle::Adaptive => "adaptive",
            Idle::Park => "park",
        })
    }
}

/// How reports are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table.
    #[default]
    Text,
    /// JSON lines.
    Json,
}

/// Why there is no command.
#[derive(Debug)]
pub enum Stop {
    /// Help or version was asked for; here it is.
    Help(String),
    /// The command line makes no sense; one line says why.
    Usage(Error),
}

/// Reads the command line, program name first.
///
/// # Errors
///
/// When it makes no sense, or only asks for help.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Stop> {
    match Cli::try_parse_from(arguments) {
        Ok(Cli { command: None }) => Ok(Command::Main),
        Ok(Cli {
            command: Some(Verb::List),
        }) => Ok(Command::List),
        Ok(Cli {
            command: Some(Verb::Run(run)),
        }) => Ok(Command::Run(run)),
        Ok(Cli {
            command: Some(Verb::Replay(replay)),
        }) => Ok(Command::Replay(replay)),
        Ok(Cli {
            command: Some(Verb::Game(game)),
        }) => Ok(Command::Game(game)),
        Ok(Cli {
            command: Some(Verb::Serve(serve)),
        }) => Ok(Command::Serve(serve)),
        Ok(Cli {
            command: Some(Verb::Load(load)),
        }) => Ok(Command::Load(load)),
        #[cfg(feature = "redis")]
        Ok(Cli {
            command: Some(Verb::Node(node)),
        }) => Ok(Command::Node(node)),
        Ok(Cli {
            command: Some(Verb::Plot(pictured)),
        }) => Ok(Command::Plot(pictured)),
        Err(error) if error.use_stderr() => Err(Stop::Usage(Error::Usage(one_line(&error)))),
        Err(help) => Err(Stop::Help(help.to_string())),
    }
}

/// Measures Quark on this machine. Without a command, the main job: the launch report, the
/// replay of an order feed, then the table of latencies.
#[derive(Parser, Debug)]
#[command(name = "quark-bench", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Name the workloads and what each is held against.
    List,
    /// Run workloads.
    Run(Run),
    /// Replay an order feed through actors: the main job by itself.
    ///
    /// The feed goes round in laps, each on an empty book. Whole laps for 2 s, unless --count or
    /// --seconds ends it sooner or later, perhaps within a lap. Every lap must make the same of
    /// the book; the file of --bbo is of the first.
    Replay(Replay),
    /// Play in a world: squares and players as actors, 20 ticks a second.
    ///
    /// A tick's time runs from the moment it is due, on a schedule that nothing puts off, until
    /// the last of all players is through with what it was told of that tick. The first 20 ticks
    /// are not counted. Ticks for 10 s (60 s with --search), unless --seconds or --count says
    /// otherwise; --rate sets how many are due in a second. A run fails if a player is lost, is
    /// in two squares, or is told of a tick twice, or if a coin is missing.
    Game(Game),
    /// Serve counters to `quark-bench load` on another machine.
    ///
    /// Prints where it listens. Ctrl-C ends it once what is under way has been answered.
    Serve(Serve),
    /// Load a server on another machine, as the workload remote-load does.
    ///
    /// One thread that never sleeps keeps so many calls under way on each connection: an answer is
    /// followed by the next call. Ctrl-C ends it with what was measured.
    Load(Generate),
    /// Be one node of a cluster for `quark-bench load --durable`, as `quark node` is.
    #[cfg(feature = "redis")]
    Node(NodeOptions),
    /// Draw latency by percentile from files of earlier runs.
    ///
    /// One curve for each file, under the file's name.
    Plot(Pictured),
}

/// The message without usage and hints at other places: `run` takes one line.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty());
    let mut line = said.collect::<Vec<_>>().join(" ");
    if let Some(rest) = line.strip_prefix("error: ") {
        line = rest.to_owned();
    }
    line + " (see --help)"
}

fn workload() -> impl TypedValueParser<Value = &'static Workload> {
    let names = workloads::ALL.iter().map(|workload| workload.name);
    PossibleValuesParser::new(names).try_map(|name| {
        workloads::find(&name).ok_or("no such workload; quark-bench list names them")
    })
}

pub(crate) fn shards(text: &str) -> Result<usize, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("an engine needs at least 1 shard".to_owned()),
        Ok(shards @ 1..=MOST_SHARDS) => Ok(shards as usize),
        Ok(_) => Err(format!("at most {MOST_SHARDS} shards can be asked for")),
        Err(_) => Err("expected a number of shards, 1 or more".to_owned()),
    }
}

fn players(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(players @ 1..=MOST_PLAYERS) => Ok(players),
        _ => Err(format!(
            "expected a number of players from 1 to {MOST_PLAYERS}"
        )),
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        // Below a nanosecond a duration is none.
        Ok(seconds) if (1e-9..=MOST_SECONDS).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!(
            "expected seconds, above 0 and at most {MOST_SECONDS}"
        )),
    }
}

fn window(text: &str) -> Result<Duration, String> {
    /// Memory is looked at every 50 ms.
    const LEAST: Duration = Duration::from_millis(100);
    match seconds(text)? {
        window if window >= LEAST => Ok(window),
        _ => Err(format!("expected at least {} s", LEAST.as_secs_f64())),
    }
}

pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count @ 1..=MOST_UNITS) => Ok(count),
        _ => Err(format!("expected a whole number from 1 to {MOST_UNITS}")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= MOST_PER_SECOND => Ok(rate),
        _ => Err(format!(
            "expected a rate per second, above 0 and at most {MOST_PER_SECOND}"
        )),
    }
}

/// A part of file names.
fn name(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "expected letters, digits, '-', '_' and '.', at most {LONGEST_NAME}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Stop> {
        parse(
            std::iter::once("quark-bench")
                .chain(line.split_whitespace())
                .map(Into::into),
        )
    }

    fn refused(line: &str) -> String {
        match parsed(line) {
            Err(Stop::Usage(error)) => {
                assert_eq!(error.exit_code(), 2);
                error.to_string()
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_contract_parses() {
        assert!(matches!(parsed(""), Ok(Command::Main)));
        assert!(matches!(parsed("list"), Ok(Command::List)));
        let Ok(Command::Run(run)) = parsed(
            "run ask-cross ring --shards 2 --cpus 0,2-3 --idle spin --driver glommio --seconds 0.5 --rate 1e5 \
             --seed 9 --oversubscribe --format json --hgrm kept --plot all.svg --dir disk --redis-url redis://a --name before.1",
        ) else {
            panic!("run does not parse");
        };
        let names: Vec<&str> = run.workloads.iter().map(|workload| workload.name).collect();
        assert_eq!(names, ["ask-cross", "ring"]);
        let Options {
            shards,
            cpus,
            idle,
            driver,
            seconds,
            count,
            rate,
            seed,
            oversubscribe,
            format,
            hgrm,
            plot,
            dir,
            redis_url,
            postgres_url,
            name,
        } = run.options;
        assert_eq!((hgrm, plot), (Some("kept".into()), Some("all.svg".into())));
        assert_eq!(dir, Some("disk".into()));
        assert_eq!((redis_url, postgres_url), (Some("redis://a".into()), None));
        assert_eq!(name.as_deref(), Some("before.1"));
        assert_eq!(cpus.map(|cpus| cpus.to_string()).as_deref(), Some("0,2-3"));
        assert_eq!((shards, idle, count), (Some(2), Some(Idle::Spin), None));
        assert_eq!(driver, Some(DriverKind::Glommio));
        assert_eq!(
            (seconds, rate),
            (Some(Duration::from_millis(500)), Some(1e5))
        );
        assert_eq!((seed, oversubscribe, format), (9, true, Format::Json));
        let Ok(Command::Replay(replay)) =
            parsed("replay --feed synthetic:1000 --bbo out.csv --lenient --count 7")
        else {
            panic!("replay does not parse");
        };
        assert_eq!(replay.feed, Some(Source::Synthetic(1_000)));
        assert_eq!(replay.bbo, Some("out.csv".into()));
        assert!(replay.lenient);
        assert_eq!((replay.options.count, replay.options.seed), (Some(7), 1));
        let Ok(Command::Game(game)) = parsed("game --players 500 --search --seconds 3") else {
            panic!("game does not parse");
        };
        assert_eq!((game.players, game.search), (Some(500), true));
        assert_eq!(game.options.seconds, Some(Duration::from_secs(3)));
        let Ok(Command::Serve(serve)) = parsed("serve --listen 0.0.0.0:4700 --insecure --shards 2")
        else {
            panic!("serve does not parse");
        };
        assert_eq!(
            (serve.listen.port(), serve.insecure, serve.shards),
            (4_700, true, 2)
        );
        let Ok(Command::Load(load)) =
            parsed("load --connect 10.0.0.1:4700,10.0.0.1:4701 --connections 9 --tls-ca ca.pem")
        else {
            panic!("load does not parse");
        };
        assert_eq!(
            (load.connect.len(), load.connections, load.outstanding),
            (2, 9, 16)
        );
        assert_eq!(
            (load.tls_ca, load.tls_name),
            (Some("ca.pem".into()), "quark-bench".into())
        );
        let Ok(Command::Plot(plot)) = parsed("plot --out all.svg one.hgrm two.hgrm --unit us")
        else {
            panic!("plot does not parse");
        };
        assert_eq!(plot.files, [PathBuf::from("one.hgrm"), "two.hgrm".into()]);
        assert_eq!((plot.out, plot.unit), ("all.svg".into(), Unit::Us));
    }

    #[test]
    fn every_workload_can_be_named() {
        for workload in workloads::ALL {
            assert!(
                parsed(&format!("run {}", workload.name)).is_ok(),
                "{}",
                workload.name
            );
        }
    }

    #[test]
    fn what_is_wrong_takes_one_line() {
        for (line, said) in [
            ("--bogus", "unexpected argument '--bogus'"),
            ("bogus", "unrecognized subcommand 'bogus'"),
            ("run", "WORKLOAD"),
            ("run ask-lcal", "'ask-local'"),
            ("run ring --shards 0", "an engine needs at least 1 shard"),
            ("run ring --shards -1", "--shards"),
            ("run ring --shards 5000", "at most 4096 shards"),
            ("run ring --shards two", "expected a number of shards"),
            ("run ring --cpus -1", "neither a cpu number nor a range"),
            ("run ring --cpus 3-1", "ends before it starts"),
            ("run ring --cpus 9999999", "beyond the highest cpu number"),
            ("run ring --idle nap", "spin, adaptive, park"),
            ("run ring --driver epoll", "choose uring or glommio"),
            ("replay --window 1e-9", "expected at least 0.1 s"),
            ("run ring --seconds 0", "expected seconds, above 0"),
            ("run ring --seconds nan", "expected seconds, above 0"),
            ("run ring --seconds 1e99", "at most 604800"),
            ("run ring --count 0", "expected a whole number from 1"),
            ("run ring --rate 0", "expected a rate per second, above 0"),
            ("run ring --rate inf", "expected a rate per second, above 0"),
            ("run ring --seconds 1 --count 1", "cannot be used with"),
            ("run ring --seed x", "--seed"),
            ("run ring --format xml", "text, json"),
            ("run ring --name a/b", "expected letters, digits"),
            ("game --players 0", "a number of players from 1"),
            ("serve", "--listen"),
            ("serve --listen here", "--listen"),
            ("load --connect 1.2.3.4:5 --connections 0", "--connections"),
            (
                "load --connect 1.2.3.4:5 --redis --tls-ca a",
                "cannot be used with",
            ),
            (
                "load --connect 1.2.3.4:5 --durable --redis",
                "cannot be used with",
            ),
            ("plot one.hgrm", "--out"),
            ("plot --out all.svg", "FILE.hgrm"),
            ("replay --feed synthetic:x", "a number of events from 1"),
            ("list --shards 2", "unexpected argument"),
        ] {
            let error = refused(line);
            assert!(error.contains(said), "{line}: {error}");
            assert!(
                !error.contains('\n') && !error.contains("Usage"),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for (line, said) in [
            ("--help", "replay"),
            ("run --help", "--oversubscribe"),
            ("--version", "quark-bench"),
        ] {
            match parsed(line) {
                Err(Stop::Help(text)) => assert!(text.contains(said), "{text}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn defaults_agree_with_the_command_line() {
        let Ok(Command::Replay(replay)) = parsed("replay") else {
            panic!("replay does not parse");
        };
        assert_eq!(format!("{replay:?}"), format!("{:?}", Replay::default()));
    }
}
