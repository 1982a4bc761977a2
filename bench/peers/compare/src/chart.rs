//! The chart: Quark and the best of its peers, figure by figure, on logarithmic axes.
//!
//! Written by hand, as quark-bench's pictures are, and looking like them: for colours that suit a
//! light and a dark page, drawing crates have nothing.

use std::fmt::Write as _;

use crate::figures::Lead;
use crate::svg::{escape, fitted};
use crate::table::{Row, Table};
use crate::units::Unit;

const WIDTH: f64 = 960.0;
/// Where bars begin, and the axis ends; right of that, labels have room.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 690.0;
const END: f64 = 944.0;
const HEAD: f64 = 100.0;
const BAR: f64 = 12.0;
const BAR_STEP: f64 = 16.0;
/// Above the bars of a figure, its name.
const NAME: f64 = 22.0;
const BETWEEN: f64 = 12.0;
/// Above the figures of a panel: its title and the axis.
const PANEL_HEAD: f64 = 58.0;
const PANEL_FOOT: f64 = 34.0;

/// Figures of one unit, with an axis of their own.
struct Panel<'a> {
    unit: Unit,
    title: &'static str,
    rows: Vec<(&'a Row, Vec<Bar>)>,
}

struct Bar {
    class: &'static str,
    label: String,
    median: f64,
    least: f64,
    most: f64,
}

/// From `begin` to `end`, both powers of ten.
#[derive(Clone, Copy)]
struct Axis {
    begin: f64,
    end: f64,
}

pub(crate) fn draw(table: &Table) -> String {
    let panels = [
        (Unit::Ns, "Time (ns to µs, logarithmic; shorter is better)"),
        (Unit::PerS, "Rate (a second, logarithmic; longer is better)"),
        (
            Unit::Bytes,
            "Memory (bytes, logarithmic; shorter is better)",
        ),
    ];
    let panels = panels.map(|(unit, title)| Panel {
        unit,
        title,
        rows: rows(table, unit),
    });
    let height = HEAD + panels.iter().map(Panel::height).sum::<f64>() + 8.0;
    let mut out = String::new();
    head(&mut out, table, height);
    let mut top = HEAD;
    for panel in &panels {
        panel.draw(&mut out, top);
        top += panel.height();
    }
    out.push_str("</svg>\n");
    out
}

fn rows(table: &Table, unit: Unit) -> Vec<(&Row, Vec<Bar>)> {
    let rows = table.rows.iter();
    let rows = rows.filter(|row| row.figure.unit == unit && row.figure.lead != Lead::None);
    let rows = rows.map(|row| (row, bars(table, row)));
    rows.filter(|(_, bars)| !bars.is_empty()).collect()
}

fn bars(table: &Table, row: &Row) -> Vec<Bar> {
    let best = |spins| table.best(row, |one| !one.is_quark() && one.spins == spins);
    let shown = [
        ("q0", table.quark(true)),
        ("p0", best(true)),
        ("q1", table.quark(false)),
        ("p1", best(false)),
    ];
    let bar = |(class, index): (&'static str, Option<usize>)| {
        let index = index?;
        // A logarithmic axis has no place for nothing.
        let spread = row.cells.get(index)?.spread.filter(|one| one.least > 0.0)?;
        Some(Bar {
            class,
            label: table.contenders[index].title(),
            median: spread.median,
            least: spread.least,
            most: spread.most,
        })
    };
    shown.into_iter().filter_map(bar).collect()
}

