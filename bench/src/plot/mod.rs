//! Pictures of latency by percentile, as SVG.
//!
//! Written by hand: what a drawing crate has more (other charts, other backends) is not needed,
//! and what is needed (a percentile axis, colours for a light and a dark page) it has not.

mod axis;
mod svg;

use std::fmt::Write as _;

use crate::distribution::Distribution;
use crate::units::time;
use axis::{Latencies, Percentiles, Tick};
use svg::{escape, fitted};

/// A picture in the making.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// What is shown.
    pub title: String,
    /// Below it: the machine and the date.
    pub subtitle: String,
    /// The curves, in the order of the legend.
    pub series: Vec<Series>,
    /// Limits to hold them against.
    pub limits: Vec<Limit>,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls it.
    pub label: String,
    /// What is drawn.
    pub distribution: Distribution,
}

/// A latency that should not be exceeded.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What it is the limit of.
    pub label: String,
    /// Nanoseconds.
    pub ns: f64,
}

const WIDTH: f64 = 960.0;
/// The area of the curves.
const LEFT: f64 = 92.0;
const RIGHT: f64 = 928.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 484.0;
/// The legend, below the axis and its title.
const LEGEND: f64 = BOTTOM + 98.0;
const ROW: f64 = 22.0;
/// Where the columns of the legend end.
const COLUMNS: [(&str, Option<f64>, f64); 5] = [
    ("p50", Some(0.5), RIGHT - 340.0),
    ("p90", Some(0.9), RIGHT - 255.0),
    ("p99", Some(0.99), RIGHT - 170.0),
    ("p99.9", Some(0.999), RIGHT - 85.0),
    ("max", None, RIGHT),
];
/// Colours of curves on a light and on a dark page; after the last, dashed ones follow.
const COLOURS: [(&str, &str); 8] = [
    ("#0b62c4", "#58a6ff"),
    ("#c8500a", "#ff9b4f"),
    ("#0a7d4f", "#3fcf8e"),
    ("#a8327a", "#f08cc6"),
    ("#8a6a00", "#e3c04a"),
    ("#5b3fc4", "#b39dff"),
    ("#0b7f8c", "#4fd0de"),
    ("#6b6b6b", "#b8b8b8"),
];
const DASHES: [&str; 4] = ["none", "8 4", "2 4", "10 3 2 3"];

impl Plot {
    /// Shows `limits` too, each once.
    pub fn hold_against(&mut self, limits: &[Limit]) {
        for limit in limits {
            if !self.limits.contains(limit) {
                self.limits.push(limit.clone());
            }
        }
    }

    /// The picture. Without curves, the frame alone.
    #[must_use]
    pub fn draw(&self) -> String {
        let across = Percentiles::over(self.distributions());
        let up = Latencies::over(
            self.distributions(),
            self.limits.iter().map(|limit| limit.ns),
        );
        let height = LEGEND + ROW * self.series.len() as f64 + 20.0;
        let mut out = String::new();
        self.head(&mut out, height);
        grid(&mut out, &across, &up);
        for limit in &self.limits {
            draw_limit(&mut out, limit, &up);
        }
        for (index, series) in self.series.iter().enumerate() {
            curve(&mut out, index, series, &across, &up);
        }
        self.legend(&mut out);
        out.push_str("</svg>\n");
        out
    }

    fn distributions(&self) -> impl Iterator<Item = &Distribution> + Clone {
        self.series.iter().map(|series| &series.distribution)
    }

