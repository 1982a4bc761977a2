//! Numbers as people read them: three digits, and the scale that suits them.

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Ns,
    PerS,
    Bytes,
    Percent,
}

impl Unit {
    pub(crate) fn small_is_better(self) -> bool {
        self != Unit::PerS
    }

    /// A number with its unit.
    pub(crate) fn show(self, value: f64) -> String {
        let (name, size) = self.scale(value);
        format!("{} {name}", significant(value / size))
    }

    /// Two numbers in the scale of a third, without it.
    pub(crate) fn range(self, least: f64, most: f64, scaled_as: f64) -> String {
        let size = self.scale(scaled_as).1;
        format!("{}–{}", significant(least / size), significant(most / size))
    }

    fn scale(self, value: f64) -> (&'static str, f64) {
        let scales: &[(&str, f64)] = match self {
            Unit::Ns => &[("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)],
            Unit::PerS => &[("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6), ("G/s", 1e9)],
            Unit::Bytes => &[("B", 1.0), ("kB", 1e3), ("MB", 1e6)],
            Unit::Percent => &[("%", 1.0)],
        };
        let fits = |(_, size): &&(&str, f64)| value.abs() >= 0.9995 * size;
        let found = scales.iter().rev().find(fits);
        *found.unwrap_or(&scales[0])
    }
}

/// Three significant digits; more, where there are more before the point.
pub(crate) fn significant(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

/// How many times as good; of small ones, two digits.
pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        small @ 1e-9..0.0995 => {
            let digits = (1.0 - small.log10().floor()) as usize;
            format!("{small:.digits$} ×")
        }
        other => format!("{} ×", significant(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wear_the_scale_that_suits_them() {
        assert_eq!(Unit::Ns.show(14.123), "14.1 ns");
        assert_eq!(Unit::Ns.show(44_100.0), "44.1 µs");
        assert_eq!(Unit::Ns.show(0.5), "0.50 ns");
        assert_eq!(Unit::PerS.show(25_130_000.0), "25.1 M/s");
        assert_eq!(Unit::PerS.show(999_800.0), "1.00 M/s");
        assert_eq!(Unit::Bytes.show(742.0), "742 B");
        assert_eq!(Unit::Bytes.show(2_600.0), "2.60 kB");
        assert_eq!(Unit::Percent.show(0.0), "0 %");
        assert_eq!(Unit::Percent.show(199.6), "200 %");
        assert_eq!(Unit::Bytes.show(-3.0), "-3.00 B");
        assert_eq!(Unit::PerS.range(9e5, 31e6, 2e6), "0.90–31.0");
    }

    #[test]
    fn small_ratios_are_not_nothing() {
        assert_eq!(times(2.5), "2.50 ×");
        assert_eq!(times(104.2), "104 ×");
        assert_eq!(times(0.0038), "0.0038 ×");
        assert_eq!(times(0.095), "0.095 ×");
        assert_eq!(times(0.0), "0 ×");
    }
}
