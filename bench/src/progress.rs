//! A progress line on stderr while a long run goes on, where stderr is a terminal.

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Drawn this often at most: drawing takes time from a shard on a small machine.
const DRAWS_PER_SECOND: u8 = 4;
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// The progress of one workload. It is taken off the screen when dropped.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins at 0 of `goal` steps (units, milliseconds, whatever the workload counts).
    #[must_use]
    pub fn begin(workload: &str, goal: u64) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        Self::drawn_on(target, workload, goal)
    }

    /// `done` of the steps are behind us.
    pub fn reach(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Runs `run` and, where stderr is a terminal, draws beside it how much of `goal` is `done`.
    pub fn beside<R>(
        workload: &str,
        goal: u64,
        done: impl Fn() -> u64 + Send,
        run: impl FnOnce() -> R,
    ) -> R {
        if !std::io::stderr().is_terminal() {
            return run();
        }
        let (ended, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                let progress = Self::begin(workload, goal);
                while end.recv_timeout(DRAW_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                    progress.reach(done());
                }
            });
            let result = run();
            drop(ended);
            result
        })
    }

    fn drawn_on(target: ProgressDrawTarget, workload: &str, goal: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(goal), target);
        let style = ProgressStyle::with_template("{msg:12} {bar:30} {percent:>3} %  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(workload.to_owned());
        Progress(bar)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_beside_it_gives_its_result() {
        assert_eq!(Progress::beside("ring", 10, || 4, || 7), 7);
    }

    #[test]
    fn steps_add_up_and_the_template_is_sound() {
        assert!(
            ProgressStyle::with_template("{msg:12} {bar:30} {percent:>3} %  {elapsed}").is_ok()
        );
        let progress = Progress::drawn_on(ProgressDrawTarget::hidden(), "ring", 10);
        progress.reach(4);
        assert_eq!((progress.0.position(), progress.0.length()), (4, Some(10)));
    }
}
