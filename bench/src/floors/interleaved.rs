//! A floor taken before, between and after the parts of a workload: for what changes its mind within
//! seconds, as disks do.

use super::{Floor, median};

/// Parts and floors as they come.
#[derive(Debug)]
pub struct Interleaved {
    floors: Vec<Floor>,
    ratios: Vec<f64>,
}

/// What parts and floors came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    /// The middle one of all floors.
    pub floor: Floor,
    /// The lowest and the highest.
    pub range: (f64, f64),
    /// The middle one of the ratios of each part to the mean of the floors beside it.
    pub ratio: f64,
    /// The lowest and the highest.
    pub ratios: (f64, f64),
}

impl Interleaved {
    /// Begins with the floor before the first part; `None` where there is none.
    #[must_use]
    pub fn begin(floor: Option<Floor>) -> Self {
        Interleaved {
            floors: floor.into_iter().collect(),
            ratios: Vec::new(),
        }
    }

    /// Adds a part, `measured` in the floor's unit, and the floor after it.
    pub fn then(&mut self, measured: f64, floor: Option<Floor>) {
        if let (Some(before), Some(after)) = (self.floors.last(), &floor) {
            self.ratios
                .push(measured * 2.0 / (before.value + after.value));
        }
        self.floors.extend(floor);
    }

    /// What it came to; `None` where there is no floor, or one that is nothing.
    #[must_use]
    pub fn end(self) -> Option<Sides> {
        let values: Vec<f64> = self.floors.iter().map(|floor| floor.value).collect();
        if self.ratios.is_empty() || values.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let p99: Vec<f64> = self.floors.iter().filter_map(|floor| floor.p99).collect();
        let (range, ratios) = (range(&values), range(&self.ratios));
        Some(Sides {
            floor: Floor {
                value: median(values),
                p99: (!p99.is_empty()).then(|| median(p99)),
                ..self.floors.into_iter().next()?
            },
            range,
            ratio: median(self.ratios),
            ratios,
        })
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(0.0, f64::max);
    (lowest, highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(value: f64) -> Option<Floor> {
        Some(Floor {
            name: "x",
            value,
            unit: "saves/s",
            p99: Some(value / 10.0),
        })
    }

    #[test]
    fn each_part_is_held_against_the_floors_beside_it() {
        let mut sides = Interleaved::begin(floor(100.0));
        sides.then(100.0, floor(300.0));
        sides.then(300.0, floor(100.0));
        sides.then(100.0, floor(100.0));
        let sides = sides.end().unwrap();
        assert_eq!((sides.ratio, sides.ratios), (1.0, (0.5, 1.5)));
        assert_eq!((sides.floor.value, sides.range), (100.0, (100.0, 300.0)));
        assert_eq!(sides.floor.p99, Some(10.0));
    }

    #[test]
    fn nothing_is_held_against_nothing() {
        let mut none = Interleaved::begin(None);
        none.then(1.0, None);
        assert_eq!(none.end(), None);
        let mut interrupted = Interleaved::begin(floor(0.0));
        interrupted.then(0.0, floor(0.0));
        assert_eq!(interrupted.end(), None);
        assert_eq!(Interleaved::begin(floor(1.0)).end(), None);
    }
}