fn head(out: &mut String, table: &Table, height: f64) {
    let subtitle = table.head.as_ref().map_or(String::new(), |head| {
        let machine = &head.machine;
        let day = head.date.split('T').next().unwrap_or_default();
        format!(
            "{}, {} cores, Linux {}, {day}",
            machine.cpu, machine.cores, machine.kernel
        )
    });
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>Quark and its peers</title>\n<desc>{full}</desc>\n<style>\n{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"36\">Quark and the best of its peers</text>\n\
         <text class=\"quiet\" x=\"{LEFT}\" y=\"60\">{subtitle}</text>\n",
        full = escape(&subtitle),
        subtitle = escape(&fitted(&subtitle, END - LEFT)),
    );
    let legend = [
        ("q0", "Quark, spinning", LEFT),
        ("p0", "best peer that spins", LEFT + 140.0),
        ("q1", "Quark, parking", LEFT + 310.0),
        ("p1", "best peer that parks", LEFT + 440.0),
    ];
    let y = 88.0;
    for (class, label, x) in legend {
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{box_y}\" width=\"{BAR}\" height=\"{BAR}\"/>\
             <text x=\"{text}\" y=\"{y}\">{label}</text>",
            box_y = y - 11.0,
            text = x + 18.0,
        );
    }
    let _ = writeln!(
        out,
        "<text class=\"quiet\" x=\"{}\" y=\"{y}\">bars: medians; lines: least to most</text>",
        LEFT + 620.0
    );
}

impl Panel<'_> {
    fn height(&self) -> f64 {
        if self.rows.is_empty() {
            return 0.0;
        }
        let rows = self.rows.iter().map(|(_, bars)| row_height(bars));
        PANEL_HEAD + rows.sum::<f64>() + PANEL_FOOT
    }

    fn draw(&self, out: &mut String, top: f64) {
        let Some(axis) = Axis::over(self.rows.iter().flat_map(|(_, bars)| bars)) else {
            return;
        };
        let bottom = top + self.height() - PANEL_FOOT;
        let _ = writeln!(
            out,
            "<text class=\"panel\" x=\"{LEFT}\" y=\"{}\">{}</text>",
            top + 22.0,
            self.title
        );
        for value in axis.decades() {
            let x = axis.place(value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {begin}V{bottom}\"/>\
                 <text class=\"quiet middle\" x=\"{x:.1}\" y=\"{above}\">{label}</text>\
                 <text class=\"quiet middle\" x=\"{x:.1}\" y=\"{below}\">{label}</text>",
                begin = top + PANEL_HEAD - 8.0,
                above = top + PANEL_HEAD - 14.0,
                below = bottom + 16.0,
                label = self.tick(value),
            );
        }
        let mut y = top + PANEL_HEAD;
        for (row, bars) in &self.rows {
            draw_row(out, row, bars, axis, y);
            y += row_height(bars);
        }
    }

    /// A power of ten: no digits after the point.
    fn tick(&self, value: f64) -> String {
        self.unit
            .show(value)
            .replace(".00 ", " ")
            .replace(".0 ", " ")
    }
}

fn row_height(bars: &[Bar]) -> f64 {
    NAME + BAR_STEP * bars.len() as f64 + BETWEEN
}

fn draw_row(out: &mut String, row: &Row, bars: &[Bar], axis: Axis, top: f64) {
    let apart = row.apart.as_deref().unwrap_or_default();
    let _ = writeln!(
        out,
        "<text class=\"name\" x=\"{LEFT}\" y=\"{:.1}\">{}<tspan class=\"quiet\" dx=\"10\">{}</tspan></text>",
        top + 15.0,
        escape(row.figure.title),
        escape(apart),
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = top + NAME + BAR_STEP * index as f64;
        let [least, median, most] =
            [bar.least, bar.median, bar.most].map(|value| axis.place(value));
        let label = format!("{} · {}", row.figure.unit.show(bar.median), bar.label);
        let text = median.max(most) + 8.0;
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\"/>\
             <path class=\"range\" d=\"M{least:.1} {middle:.1}H{most:.1}\"/>\
             <text class=\"small\" x=\"{text:.1}\" y=\"{base:.1}\">{label}</text>",
            class = bar.class,
            width = median - LEFT,
            middle = y + BAR / 2.0,
            base = y + 10.5,
            label = escape(&fitted(&label, END - text)),
        );
    }
}

