//! Text in a picture.

/// `text` as it may stand between tags and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            // No XML can hold them.
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// As much of `text` as surely has room in `width` pixels, in letters of 13.
pub(crate) fn fitted(text: &str, width: f64) -> String {
    let most = (width / LETTER).max(1.0) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = text.chars().take(most - 1);
    kept.chain(['…']).collect()
}

/// The width of a letter in the mean.
const LETTER: f64 = 7.3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes() {
        assert_eq!(escape("<a \"b\">&\u{1}"), "&lt;a &quot;b&quot;&gt;&amp; ");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(fitted("short", 100.0), "short");
        assert_eq!(fitted("a label that is long", 73.0), "a label t…");
        assert_eq!(fitted("xy", 0.0), "…");
    }
}
