//! The two axes: from a value to its place, and the ticks along it.

use crate::distribution::Distribution;
use crate::units::{significant, time};

/// A mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// From 0 to 1 along the axis.
    pub(super) at: f64,
    pub(super) label: String,
}

/// Percentiles: every further nine takes as much room as the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Percentiles {
    /// Nines at the end of the axis.
    end: f64,
}

/// Fewer than 1 in a billion is beyond what is ever counted here.
const MOST_NINES: f64 = 9.0;
/// So far apart, the label of the median has room.
const ROOM_FOR_MEDIAN: f64 = 7.0;

impl Percentiles {
    pub(super) fn over<'a>(distributions: impl Iterator<Item = &'a Distribution>) -> Self {
        let end = distributions.map(last_nines).fold(2.0, f64::max);
        Percentiles { end: end * 1.02 }
    }

    /// The longest of all has no percentile below 100: its place is that of one in so many.
    pub(super) fn place(&self, quantile: f64, of: &Distribution) -> f64 {
        nines(quantile).min(last_nines(of)) / self.end
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        let tick = |at: f64, label: String| Tick {
            at: at / self.end,
            label,
        };
        let mut ticks = vec![tick(0.0, "0 %".to_owned())];
        if self.end < ROOM_FOR_MEDIAN {
            ticks.push(tick(nines(0.5), "50 %".to_owned()));
        }
        for nine in 1..=self.end as i32 {
            let decimals = usize::try_from(nine - 2).unwrap_or(0);
            let percent = 100.0 - 10_f64.powi(2 - nine);
            ticks.push(tick(f64::from(nine), format!("{percent:.decimals$} %")));
        }
        ticks
    }
}

fn nines(quantile: f64) -> f64 {
    (-(1.0 - quantile).log10()).clamp(0.0, MOST_NINES)
}

fn last_nines(distribution: &Distribution) -> f64 {
    let below = distribution.points().iter().rev();
    let below = below.map(|point| point.quantile).find(|last| *last < 1.0);
    let all = (distribution.count().max(1) as f64).log10();
    all.min(MOST_NINES).max(nines(below.unwrap_or(0.0)))
}

/// Latencies: evenly from zero where they lie close together, else by decades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Latencies {
    /// From 0 to `end` in steps of `step`, both nanoseconds.
    Even { end: f64, step: f64 },
    /// From `begin` to `end` nanoseconds, each ten times as long as far again.
    Decades { begin: f64, end: f64 },
}

/// Times the shortest that an even axis still shows well.
const FAR_APART: f64 = 25.0;
/// Steps of an even axis, about.
const STEPS: f64 = 6.0;
/// Decades at most with a tick in between.
const FEW_DECADES: f64 = 3.0;

