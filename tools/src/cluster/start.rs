//! `quark cluster start`.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;

use super::ca::Authority;
use super::folder::Folder;
use super::interrupt::Interrupt;
use super::load::Load;
use super::member::Member;
use super::node::TimingOptions;
use super::process::leashed;
use super::redis::OwnRedis;
use super::table::{Row, Shown, State};
use super::{DEFAULT_CLUSTER, Where};
use crate::say;

/// What to start.
#[derive(Args)]
pub struct StartOptions {
    /// How many nodes.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    nodes: u16,

    /// How many shards each has.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    shards: u16,

    /// A Redis that runs, which is to have the cluster's table and its actors' states; without, one
    /// is started that ends with the cluster.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,

    /// The first port: each shard of each node listens at one on loopback [default: any that are
    /// free].
    #[arg(long, value_name = "BASE")]
    port: Option<u16>,

    /// How many callers add to counters all the while, one call after another each.
    #[arg(long, value_name = "CALLERS", default_value_t = 0)]
    load: u16,

    /// Start nodes again that have ended, after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    restart: Option<u16>,

    /// Print plain lines, as when the output is no terminal.
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    place: Where,

    #[command(flatten)]
    timing: TimingOptions,
}

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Plain lines come when something changes, and this often.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// More than a node takes that can't hand its slots over.
const END_WITHIN: Duration = Duration::from_secs(30);

/// What runs, in the order in which it ends.
struct Running<'a> {
    options: &'a StartOptions,
    folder: &'a Folder,
    quark: PathBuf,
    load: Option<Load>,
    members: Vec<Member>,
    _redis: Option<OwnRedis>,
    redis_url: String,
    authority: Authority,
}

/// Starts a cluster, shows it until it is to end, and ends it.
pub(super) fn run(options: &StartOptions) -> Result<ExitCode, Box<dyn Error>> {
    let folder = options.place.folder();
    let interrupt = Interrupt::take_over()?;
    folder.prepare()?;
    let mut running = Running::start(options, &folder)?;
    let shown = running.show_until_told(&interrupt);
    let is_clean = running.end(&interrupt);
    folder.forget();
    shown?;
    match is_clean {
        true => Ok(ExitCode::SUCCESS),
        false => Err("not every node has ended by itself: their logs say why".into()),
    }
}

impl<'a> Running<'a> {
    fn start(options: &'a StartOptions, folder: &'a Folder) -> Result<Self, Box<dyn Error>> {
        // The file itself, whatever its name stands for by now.
        let quark = env::current_exe()?;
        let (redis, redis_url) = match &options.redis {
            Some(url) => (None, url.clone()),
            None => {
                let redis = OwnRedis::start(&quark, &folder.redis())?;
                let url = redis.url();
                (Some(redis), url)
            }
        };
        let mut running = Running {
            options,
            folder,
            quark,
            load: None,
            members: Vec::new(),
            _redis: redis,
            redis_url,
            authority: Authority::new(DEFAULT_CLUSTER)?,
        };
        for number in 1..=options.nodes {
            let member = running.start_node(number)?;
            running.members.push(member);
        }
        // For callers, ours and others.
        let certificates = folder.certificates();
        running.authority.equip(&certificates, Load::NAME)?;
        // Other commands find it from now on.
        folder.tell(&running.shown())?;
        Ok(running)
    }

    fn start_node(&self, number: u16) -> Result<Member, Box<dyn Error>> {
        let options = self.options;
        let name = format!("node-{number}");
        self.authority.equip(&self.folder.certificates(), &name)?;
        let port = match options.port {
            None => 0,
            Some(base) => {
                let before = u32::from(number - 1) * u32::from(options.shards);
                u16::try_from(u32::from(base) + before)
                    .map_err(|_| format!("--port {base} leaves no port for {name}: begin lower"))?
            }
        };
        let TimingOptions {
            lease,
            ask_every,
            silence,
        } = options.timing;
        let mut command = leashed(&self.quark, &self.quark);
        command.args(["node", "--figures", "--cluster", DEFAULT_CLUSTER]);
        command.arg("--name").arg(&name);
        command
            .arg("--listen")
            .arg(SocketAddr::from(([127, 0, 0, 1], port)).to_string());
        command.arg("--redis").arg(&self.redis_url);
        command.arg("--tls").arg(self.folder.certificates());
        command.arg("--shards").arg(options.shards.to_string());
        command.arg("--lease").arg(lease.to_string());
        command.arg("--ask-every").arg(ask_every.to_string());
        command.arg("--silence").arg(silence.to_string());
        let log = self.folder.log_of(&name);
        let log = File::options().create(true).append(true).open(log)?;
        Member::start(number, name, command, log)
    }