    fn head(&self, out: &mut String, height: f64) {
        let (title, subtitle) = (escape(&self.title), escape(&self.subtitle));
        let curves: Vec<&str> = self.series.iter().map(|one| one.label.as_str()).collect();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
             <title>{title}</title>\n<desc>{subtitle}; curves: {}</desc>\n\
             <style>\n{}</style>\n\
             <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"36\">{}</text>\n\
             <text class=\"quiet\" x=\"{LEFT}\" y=\"60\">{}</text>\n",
            escape(&curves.join(", ")),
            style(self.series.len()),
            escape(&fitted(&self.title, RIGHT - LEFT, 20.0)),
            escape(&fitted(&self.subtitle, RIGHT - LEFT, 13.0)),
        );
    }

    fn legend(&self, out: &mut String) {
        for (name, _, end) in COLUMNS {
            let y = LEGEND - ROW;
            let _ = writeln!(
                out,
                "<text class=\"quiet end\" x=\"{end}\" y=\"{y}\">{name}</text>"
            );
        }
        for (
            index,
            Series {
                label,
                distribution,
            },
        ) in self.series.iter().enumerate()
        {
            let y = LEGEND + ROW * index as f64;
            let room = COLUMNS[0].2 - 70.0 - LEFT - 40.0;
            let _ = writeln!(
                out,
                "<path class=\"curve c{index}\" d=\"M{LEFT} {line}h28\"/>\
                 <text x=\"{text}\" y=\"{y}\">{label}</text>",
                line = y - 4.0,
                text = LEFT + 40.0,
                label = escape(&fitted(label, room, 13.0)),
            );
            for (_, quantile, end) in COLUMNS {
                let ns = quantile.map_or(distribution.max(), |quantile| distribution.at(quantile));
                let _ = writeln!(
                    out,
                    "<text class=\"end\" x=\"{end}\" y=\"{y}\">{}</text>",
                    time(ns)
                );
            }
        }
    }
}

fn grid(out: &mut String, across: &Percentiles, up: &Latencies) {
    for Tick { at, label } in across.ticks() {
        let x = LEFT + at * (RIGHT - LEFT);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>\
             <text class=\"middle\" x=\"{x:.1}\" y=\"{y}\">{label}</text>",
            y = BOTTOM + 20.0
        );
    }
    for Tick { at, label } in up.ticks() {
        let y = BOTTOM - at * (BOTTOM - TOP);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
             <text class=\"end\" x=\"{x}\" y=\"{text:.1}\">{label}</text>",
            x = LEFT - 8.0,
            text = y + 4.5
        );
    }
    let (x, y) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(TOP, BOTTOM));
    let _ = writeln!(
        out,
        "<path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>\n\
         <text class=\"quiet middle\" x=\"{x}\" y=\"{below}\">\
         Percentile (% of samples, logarithmic towards 100 %)</text>\n\
         <text class=\"quiet middle\" transform=\"translate(22 {y}) rotate(-90)\">{}</text>",
        up.title(),
        below = BOTTOM + 44.0
    );
}

fn draw_limit(out: &mut String, Limit { label, ns }: &Limit, up: &Latencies) {
    let y = BOTTOM - up.place(*ns) * (BOTTOM - TOP);
    let _ = writeln!(
        out,
        "<path class=\"limit\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
         <text class=\"limits\" x=\"{x}\" y=\"{text:.1}\">{label}</text>",
        x = LEFT + 8.0,
        text = y - 6.0,
        label = escape(&fitted(label, RIGHT - LEFT, 13.0)),
    );
}

fn curve(out: &mut String, index: usize, series: &Series, across: &Percentiles, up: &Latencies) {
    let mut path = String::new();
    let mut end = (LEFT, BOTTOM);
    for point in series.distribution.points() {
        end = (
            LEFT + across.place(point.quantile, &series.distribution) * (RIGHT - LEFT),
            BOTTOM - up.place(point.ns) * (BOTTOM - TOP),
        );
        let verb = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{verb}{:.1} {:.1}", end.0, end.1);
    }
    let _ = writeln!(
        out,
        "<g><title>{}</title><path class=\"curve c{index}\" d=\"{path}\"/>\
         <circle class=\"d{index}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"/></g>",
        escape(&series.label),
        end.0,
        end.1
    );
}

