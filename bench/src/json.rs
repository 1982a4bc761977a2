//! `--format json`: one object per line and workload.

use std::io::{self, Write};

use crate::report::Report;

/// Writes one report as one line.
///
/// # Errors
///
/// What `out` says.
pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    serde_json::to_writer(&mut *out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::Idle;
    use crate::report::tests::{ground, sample};
    use crate::workloads;

    fn line(report: &Report) -> String {
        let mut out = Vec::new();
        write(&mut out, report).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_field_of_the_contract_in_its_order() {
        assert_eq!(
            line(&sample()),
            r#"{"workload":"ask-cross","shards":2,"idle":"spin","driver":"uring","count":4000,"seconds":0.5,"#
                .to_owned()
                + r#""rate_per_s":8000.0,"latency_ns":{"mean":130.0,"p50":120,"p90":160,"#
                + r#""p99":160,"p999":160,"max":160},"floor":{"name":"cache-line round trip","#
                + r#""value":100.0,"unit":"ns"},"ratio":1.2,"figures":{"floor_before":101.0,"#
                + r#""floor_after":100.0,"unanswered":0}}"#
                + "\n"
        );
    }

    #[test]
    fn what_has_no_meaning_is_null() {
        let workload = workloads::find("idle").unwrap();
        let report = Report::new(
            workload,
            ground(1, Idle::Adaptive),
            0,
            Duration::from_secs(2),
        );
        let line = line(
            &report
                .figure("cpu_percent", f64::NAN)
                .figure("interrupted", true),
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["idle"], "adaptive");
        for field in ["latency_ns", "floor", "ratio"] {
            assert!(
                value.get(field).is_some_and(serde_json::Value::is_null),
                "{field}"
            );
        }
        assert!(value["figures"]["cpu_percent"].is_null());
        assert_eq!(value["figures"]["interrupted"], true);
    }
}
