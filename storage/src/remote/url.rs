//! Where a server is, as users write it.

use std::path::PathBuf;

use url::Url;

/// What is wrong with a server's URL. Never repeats the URL, which may have a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no URL.
    #[error("the store's URL can't be read: {why}; write it as {example}")]
    Malformed {
        /// What is wrong.
        why: String,
        /// What it looks like.
        example: &'static str,
    },
    /// It is of another kind of server.
    #[error("{scheme}:// is none of {known}")]
    Scheme {
        /// What stands there.
        scheme: String,
        /// What may stand there.
        known: &'static str,
    },
    /// A parameter is unknown, missing, or has a value that it can't have.
    #[error("the parameter {name} of the store's URL: {why}")]
    Parameter {
        /// Which.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// A URL taken apart.
pub(crate) struct Parts {
    pub(crate) url: Url,
    parameters: Vec<(String, String)>,
}

impl Parts {
    pub(crate) fn parse(text: &str, example: &'static str) -> Result<Self, UrlError> {
        let malformed = |why: String| UrlError::Malformed { why, example };
        let url = Url::parse(text).map_err(|error| malformed(error.to_string()))?;
        let pairs = url.query_pairs();
        let parameters = pairs.map(|(name, value)| (name.into(), value.into()));
        let parameters = parameters.collect();
        Ok(Parts { url, parameters })
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self
            .parameters
            .iter()
            .position(|(found, _)| found == name)?;
        Some(self.parameters.remove(at).1)
    }

    /// Takes out a parameter that is there several times.
    #[cfg(feature = "redis")]
    pub(crate) fn take_all(&mut self, name: &str) -> Vec<String> {
        std::iter::from_fn(|| self.take(name)).collect()
    }

    /// A file with the certificates that a server's may be signed by.
    pub(crate) fn take_roots(&mut self, name: &str) -> Option<PathBuf> {
        self.take(name).map(PathBuf::from)
    }

    /// The URL with what nobody has taken.
    #[cfg(feature = "postgres")]
    pub(crate) fn rest(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        if !self.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.parameters);
        }
        url.into()
    }

    /// Refuses what nobody has taken.
    #[cfg(feature = "redis")]
    pub(crate) fn finish(&self) -> Result<(), UrlError> {
        match self.parameters.first() {
            Some((name, _)) => Err(parameter(name, "is unknown")),
            None => Ok(()),
        }
    }
}

pub(crate) fn parameter(name: &str, why: impl Into<String>) -> UrlError {
    UrlError::Parameter {
        name: name.to_owned(),
        why: why.into(),
    }
}

/// The text that a part of a URL means, where `%` stands in.
#[cfg(feature = "redis")]
pub(crate) fn decoded(text: &str) -> String {
    // What follows the first `=` of a query is decoded as we want it, but for `+`.
    let query = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read() {
        assert_eq!(decoded("a%40b+c%26d=e"), "a@b+c&d=e");
    }
}