/// The page has its own ground, so that it is legible on any; it is dark where the reader's is.
fn style(curves: usize) -> String {
    let mut style = String::from(
        "text{font:13px system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif;fill:#1f2328}\n\
         .title{font-size:20px;font-weight:600}.middle{text-anchor:middle}.end{text-anchor:end}\n\
         .quiet{fill:#59636e}.page{fill:#ffffff}.grid{stroke:#e3e6ea}.axis{stroke:#59636e;fill:none}\n\
         .limit{stroke:#cf222e;stroke-dasharray:6 4}.limits{fill:#cf222e}\n\
         .curve{fill:none;stroke-width:2;stroke-linejoin:round}\n",
    );
    let mut dark = String::from(
        "@media (prefers-color-scheme:dark){\n\
         text{fill:#e6edf3}.quiet{fill:#9aa4af}.page{fill:#0d1117}.grid{stroke:#262c34}\n\
         .axis{stroke:#9aa4af}.limit{stroke:#ff7b72}.limits{fill:#ff7b72}\n",
    );
    for index in 0..curves {
        let (on_light, on_dark) = COLOURS[index % COLOURS.len()];
        let dash = DASHES[index / COLOURS.len() % DASHES.len()];
        let _ = writeln!(
            style,
            ".c{index}{{stroke:{on_light};stroke-dasharray:{dash}}}.d{index}{{fill:{on_light}}}"
        );
        let _ = writeln!(
            dark,
            ".c{index}{{stroke:{on_dark}}}.d{index}{{fill:{on_dark}}}"
        );
    }
    style + &dark + "}\n"
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    fn series(label: &str, values: impl IntoIterator<Item = u64>) -> Series {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for ns in values {
            histogram.record(ns).unwrap();
        }
        Series {
            label: label.to_owned(),
            distribution: Distribution::of(&histogram).unwrap(),
        }
    }

    #[test]
    fn curves_axes_and_legend_are_all_there() {
        let plot = Plot {
            title: "Latency by percentile".to_owned(),
            subtitle: "A <machine> & more, 2026-11-20".to_owned(),
            series: vec![
                series("ask-cross", (100..10_000).map(|ns| ns * 3)),
                series("a<b", 50..60),
            ],
            limits: vec![Limit {
                label: "a tick".to_owned(),
                ns: 20_000.0,
            }],
        };
        let text = plot.draw();
        assert_eq!(text.matches("<circle").count(), 2);
        for said in [
            ">90 %<",
            ">99.9 %<",
            ">10 µs<",
            ">ask-cross<",
            "a&lt;b",
            "A &lt;machine&gt; &amp; more",
            ">a tick<",
            "Percentile (%",
            "Latency",
            ">p99.9<",
            "prefers-color-scheme:dark",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn curves_stay_within_the_frame_and_rise() {
        let plot = Plot {
            series: vec![series("one", 1..100_000)],
            ..Plot::default()
        };
        let text = plot.draw();
        let path = text.lines().find(|line| line.starts_with("<g>")).unwrap();
        let path = path.split("d=\"M").nth(1).unwrap();
        let path = path.split('"').next().unwrap();
        let mut last = (LEFT, BOTTOM);
        for point in path.split('L') {
            let (x, y) = point.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((last.0 - 0.1..=RIGHT + 0.1).contains(&x), "{x} {last:?}");
            assert!((TOP - 0.1..=last.1 + 0.1).contains(&y), "{y} {last:?}");
            last = (x, y);
        }
        assert!(last.0 > RIGHT - 60.0 && last.1 < f64::midpoint(TOP, BOTTOM));
    }

    #[test]
    fn nothing_or_one_value_is_no_trouble() {
        assert!(Plot::default().draw().ends_with("</svg>\n"));
        let one = Plot {
            series: vec![series("one", [7]), series("none", [0])],
            ..Plot::default()
        };
        let text = one.draw();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }

    #[test]
    fn many_curves_differ() {
        let plot = Plot {
            series: (0..20)
                .map(|index| series(&format!("run {index}"), index..index + 9))
                .collect(),
            ..Plot::default()
        };
        let text = style(plot.series.len());
        let looks = text.lines().filter(|line| line.starts_with(".c"));
        let looks = looks.filter_map(|line| line.split('{').nth(1)?.split('}').next());
        let mut looks: Vec<&str> = looks.filter(|look| look.starts_with("stroke:#")).collect();
        looks.retain(|look| look.contains("dasharray"));
        let all = looks.len();
        looks.sort_unstable();
        looks.dedup();
        assert_eq!((all, looks.len()), (20, 20));
    }
}
