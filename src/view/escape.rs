//! Text for formats in which some characters mean something: each function makes any text harmless in one format.

/// HTML, and Telegram's and Matrix's part of it: text between tags, or within a quoted attribute.
#[must_use]
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Slack's `mrkdwn`: its three control characters; links, mentions and `@channel` are made with them.
#[must_use]
pub fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A header line of a letter: nothing in it reads as an encoded word (RFC 2047), which would be shown as what it stands for.
#[must_use]
pub fn header(text: &str) -> String {
    // A zero-width space shows nothing and is no encoded word.
    // Blanks between two encoded words are not shown by who decodes them (RFC 2047, 6.2): more than one would be lost.
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("=?", "=\u{200b}?")
}

/// A code block of Discord's or Slack's: nothing in it can end it.
#[must_use]
pub fn fenced(text: &str) -> String {
    // A zero-width space between back quotes shows nothing and is no fence.
    format!("```\n{}\n```", text.replace("``", "`\u{200b}`").replace("``", "`\u{200b}`"))
}

/// Text as a part of a path, a query or a form: all but letters, digits and `-._~` is percent-encoded (RFC 3986, section 2.3).
#[must_use]
pub fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut done, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            done.push(char::from(byte));
        } else {
            done.push_str(&format!("%{byte:02X}"));
        }
        done
    })
}

/// The first characters that take at most `max` units of UTF-16, in which Telegram and Discord count.
#[must_use]
pub fn cut_utf16(text: &str, max: usize) -> String {
    if text.encode_utf16().count() <= max {
        return text.to_owned();
    }
    let mut left = max.saturating_sub(1);
    let head: String = text
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = left.saturating_sub(c.len_utf16());
            fits
        })
        .collect();
    head + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_make_a_tag_a_mention_or_an_end_of_code() {
        assert_eq!(html("<b>&\"x"), "&lt;b&gt;&amp;&quot;x");
        assert_eq!(slack("<!channel> & <@U1>"), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        for evil in ["```", "````", "`````` @everyone", "a```b```"] {
            let inner = fenced(evil);
            let inner = inner.strip_prefix("```\n").and_then(|rest| rest.strip_suffix("\n```")).unwrap();
            assert!(!inner.contains("``"), "{evil} became {inner}");
        }
    }

    #[test]
    fn a_cut_counts_as_telegram_counts_and_splits_no_character() {
        assert_eq!(cut_utf16("abc", 3), "abc");
        assert_eq!(cut_utf16("😀😀😀", 5), "😀😀…");
        assert_eq!(cut_utf16("😀😀😀", 6), "😀😀😀");
        assert_eq!(cut_utf16("a😀😀", 4), "a😀…");
    }
}
