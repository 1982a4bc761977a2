//! Whatever may be kept, and the names that stay free.
#![deny(warnings)]

use std::collections::BTreeMap;

use quark::{Old, State, Stateful, UpgradeError, Versioned, actor};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Hidden {
    names: BTreeMap<String, u64>,
}

impl Versioned for Hidden {
    const VERSION: u32 = 3;

    fn upgrade(_: u32, old: Old<'_>) -> Result<Self, UpgradeError> {
        old.read()
    }
}

type Alias = State<Option<i64>>;

/// A field of a type of the user's own that is called so, too.
#[derive(Default)]
enum Mood {
    #[default]
    Calm,
}

#[derive(Default, Stateful)]
struct Everything {
    #[state(save = "each_turn")]
    r#type: State<i64>,
    #[state(name = "other", store = "fast")]
    second: quark::State<(u8, String)>,
    #[state]
    alias: Alias,
    #[state]
    hidden: State<Hidden>,
    #[cfg(any())]
    #[state]
    absent: State<NotThere>,
    mood: Mood,
}

#[actor]
impl Everything {
    pub fn look(&self) -> (i64, u8, usize) {
        let Mood::Calm = self.mood;
        let alias = self.alias.unwrap_or(0);
        (*self.r#type + alias, self.second.0, self.hidden.names.len())
    }
}

#[derive(Default, Stateful)]
struct Tuple(#[state(name = "left")] State<i64>);

#[actor]
impl Tuple {
    pub fn look(&self) -> i64 {
        *self.0
    }
}

fn travels<T: Send>() {}

pub(super) fn main() {
    travels::<Everything>();
    assert!(<Everything as quark::__private::Actor>::HAS_STATES);
    assert!(!<Plain as quark::__private::Actor>::HAS_STATES);
}

#[derive(Default)]
struct Plain;

#[actor]
impl Plain {}
