//! What is kept of reports beside the table: HdrHistogram's files, and a picture of all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cli::{Options, Pictured};
use crate::date::Date;
use crate::distribution::Distribution;
use crate::error::Error;
use crate::hgrm::{self, Hgrm, Notes};
use crate::hlog::{self, Interval};
use crate::machine::Machine;
use crate::plot::{Plot, Series};
use crate::report::{Recorded, Report};

/// Takes reports as they come, and keeps what was asked for.
#[derive(Debug)]
pub struct Records {
    folder: Option<PathBuf>,
    picture: Option<PathBuf>,
    name: Option<String>,
    machine: Machine,
    begun: Date,
    /// The files of this run so far, without their endings.
    stems: Vec<String>,
    plot: Plot,
}

/// A file of percentiles beyond this is none of ours, nor of any other's.
const LARGEST: u64 = 16 << 20;
const TITLE: &str = "Latency by percentile";

impl Records {
    /// Makes sure that what `options` ask for can be written, before anything is measured.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] when it can't.
    pub fn new(options: &Options) -> Result<Self, Error> {
        if let Some(folder) = &options.hgrm {
            fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
        }
        if let Some(path) = &options.plot {
            touch(path)?;
        }
        Ok(Records {
            folder: options.hgrm.clone(),
            picture: options.plot.clone(),
            name: options.name.clone(),
            machine: Machine::read(),
            begun: Date::now(),
            stems: Vec::new(),
            plot: Plot::default(),
        })
    }

    /// Keeps the latencies of one report.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn take(&mut self, report: &Report) -> Result<(), Error> {
        for recorded in &report.recorded {
            let Some(distribution) = Distribution::of(recorded.latency.histogram()) else {
                continue;
            };
            let label = match recorded.part {
                None => report.workload.to_owned(),
                Some(part) => format!("{}-{part}", report.workload),
            };
            if let Some(folder) = self.folder.clone() {
                self.write(&folder, &label, report, recorded)?;
            }
            self.plot.series.push(Series {
                label: match &self.name {
                    None => label,
                    Some(name) => format!("{label} {name}"),
                },
                distribution,
            });
        }
        self.plot.hold_against(&report.limits);
        Ok(())
    }

    /// Draws the picture, if one was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn finish(mut self) -> Result<(), Error> {
        let Some(path) = self.picture else {
            return Ok(());
        };
        TITLE.clone_into(&mut self.plot.title);
        self.plot.subtitle = format!("{}, {}", place(&self.machine), self.begun.minute());
        write_picture(&path, &self.plot)
    }

    /// `DIR/workload.run.hgrm` and `.hlog`; the run is a name that was given, else its date.
    fn write(
        &mut self,
        folder: &Path,
        label: &str,
        report: &Report,
        recorded: &Recorded,
    ) -> Result<(), Error> {
        let run = self.name.clone().unwrap_or_else(|| self.begun.stamp());
        let stem = format!("{label}.{run}");
        let again = self.stems.iter().filter(|known| **known == stem).count();
        self.stems.push(stem.clone());
        let stem = match again {
            0 => stem,
            again => format!("{stem}-{}", again + 1),
        };
        let notes = Notes {
            machine: Some(place(&self.machine)),
            date: Some(self.begun.minute()),
            limits: report.limits.clone(),
        };
        let histogram = recorded.latency.histogram();
        write_file(&folder.join(stem.clone() + ".hgrm"), |out| {
            hgrm::write(out, histogram, &notes)
        })?;
        let length = report.elapsed();
        let now = SystemTime::now();
        let interval = Interval {
            begun: now.checked_sub(length).unwrap_or(now),
            length,
        };
        let comment = format!("nanoseconds; quark-bench {label}, {}", place(&self.machine));
        write_file(&folder.join(stem + ".hlog"), |out| {
            hlog::write(out, histogram, label, interval, &comment)
        })
    }
}

/// `quark-bench plot`: the files of earlier runs in one picture.
///
/// # Errors
///
/// [`Error::Hgrm`] or [`Error::Read`] when one of them can't be used, [`Error::Write`] when the
/// picture can't be written.
pub fn plot(asked: &Pictured) -> Result<(), Error> {
    let mut plot = Plot {
        title: asked.title.clone().unwrap_or_else(|| TITLE.to_owned()),
        ..Plot::default()
    };
    let (mut machines, mut dates) = (Vec::new(), Vec::new());
    for path in &asked.files {
        let Hgrm {
            distribution,
            notes,
        } = read(asked, path)?;
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        plot.series.push(Series {
            label: stem.to_string_lossy().into_owned(),
            distribution,
        });
        plot.hold_against(&notes.limits);
        machines.extend(notes.machine);
        dates.extend(notes.date);
    }
    plot.subtitle = [among(machines, "machines"), among(dates, "dates")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ");
    touch(&asked.out)?;
    write_picture(&asked.out, &plot)
}

fn read(asked: &Pictured, path: &Path) -> Result<Hgrm, Error> {
    let unreadable = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let text = io::read_to_string(io::Read::take(file, LARGEST)).map_err(unreadable)?;
    hgrm::read(&text, asked.unit).map_err(|source| Error::Hgrm {
        path: path.to_owned(),
        source,
    })
}

/// What all have in common; from first to last where they are few, and how many else.
fn among(mut values: Vec<String>, of: &str) -> Option<String> {
    values.sort();
    values.dedup();
    match &values[..] {
        [] => None,
        [one] => Some(one.clone()),
        [first, .., last] if of == "dates" => Some(format!("{first} to {last}")),
        many => Some(format!("{} {of}", many.len())),
    }
}

/// The machine without its load, which passes.
fn place(machine: &Machine) -> String {
    let Machine {
        cpu, cpus, kernel, ..
    } = machine;
    format!("{cpu}, {cpus} cpus, Linux {kernel}")
}

fn write_picture(path: &Path, plot: &Plot) -> Result<(), Error> {
    write_file(path, |out| out.write_all(plot.draw().as_bytes()))
}

/// Whether it can be written, without losing what is there.
fn touch(path: &Path) -> Result<(), Error> {
    let mut open = File::options();
    let opened = open.create(true).truncate(false).write(true).open(path);
    opened.map(drop).map_err(|source| unwritable(path, source))
}

fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Error> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(|source| unwritable(path, source))
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_have_in_common_is_said_once() {
        let among = |values: &[&str], of| {
            among(values.iter().map(|value| (*value).to_owned()).collect(), of)
        };
        assert_eq!(among(&[], "machines"), None);
        assert_eq!(among(&["a", "a"], "machines").as_deref(), Some("a"));
        assert_eq!(
            among(&["a", "b"], "machines").as_deref(),
            Some("2 machines")
        );
        assert_eq!(among(&["3", "1", "2"], "dates").as_deref(), Some("1 to 3"));
    }
}
