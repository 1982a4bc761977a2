//! Where reports go: a table or JSON lines, on one stream.

use std::io::{self, Write};

use crate::cli::Format;
use crate::json;
use crate::report::Report;
use crate::table::Table;

/// Takes reports as they come.
#[derive(Debug)]
pub enum Output<W> {
    /// A table.
    Text(Table<W>),
    /// JSON lines.
    Json(W),
}

impl<W: Write> Output<W> {
    /// Reports in `format`, on `out`.
    pub fn new(format: Format, out: W) -> Self {
        match format {
            Format::Text => Output::Text(Table::new(out)),
            Format::Json => Output::Json(out),
        }
    }

    /// Writes one report out.
    ///
    /// # Errors
    ///
    /// What the stream says.
    pub fn report(&mut self, report: &Report) -> io::Result<()> {
        match self {
            Output::Text(table) => table.row(report),
            Output::Json(out) => json::write(out, report),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn json_is_a_line_each_and_text_has_a_head() {
        let written = |format| {
            let mut out = Vec::new();
            let mut output = Output::new(format, &mut out);
            output.report(&sample()).unwrap();
            output.report(&sample()).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(
            written(Format::Json)
                .lines()
                .all(|line| line.starts_with("{\"workload\""))
        );
        assert_eq!(written(Format::Json).lines().count(), 2);
        assert!(written(Format::Text).starts_with("workload "));
    }
}
