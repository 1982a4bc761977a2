//! Tables and footnotes as Markdown has them.

/// A table, written row by row.
pub(crate) struct Grid(String);

impl Grid {
    pub(crate) fn new<S: AsRef<str>>(titles: &[S]) -> Self {
        let mut grid = Grid(String::new());
        grid.row(titles);
        grid.row(&vec!["---"; titles.len()]);
        grid
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        self.0.push('|');
        for cell in cells {
            self.0.push(' ');
            self.0.push_str(&plain(cell.as_ref()));
            self.0.push_str(" |");
        }
        self.0.push('\n');
    }

    pub(crate) fn end(self) -> String {
        self.0
    }
}

/// Footnotes in the order they are first needed; the same one twice has one number.
#[derive(Default)]
pub(crate) struct Footnotes(Vec<String>);

impl Footnotes {
    /// The mark that leads to `note`.
    pub(crate) fn mark(&mut self, note: &str) -> String {
        let known = self.0.iter().position(|one| one == note);
        let index = known.unwrap_or_else(|| {
            self.0.push(note.to_owned());
            self.0.len() - 1
        });
        format!("[^{}]", index + 1)
    }

    pub(crate) fn end(self) -> String {
        let notes = self.0.iter().enumerate();
        let lines = notes.map(|(index, note)| format!("[^{}]: {}\n", index + 1, plain(note)));
        lines.collect()
    }
}

/// Text that ends neither a cell nor a line, and is no markup.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' => safe.push_str("\\|"),
            '<' => safe.push_str("&lt;"),
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_to_themselves() {
        let mut grid = Grid::new(&["a", "b"]);
        grid.row(&["1 | 2", "<x>\n"]);
        assert_eq!(
            grid.end(),
            "| a | b |\n| --- | --- |\n| 1 \\| 2 | &lt;x>  |\n"
        );
    }

    #[test]
    fn the_same_note_has_one_number() {
        let mut notes = Footnotes::default();
        assert_eq!(notes.mark("one"), "[^1]");
        assert_eq!(notes.mark("two"), "[^2]");
        assert_eq!(notes.mark("one"), "[^1]");
        assert_eq!(notes.end(), "[^1]: one\n[^2]: two\n");
    }
}
