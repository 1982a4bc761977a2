//! Numbers as people read them: three digits, and the unit that suits them.

/// A duration in the unit that suits it.
pub(crate) fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", significant(value))
}

/// A number of something, in thousands, millions or billions where it is large.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    let (value, scale) = match value {
        value if value < 999.5 => (value, ""),
        value if value < 999.5e3 => (value / 1e3, "k "),
        value if value < 999.5e6 => (value / 1e6, "M "),
        value => (value / 1e9, "G "),
    };
    format!("{} {scale}{unit}", significant(value))
}

/// Three significant digits, and no more of them after the point than that.
pub(crate) fn significant(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wear_the_unit_that_suits_them() {
        assert_eq!(time(0.0), "0 ns");
        assert_eq!(time(1.894), "1.89 ns");
        assert_eq!(time(999.6), "1.000 µs".replace("1.000", "1.00"));
        assert_eq!(time(12_345.0), "12.3 µs");
        assert_eq!(time(2e9), "2 s");
        assert_eq!(quantity(25_130_000.0, "asks/s"), "25.1 M asks/s");
        assert_eq!(quantity(3e9, "hops"), "3 G hops");
        assert_eq!(significant(0.0312), "0.031");
        assert_eq!(significant(-123.4), "-123");
    }
}