impl Axis {
    /// Decades that hold all bars, and room left of the least for it to be seen.
    fn over<'a>(bars: impl Iterator<Item = &'a Bar> + Clone) -> Option<Self> {
        let least = bars
            .clone()
            .map(|bar| bar.least)
            .fold(f64::INFINITY, f64::min);
        let most = bars.map(|bar| bar.most).fold(0.0, f64::max);
        if !(least > 0.0 && least <= most && most.is_finite()) {
            return None;
        }
        let begin = 10_f64.powf((least / 1.5).log10().floor());
        let end = 10_f64.powf(most.log10().ceil()).max(begin * 10.0);
        Some(Axis { begin, end })
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value / self.begin).ln() / (self.end / self.begin).ln();
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn decades(&self) -> Vec<f64> {
        let count = (self.end / self.begin).log10().round() as i32;
        let decade = |power| self.begin * 10_f64.powi(power);
        (0..=count).map(decade).collect()
    }
}

/// The page has its own ground, so that it is legible on any; it is dark where the reader's is.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif;fill:#1f2328}
.title{font-size:20px;font-weight:600}.panel{font-size:15px;font-weight:600}.name{font-weight:500}
.small{font-size:12px}.middle{text-anchor:middle}.quiet{fill:#59636e;font-weight:400}.page{fill:#ffffff}
.grid{stroke:#e3e6ea}.range{stroke:#1f2328;stroke-opacity:.65;stroke-width:1.5}
.q0{fill:#0b62c4}.q1{fill:#7fb0e6}.p0{fill:#c8500a}.p1{fill:#eba77c}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.quiet{fill:#9aa4af}.page{fill:#0d1117}.grid{stroke:#262c34}.range{stroke:#e6edf3}
.q0{fill:#58a6ff}.q1{fill:#2b5f9e}.p0{fill:#ff9b4f}.p1{fill:#9c5a2a}
}
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::Record;
    use crate::table::tests::{contender, run};

    fn records() -> Vec<Record> {
        let ring = |ns: f64| json!({"figures": {"hop_ns": ns}});
        let tell = |rate: f64| json!({"rate_per_s": rate, "figures": {"messages_per_s": rate}});
        vec![
            contender("Quark", "spin", true),
            contender("Quark", "park", false),
            contender("a<b", "pool", false),
            run(("Quark", "spin"), "ring", 110.0, ring(14.0)),
            run(("Quark", "park"), "ring", 110.0, ring(15.0)),
            run(("a<b", "pool"), "ring", 110.0, ring(44_000.0)),
            run(("Quark", "spin"), "tell-local", 110.0, tell(6e7)),
            run(("a<b", "pool"), "tell-local", 110.0, tell(0.0)),
        ]
    }

    #[test]
    fn bars_axes_and_names_are_all_there() {
        let text = draw(&Table::of(&records()));
        for said in [
            ">hop in a ring of 100 actors on one core<",
            ">14.0 ns · Quark, spin<",
            ">44.0 µs · a&lt;b (pool)<",
            ">60.0 M/s · Quark, spin<",
            ">Time (ns to µs, logarithmic; shorter is better)<",
            ">1 ns<",
            ">100 µs<",
            "prefers-color-scheme:dark",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
        assert_eq!(text.matches("class=\"range\"").count(), 4);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn bars_keep_within_the_axis() {
        let text = draw(&Table::of(&records()));
        let widths = text.split("<rect class=\"").skip(1).filter_map(|rest| {
            let rest = rest.split("/>").next()?;
            let is_bar = rest.contains(&format!("x=\"{LEFT}\""));
            let width = rest.split("width=\"").nth(1)?.split('"').next()?;
            is_bar.then(|| width.parse::<f64>().unwrap())
        });
        // The legend's boxes are no bars.
        let widths: Vec<f64> = widths.filter(|width| *width != BAR).collect();
        assert_eq!(widths.len(), 4);
        assert!(
            widths
                .iter()
                .all(|width| *width > 5.0 && *width <= RIGHT - LEFT)
        );
        assert!(widths[0] < widths[1] && widths[1] < widths[2], "{widths:?}");
    }

    #[test]
    fn nothing_measured_is_no_trouble() {
        let text = draw(&Table::of(&[]));
        assert!(
            text.ends_with("</svg>\n") && !text.contains("NaN"),
            "{text}"
        );
    }
}
