//! Which driver an engine's shards stand on.

use std::env::{self, VarError};
use std::fmt;
use std::str::FromStr;

/// What stands between shards and the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverKind {
    /// io_uring, one ring a shard: the fastest.
    #[default]
    Uring,
    /// glommio's executors (cargo feature `glommio`): for programs that run glommio already and
    /// want their tasks beside the shards. The module `hosted`, which comes with it, is for shards
    /// on executors of the program's own.
    Glommio,
}

/// The driver asked for can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriverKindError {
    /// The text named none.
    #[error("unknown driver {0:?}: choose uring or glommio")]
    Unknown(String),
    /// It was left out when this program was built.
    #[error("the driver {0} is not built in: turn on quark-engine's feature `{0}`")]
    NotBuilt(DriverKind),
}

/// Where the driver is named when the program does not.
const VARIABLE: &str = "QUARK_DRIVER";

impl DriverKind {
    /// What was asked for, or what the environment names, or the default.
    pub(crate) fn choose(asked: Option<DriverKind>) -> Result<Self, DriverKindError> {
        let kind = match asked {
            Some(kind) => kind,
            None => match env::var(VARIABLE) {
                Ok(name) => name.parse()?,
                Err(VarError::NotPresent) => DriverKind::default(),
                Err(VarError::NotUnicode(name)) => {
                    let name = name.to_string_lossy().into_owned();
                    return Err(DriverKindError::Unknown(name));
                }
            },
        };
        kind.is_built()
            .then_some(kind)
            .ok_or(DriverKindError::NotBuilt(kind))
    }

    /// Whether this program can use it.
    #[must_use]
    pub fn is_built(self) -> bool {
        match self {
            DriverKind::Uring => true,
            DriverKind::Glommio => cfg!(feature = "glommio"),
        }
    }

    /// What must be done before the shards' threads are started.
    pub(crate) fn prepare(self) {
        #[cfg(feature = "glommio")]
        if self == DriverKind::Glommio {
            quark_shards::driver::glommio::prepare();
        }
    }
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DriverKind::Uring => "uring",
            DriverKind::Glommio => "glommio",
        })
    }
}

impl FromStr for DriverKind {
    type Err = DriverKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "uring" => Ok(DriverKind::Uring),
            "glommio" => Ok(DriverKind::Glommio),
            other => Err(DriverKindError::Unknown(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_known_by_its_name_alone() {
        for kind in [DriverKind::Uring, DriverKind::Glommio] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "epoll".parse::<DriverKind>().expect_err("no such driver");
        assert!(error.to_string().contains("choose uring or glommio"));
    }

    #[test]
    fn a_driver_that_is_not_built_is_refused_with_the_remedy() {
        let chosen = DriverKind::choose(Some(DriverKind::Glommio));
        if DriverKind::Glommio.is_built() {
            assert_eq!(chosen, Ok(DriverKind::Glommio));
        } else {
            let error = chosen.expect_err("left out").to_string();
            assert!(error.contains("turn on quark-engine's feature `glommio`"));
        }
    }
}
