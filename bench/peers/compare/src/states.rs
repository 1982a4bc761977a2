//! How far apart the two cores were. Virtual cores come nearer and go farther as their host sees
//! fit, by a factor of four or five; what was measured near must not be held against what was
//! measured far.

use crate::record::Run;
use crate::spread::Spread;
use crate::units::Unit;

/// How far apart the cores were during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Near,
    Far,
    /// Not the same before as after.
    Drifting,
    /// Nobody could say.
    Unknown,
}

/// The states of one comparison.
#[derive(Clone, Debug)]
pub(crate) struct States {
    border_ns: f64,
    near: Option<Spread>,
    far: Option<Spread>,
}

/// Times the shortest round trip seen that is far.
const FAR: f64 = 1.8;

impl States {
    pub(crate) fn of<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> Self {
        let floors = runs
            .filter_map(|run| run.floors_ns)
            .flat_map(|(before, after)| [before, after]);
        let border_ns = FAR * floors.clone().fold(f64::INFINITY, f64::min);
        States {
            border_ns,
            near: Spread::of(floors.clone().filter(|ns| *ns < border_ns)),
            far: Spread::of(floors.filter(|ns| *ns >= border_ns)),
        }
    }

    pub(crate) fn during(&self, run: &Run) -> State {
        let Some((before, after)) = run.floors_ns else {
            return State::Unknown;
        };
        match (before < self.border_ns, after < self.border_ns) {
            (true, true) => State::Near,
            (false, false) => State::Far,
            _ => State::Drifting,
        }
    }

    /// What a row of that state says of it.
    pub(crate) fn title(&self, state: State) -> Option<String> {
        let (name, floors) = match state {
            State::Near => ("near", self.near),
            State::Far => ("far", self.far),
            State::Drifting | State::Unknown => return None,
        };
        let apart = Unit::Ns.show(floors?.median);
        // Near and far are words for two of them.
        Some(match (self.near, self.far) {
            (Some(_), Some(_)) => format!("cores {name}, {apart} apart"),
            _ => format!("cores {apart} apart"),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn run(floors_ns: Option<(f64, f64)>) -> Run {
        Run {
            round: 1,
            name: "acme".to_owned(),
            mode: "one".to_owned(),
            workload: "ring".to_owned(),
            floors_ns,
            line: None,
            failed: None,
        }
    }

    #[test]
    fn near_and_far_are_told_apart() {
        let runs = [
            run(Some((110.0, 114.0))),
            run(Some((112.0, 500.0))),
            run(Some((480.0, 510.0))),
            run(None),
        ];
        let states = States::of(runs.iter());
        let seen: Vec<_> = runs.iter().map(|run| states.during(run)).collect();
        let expected = [State::Near, State::Drifting, State::Far, State::Unknown];
        assert_eq!(seen, expected);
        let title = states.title(State::Near).unwrap();
        assert_eq!(title, "cores near, 112 ns apart");
        assert_eq!(states.title(State::Far).unwrap(), "cores far, 500 ns apart");
        assert_eq!(states.title(State::Unknown), None);
    }

    #[test]
    fn one_state_is_neither_near_nor_far() {
        let states = States::of([run(Some((550.0, 560.0)))].iter());
        let title = states.title(State::Near);
        assert_eq!(title.as_deref(), Some("cores 555 ns apart"));
    }

    #[test]
    fn without_floors_nothing_is_known() {
        let runs = [run(None)];
        let states = States::of(runs.iter());
        assert_eq!(states.during(&runs[0]), State::Unknown);
        assert_eq!(states.title(State::Near), None);
    }
}
