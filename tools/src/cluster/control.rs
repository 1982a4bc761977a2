//! What is done to a cluster that runs, from elsewhere.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Signal;

use super::interrupt::Interrupt;
use super::process::{is_paused, signal, was_started_with};
use super::table::{Row, State};
use super::{Where, Whom};
use crate::say;

type Done = Result<ExitCode, Box<dyn Error>>;

pub(super) fn status(place: &Where) -> Done {
    let shown = place.folder().running()?;
    say(&shown.heading())?;
    say(&shown.table())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn kill(whom: &Whom) -> Done {
    let node = whom.find()?;
    node.send(Signal::KILL)?;
    say(&format!("{} is killed\n", node.name))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn pause(whom: &Whom, seconds: Option<f64>) -> Done {
    let length = seconds.map(Duration::try_from_secs_f64).transpose()?;
    let node = whom.find()?;
    let Some(length) = length else {
        node.send(Signal::STOP)?;
        let (name, number) = (&node.name, node.number);
        say(&format!(
            "{name} stands still: quark cluster resume {number}\n"
        ))?;
        return Ok(ExitCode::SUCCESS);
    };
    // Ctrl-C ends the pause, and does not leave the node as it is.
    let interrupt = Interrupt::take_over()?;
    node.send(Signal::STOP)?;
    interrupt.comes_within(length);
    node.send(Signal::CONT)?;
    say(&format!("{} stood still, and goes on\n", node.name))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn resume(whom: &Whom) -> Done {
    let node = whom.find()?;
    if !node.id().is_some_and(is_paused) {
        return Err(format!("{} is not paused", node.name).into());
    }
    node.send(Signal::CONT)?;
    say(&format!("{} goes on\n", node.name))?;
    Ok(ExitCode::SUCCESS)
}

impl Whom {
    fn find(&self) -> Result<Row, Box<dyn Error>> {
        let shown = self.place.folder().running()?;
        let most = shown.nodes.len();
        let mut nodes = shown.nodes.into_iter();
        let node = nodes.find(|node| node.number == self.node);
        let number = self.node;
        Ok(node.ok_or_else(|| format!("there is no node {number}: they are 1 to {most}"))?)
    }
}

impl Row {
    /// Its process, if that is still its own.
    fn id(&self) -> Option<u32> {
        self.process
            .filter(|process| was_started_with(*process, &self.name))
    }

    fn send(&self, what: Signal) -> Result<(), Box<dyn Error>> {
        let is_sent = match self.id() {
            Some(process) => signal(process, what)?,
            None => false,
        };
        match (is_sent, &self.state) {
            (true, _) => Ok(()),
            (false, State::Ended(how)) => Err(format!("{} does not run: {how}", self.name).into()),
            (false, _) => Err(format!("{} does not run", self.name).into()),
        }
    }
}