impl Latencies {
    pub(super) fn over<'a>(
        distributions: impl Iterator<Item = &'a Distribution> + Clone,
        limits: impl Iterator<Item = f64> + Clone,
    ) -> Self {
        let longest = distributions.clone().map(Distribution::max);
        let longest = longest.chain(limits.clone()).fold(1.0, f64::max);
        // Below a nanosecond there is nothing to be seen.
        let shortest = distributions.map(|one| one.min().max(1.0));
        let shortest = shortest.chain(limits).fold(longest, f64::min);
        if longest > shortest * FAR_APART {
            return Latencies::Decades {
                begin: round(shortest, f64::floor),
                end: round(longest * 1.05, f64::ceil),
            };
        }
        let longest = longest * 1.05;
        let step = round(longest / STEPS, f64::ceil);
        Latencies::Even {
            end: (longest / step).ceil() * step,
            step,
        }
    }

    pub(super) fn place(&self, ns: f64) -> f64 {
        match *self {
            Latencies::Even { end, .. } => ns / end,
            Latencies::Decades { begin, end } => (ns.max(begin) / begin).ln() / (end / begin).ln(),
        }
    }

    pub(super) fn title(&self) -> String {
        match self {
            Latencies::Even { end, .. } => format!("Latency ({})", unit(*end).1),
            Latencies::Decades { begin, end } => match (short_unit(*begin), short_unit(*end)) {
                (first, last) if first == last => format!("Latency ({first}, logarithmic)"),
                (first, last) => format!("Latency ({first} to {last}, logarithmic)"),
            },
        }
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        match *self {
            Latencies::Even { end, step } => (0..=(end / step).round() as u32)
                .map(|index| {
                    let ns = f64::from(index) * step;
                    Tick {
                        at: self.place(ns),
                        label: significant(ns / unit(end).0),
                    }
                })
                .collect(),
            Latencies::Decades { begin, end } => {
                let decades = (end / begin).log10();
                let within: &[f64] = if decades <= FEW_DECADES {
                    &[1.0, 2.0, 5.0]
                } else {
                    &[1.0]
                };
                let first = begin.log10().floor() as i32;
                let last = end.log10().ceil() as i32;
                (first..=last)
                    .flat_map(|decade| within.iter().map(move |part| part * 10_f64.powi(decade)))
                    .filter(|ns| (begin * 0.999..=end * 1.001).contains(ns))
                    .map(|ns| Tick {
                        at: self.place(ns),
                        label: time(ns),
                    })
                    .collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten that is next to `value`: below it by `floor`, above by `ceil`.
fn round(value: f64, direction: fn(f64) -> f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|part| part * decade);
    let up = direction(0.5) > 0.5;
    let found = if up {
        steps.into_iter().find(|step| *step >= value * 0.999_999)
    } else {
        steps
            .into_iter()
            .rev()
            .find(|step| *step <= value * 1.000_001)
    };
    found.unwrap_or(decade)
}

/// The unit of a tick at `ns`.
fn short_unit(ns: f64) -> String {
    let label = time(ns);
    label.split(' ').next_back().unwrap_or_default().to_owned()
}

/// Nanoseconds in the unit that suits an axis up to `end`, and its name.
fn unit(end: f64) -> (f64, &'static str) {
    match end {
        end if end < 2e3 => (1.0, "ns"),
        end if end < 2e6 => (1e3, "µs"),
        end if end < 2e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Point;

    fn between(ns: [f64; 2], count: u64) -> Distribution {
        let point = |ns, quantile, count| Point {
            ns,
            quantile,
            count,
        };
        Distribution::new(vec![point(ns[0], 0.0, 1), point(ns[1], 1.0, count)]).unwrap()
    }

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn nines_take_the_same_room() {
        let many = between([1.0, 2.0], 100_000);
        let axis = Percentiles::over(std::iter::once(&many));
        let ticks = axis.ticks();
        assert_eq!(
            labels(&ticks),
            [
                "0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"
            ]
        );
        let gap = ticks[3].at - ticks[2].at;
        assert!((ticks[4].at - ticks[3].at - gap).abs() < 1e-9);
        assert!((axis.place(0.9, &many) - ticks[2].at).abs() < 1e-9);
        // The longest of 100,000 stands where 1 in 100,000 does.
        assert!((axis.place(1.0, &many) - ticks[6].at).abs() < 1e-9);
    }

    #[test]
    fn close_latencies_are_shown_evenly_and_from_zero() {
        let one = between([8e6, 41e6], 100);
        let axis = Latencies::over(std::iter::once(&one), std::iter::once(50e6));
        assert_eq!(axis.title(), "Latency (ms)");
        let ticks = axis.ticks();
        assert_eq!(labels(&ticks), ["0", "10", "20", "30", "40", "50", "60"]);
        assert!((axis.place(30e6) - ticks[3].at).abs() < 1e-9);
    }

    #[test]
    fn latencies_far_apart_are_shown_by_decades() {
        let (one, other) = (between([120.0, 9e3], 100), between([2e6, 30e6], 100));
        let axis = Latencies::over([&one, &other].into_iter(), std::iter::empty());
        assert_eq!(
            axis,
            Latencies::Decades {
                begin: 100.0,
                end: 5e7
            }
        );
        assert_eq!(
            labels(&axis.ticks()),
            ["100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms"]
        );
        assert_eq!(axis.title(), "Latency (ns to ms, logarithmic)");
        assert_eq!(axis.place(100.0), 0.0);
        assert!((axis.place(5e7) - 1.0).abs() < 1e-9);
    }
}
