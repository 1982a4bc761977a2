//! Text in a picture.

use std::fmt::Write as _;

/// `text` as it may stand between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            // No XML can hold them.
            control if control.is_control() => {
                let _ = write!(safe, "\u{fffd}");
            }
            other => safe.push(other),
        }
    }
    safe
}

/// As much of `text` as is surely no wider than `width` pixels in letters of `size` pixels.
pub(super) fn fitted(text: &str, width: f64, size: f64) -> String {
    let most = (width / (size * LETTER)) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// The width of a letter in the mean, in parts of its size.
const LETTER: f64 = 0.56;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes() {
        assert_eq!(
            escape("<a b=\"c\">&\n\u{1}"),
            "&lt;a b=&quot;c&quot;&gt;&amp; \u{fffd}"
        );
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(fitted("short", 100.0, 13.0), "short");
        assert_eq!(
            fitted("a very long label indeed", 100.0, 13.0),
            "a very long …"
        );
        assert_eq!(fitted("x", 0.0, 13.0), "…");
    }
}
