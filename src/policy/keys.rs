//! Keys by their names, as tmux has them → the bytes that a terminal sends for them.
//!
//! The bytes are those of xterm in its usual mode. What is no name and more than one character is refused, never typed.

use crate::model::units::UnitError;

/// Names besides those of single characters and `F1` to `F12`, with their bytes.
const NAMED: &[(&str, &[u8])] = &[
    ("Enter", b"\r"),
    ("Tab", b"\t"),
    ("BTab", b"\x1b[Z"),
    ("Escape", b"\x1b"),
    ("Space", b" "),
    ("BSpace", b"\x7f"),
    ("Up", b"\x1b[A"),
    ("Down", b"\x1b[B"),
    ("Right", b"\x1b[C"),
    ("Left", b"\x1b[D"),
    ("Home", b"\x1b[H"),
    ("End", b"\x1b[F"),
    ("IC", b"\x1b[2~"),
    ("Insert", b"\x1b[2~"),
    ("DC", b"\x1b[3~"),
    ("Delete", b"\x1b[3~"),
    ("PageUp", b"\x1b[5~"),
    ("PgUp", b"\x1b[5~"),
    ("PPage", b"\x1b[5~"),
    ("PageDown", b"\x1b[6~"),
    ("PgDn", b"\x1b[6~"),
    ("NPage", b"\x1b[6~"),
];

/// `F1` to `F12`.
const FUNCTIONS: [&[u8]; 12] = [
    b"\x1bOP",
    b"\x1bOQ",
    b"\x1bOR",
    b"\x1bOS",
    b"\x1b[15~",
    b"\x1b[17~",
    b"\x1b[18~",
    b"\x1b[19~",
    b"\x1b[20~",
    b"\x1b[21~",
    b"\x1b[23~",
    b"\x1b[24~",
];

/// The end of a paste.
const PASTED: &str = "\x1b[201~";

/// What the key of this name sends.
///
/// # Errors
/// There is no such key.
pub fn key(name: &str) -> Result<Vec<u8>, UnitError> {
    bytes(name).ok_or_else(|| UnitError {
        what: format!("there is no key {name:?}"),
        hint: "write names as tmux has them: Enter, Tab, Escape, Space, BSpace, Up, Home, PageUp, F1, C-c, M-x; or one character"
            .to_owned(),
    })
}

fn bytes(name: &str) -> Option<Vec<u8>> {
    let mut characters = name.chars();
    if let (Some(one), None) = (characters.next(), characters.next()) {
        return Some(one.to_string().into_bytes());
    }
    if let Some(rest) = name.strip_prefix("M-") {
        return Some([b"\x1b".as_slice(), &bytes(rest)?].concat());
    }
    if let Some(rest) = name.strip_prefix("C-M-") {
        return bytes(&format!("M-C-{rest}"));
    }
    if name.eq_ignore_ascii_case("S-Tab") {
        return bytes("BTab");
    }
    if let Some(rest) = name.strip_prefix("C-").or_else(|| name.strip_prefix('^')) {
        return control(rest);
    }
    if let Some(number) = name.strip_prefix(['F', 'f']).and_then(|number| number.parse::<usize>().ok()) {
        return FUNCTIONS.get(number.checked_sub(1)?).map(|bytes| bytes.to_vec());
    }
    NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bytes)| bytes.to_vec())
}

/// What a key sends with Control held down.
fn control(key: &str) -> Option<Vec<u8>> {
    let mut characters = key.chars();
    match (characters.next(), characters.next()) {
        (Some('?'), None) => Some(vec![0x7f]),
        (Some(one @ ('@'..='_' | 'a'..='z')), None) => Some(vec![u8::try_from(one).ok()? & 0x1f]),
        (Some(' '), None) => Some(vec![0]),
        _ if key.eq_ignore_ascii_case("Space") => Some(vec![0]),
        // The arrows and their neighbours say so by a number.
        _ => match bytes(key)?.as_slice() {
            [b'\x1b', b'[', last @ b'A'..=b'H'] => Some([b"\x1b[1;5".as_slice(), &[*last]].concat()),
            [b'\x1b', b'[', number @ .., b'~'] => Some([b"\x1b[".as_slice(), number, b";5~"].concat()),
            _ => None,
        },
    }
}

/// `text` as if it were typed: a line ends by Enter.
#[must_use]
pub fn typed(text: &str) -> Vec<u8> {
    text.replace("\r\n", "\r").replace('\n', "\r").into_bytes()
}

/// `text` as if it were pasted: in the marks by which a program tells a paste from typing.
///
/// # Errors
/// The text would end its own paste.
pub fn pasted(text: &str) -> Result<Vec<u8>, UnitError> {
    if text.contains(PASTED) {
        return Err(UnitError {
            what: "the text holds the mark at which a paste ends".to_owned(),
            hint: "take out `ESC [ 2 0 1 ~`: what follows it would be typed".to_owned(),
        });
    }
    Ok([b"\x1b[200~".as_slice(), &typed(text), PASTED.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_sends_what_a_terminal_sends() {
        let table: &[(&str, &[u8])] = &[
            ("Enter", b"\r"),
            ("enter", b"\r"),
            ("C-c", b"\x03"),
            ("C-C", b"\x03"),
            ("^d", b"\x04"),
            ("C-[", b"\x1b"),
            ("C-Space", b"\0"),
            ("C-Up", b"\x1b[1;5A"),
            ("C-Delete", b"\x1b[3;5~"),
            ("M-x", b"\x1bx"),
            ("M-C-x", b"\x1b\x18"),
            ("C-M-x", b"\x1b\x18"),
            ("S-Tab", b"\x1b[Z"),
            ("M-Enter", b"\x1b\r"),
            ("F1", b"\x1bOP"),
            ("F12", b"\x1b[24~"),
            ("PageDown", b"\x1b[6~"),
            ("BSpace", b"\x7f"),
            ("y", b"y"),
            ("-", b"-"),
            ("ü", "ü".as_bytes()),
        ];
        for (name, bytes) in table {
            assert_eq!(key(name).unwrap(), *bytes, "{name}");
        }
        for name in ["", "Entre", "F0", "F13", "C-", "C-F1", "M-", "C-ü", "hello"] {
            assert!(key(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_pasted_cannot_end_its_own_paste() {
        assert_eq!(pasted("a\nb").unwrap(), b"\x1b[200~a\rb\x1b[201~");
        assert!(pasted("a\x1b[201~rm -rf /\n").is_err());
    }
}