    fn show_until_told(&mut self, interrupt: &Interrupt) -> Result<(), Box<dyn Error>> {
        let mut screen = Screen::new(self.options.plain);
        let folder = self.folder.path().display();
        let redis = &self.redis_url;
        say(&format!(
            "files in {folder}, states in {redis}; Ctrl-C ends the cluster\n"
        ))?;
        loop {
            self.look()?;
            let shown = self.shown();
            self.folder.tell(&shown)?;
            screen.show(&shown)?;
            if interrupt.comes_within(LOOK_EVERY) {
                return Ok(());
            }
        }
    }

    fn look(&mut self) -> Result<(), Box<dyn Error>> {
        self.members.iter_mut().for_each(Member::look);
        if let Some(seconds) = self.options.restart {
            let pause = Duration::from_secs(seconds.into());
            for place in 0..self.members.len() {
                let ended = self.members[place].ended();
                if ended.is_some_and(|at| at.elapsed() >= pause) {
                    let number = u16::try_from(place + 1)?;
                    self.members[place] = self.start_node(number)?;
                }
            }
        }
        let mut running = self
            .members
            .iter()
            .filter(|member| member.ended().is_none());
        let ready = running.find_map(|member| {
            let figures = member.figures().filter(|figures| figures.is_ready());
            figures.and_then(|figures| figures.addresses.first())
        });
        if let (None, 1.., Some(addr)) = (&self.load, self.options.load, ready) {
            let folder = self.folder.certificates();
            // A node that has ended meanwhile is nothing to end for: it is tried again.
            self.load = Load::start(&folder, *addr, self.options.load).ok();
        }
        Ok(())
    }

    fn shown(&self) -> Shown {
        let figures = self.members.iter().filter_map(Member::figures);
        let newest = figures.max_by_key(|figures| figures.version);
        let none = BTreeMap::new();
        let owners = newest.map_or(&none, |figures| &figures.owners);
        Shown {
            starter: process::id(),
            cluster: DEFAULT_CLUSTER.to_owned(),
            redis: self.redis_url.clone(),
            version: newest.map_or(0, |figures| figures.version),
            nodes: self
                .members
                .iter()
                .map(|member| member.row(owners))
                .collect(),
        }
    }

    /// Ends it; true if all have ended by themselves. A second signal kills who has not.
    fn end(&mut self, interrupt: &Interrupt) -> bool {
        self.load = None;
        self.members.iter_mut().for_each(Member::tell_to_end);
        let deadline = Instant::now() + END_WITHIN;
        while self.members.iter().any(|member| member.ended().is_none()) {
            self.members.iter_mut().for_each(Member::look);
            if Instant::now() >= deadline || interrupt.comes_within(Duration::from_millis(20)) {
                break;
            }
        }
        let mut are_clean = true;
        for member in &mut self.members {
            let was_there = member.ended().is_none();
            let is_clean = member.wait(Instant::now());
            are_clean &= is_clean || !was_there;
            if was_there {
                // Nobody is left to tell when the output is closed.
                let _ = say(&format!("{} is killed: it did not end\n", member.name()));
            }
        }
        are_clean
    }
}

/// Shows what is new.
struct Screen {
    is_plain: bool,
    /// How many lines are to be written over.
    lines: usize,
    /// What was shown last, of what is worth a line, and when.
    last: Option<(Instant, Vec<(State, usize)>)>,
}

impl Screen {
    fn new(plain: bool) -> Self {
        Screen {
            is_plain: plain || !io::stdout().is_terminal(),
            lines: 0,
            last: None,
        }
    }

    fn show(&mut self, shown: &Shown) -> Result<(), Box<dyn Error>> {
        let mut text = String::new();
        if self.is_plain {
            let worth = |row: &Row| (row.state.clone(), row.slots);
            let now: Vec<_> = shown.nodes.iter().map(worth).collect();
            let is_old = |(at, was): &(Instant, Vec<_>)| at.elapsed() >= PLAIN_EVERY || *was != now;
            if self.last.as_ref().is_some_and(|last| !is_old(last)) {
                return Ok(());
            }
            self.last = Some((Instant::now(), now));
        } else if self.lines > 0 {
            text = format!("\x1b[{}A\x1b[J", self.lines);
        }
        let lines = shown.heading() + &shown.table();
        self.lines = lines.lines().count();
        text += &lines;
        say(&text)
    }
}
