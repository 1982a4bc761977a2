//! Runs Quark and its peers by turns, each workload of each a process of its own, and writes what
//! came of it: tables with ratios, a chart, and every line as it came.

mod chart;
mod cli;
mod contender;
mod error;
mod figures;
mod floor;
mod leads;
mod machine;
mod markdown;
mod process;
mod progress;
mod record;
mod results;
mod rounds;
mod spread;
mod states;
mod svg;
mod table;
mod units;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::Options;
use error::Error;
use table::Table;

fn main() -> ExitCode {
    match work(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peer-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(options: &Options) -> Result<(), Error> {
    let records = match &options.from {
        Some(file) => record::read(file)?,
        None => rounds::run(options)?,
    };
    let table = Table::of(&records);
    write(&options.out.join("RESULTS.md"), &results::write(&table))?;
    write(&options.out.join("results.svg"), &chart::draw(&table))?;
    println!("{}", options.out.join("RESULTS.md").display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}
