//! The lead asked of Quark, and whether it is there.

use crate::contender::Contender;
use crate::figures::Lead;
use crate::table::{Row, Table};

/// One thing asked of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Twice,
    Ahead,
    AheadOrLevel,
    TwiceByKey,
    AheadOfSpawning,
}

/// How Quark stands to those it is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) held: bool,
    /// Times as good as `against`.
    pub(crate) ratio: f64,
    /// The contender that decides it.
    pub(crate) against: usize,
}

/// Level is what no more than this is missing from: runs differ by as much.
pub(crate) const LEVEL: f64 = 0.95;

impl Asked {
    pub(crate) fn of(lead: Lead) -> &'static [Asked] {
        match lead {
            Lead::Twice => &[Asked::Twice],
            Lead::TwiceByKey => &[Asked::TwiceByKey, Asked::AheadOfSpawning],
            Lead::Ahead => &[Asked::Ahead],
            Lead::AheadOrLevel => &[Asked::AheadOrLevel],
            Lead::None => &[],
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Asked::Twice => "≥ 2 ×",
            Asked::Ahead => "> 1 ×",
            Asked::AheadOrLevel => "> 1 ×; level with AetherFlow spinning",
            Asked::TwiceByKey => "≥ 2 × peers with actors by key",
            Asked::AheadOfSpawning => "> 1 × peers that spawn",
        }
    }

    /// How Quark's `quark` stands in `row` to those peers that `who` lets through. None if there
    /// is nobody to be held against.
    pub(crate) fn verdict(
        self,
        table: &Table,
        row: &Row,
        quark: usize,
        who: impl Fn(&Contender) -> bool,
    ) -> Option<Verdict> {
        let own = Table::median(row, quark)?;
        let peers = table.contenders.iter().enumerate();
        let peers = peers.filter(|(_, peer)| !peer.is_quark() && who(peer));
        let verdicts = peers.filter_map(|(against, peer)| {
            let needed = self.needed(peer)?;
            let ratio = row.figure.ratio(own, Table::median(row, against)?)?;
            let held = if needed == 1.0 {
                ratio > 1.0
            } else {
                ratio >= needed
            };
            let verdict = Verdict {
                held,
                ratio,
                against,
            };
            Some((ratio / needed, verdict))
        });
        let worst = verdicts.min_by(|(one, _), (other, _)| one.total_cmp(other));
        worst.map(|(_, verdict)| verdict)
    }

    /// How many times as good as `peer` Quark has to be; none if that does not matter.
    fn needed(self, peer: &Contender) -> Option<f64> {
        match self {
            Asked::Twice => Some(2.0),
            Asked::Ahead => Some(1.0),
            Asked::AheadOrLevel => {
                let is_aetherflow = peer.name.eq_ignore_ascii_case("aetherflow");
                Some(if is_aetherflow && peer.spins {
                    LEVEL
                } else {
                    1.0
                })
            }
            Asked::TwiceByKey => peer.is_virtual.then_some(2.0),
            Asked::AheadOfSpawning => (!peer.is_virtual).then_some(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::tests::{contender, run};

    #[test]
    fn whoever_is_closest_to_what_is_asked_decides() {
        let line = |rate: f64| json!({"rate_per_s": rate, "figures": {"activations_per_s": rate}});
        let table = Table::of(&[
            contender("Quark", "spin", true),
            contender("spawner", "one", false),
            contender("keyed", "one", false),
            run(("Quark", "spin"), "activate", 110.0, line(5e6)),
            run(("spawner", "one"), "activate", 110.0, line(4e6)),
            run(("keyed", "one"), "activate", 110.0, line(3e6)),
        ]);
        let row = &table.rows[0];
        let asked = Asked::of(row.figure.lead);
        let by_key = asked[0].verdict(&table, row, 0, |_| true).unwrap();
        assert!(!by_key.held && by_key.against == 2);
        let spawning = asked[1].verdict(&table, row, 0, |_| true).unwrap();
        assert!(spawning.held && spawning.against == 1);
        assert_eq!(spawning.ratio, 1.25);
        assert_eq!(asked[0].verdict(&table, row, 0, |peer| peer.spins), None);
    }

    #[test]
    fn level_is_enough_against_aetherflow_only() {
        let line = |ns: f64| json!({"figures": {"message_ns": ns}});
        let peers = [
            ("aetherflow", true, true),
            ("aetherflow", false, false),
            ("acme", true, false),
        ];
        for (name, spins, held) in peers {
            let table = Table::of(&[
                contender("Quark", "spin", true),
                contender(name, "one", spins),
                run(("Quark", "spin"), "ping-pong", 110.0, line(102.0)),
                run((name, "one"), "ping-pong", 110.0, line(100.0)),
            ]);
            let asked = Asked::of(table.rows[0].figure.lead)[0];
            let verdict = asked.verdict(&table, &table.rows[0], 0, |_| true).unwrap();
            assert_eq!(verdict.held, held, "{name} {spins}");
        }
    }

    #[test]
    fn twice_is_twice() {
        let line = |ns: f64| json!({"figures": {"ask_ns": ns, "batch_median_ns": ns}});
        for (quark, held) in [(50.0, true), (51.0, false)] {
            let table = Table::of(&[
                contender("Quark", "spin", true),
                contender("acme", "one", false),
                run(("Quark", "spin"), "ask-local", 110.0, line(quark)),
                run(("acme", "one"), "ask-local", 110.0, line(100.0)),
            ]);
            let verdict = Asked::Twice.verdict(&table, &table.rows[0], 0, |_| true);
            assert_eq!(verdict.unwrap().held, held);
        }
    }
}
