//! Texts as a process writes them that wants to break something, and how receivers read what was made of them. For tests.

use proptest::prelude::*;

/// Characters that mean something somewhere, and any others.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let bits = [
        "\"",
        "\\",
        "\n",
        "\r\n",
        "\0",
        "{{",
        "}}",
        "{{json}}",
        "\u{2028}",
        "\u{2029}",
        "'",
        "&",
        "=",
        "%",
        "+",
        ";",
        "</pre>",
        "<b>",
        "&amp;",
        "&#60;",
        "\u{1b}[31m",
        "\\u0022",
        "é",
        "😀",
        "\u{feff}",
        "\u{202e}",
        "@everyone",
        "<!channel>",
        "```",
        "``",
        "`",
        "<@U1>",
        "\r\nBcc: evil@example.org",
        "=?utf-8?q?x?=",
        ":",
        "--",
        " ",
        "a",
    ];
    let bit = prop_oneof![
        proptest::sample::select(bits.to_vec()).prop_map(str::to_owned),
        ".{0,4}",
        any::<char>().prop_map(String::from)
    ];
    proptest::collection::vec(bit, 0..12).prop_map(|bits| bits.concat())
}

/// A value of a form as its receiver reads it.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut done = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next().unwrap()).to_digit(16).unwrap();
        done.push(match byte {
            b'%' => u8::try_from(digit() * 16 + digit()).unwrap(),
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(done).unwrap()
}

/// The text of a piece of HTML that has no tag; nothing else than what [`super::escape::html`] makes is understood.
pub(crate) fn text_of(html: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find(['&', '<', '>', '"']) {
        text.push_str(&rest[..at]);
        let (entity, c) = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')]
            .into_iter()
            .find(|(entity, _)| rest[at..].starts_with(entity))?;
        text.push(c);
        rest = &rest[at + entity.len()..];
    }
    Some(text + rest)
}
