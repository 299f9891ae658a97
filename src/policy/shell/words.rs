//! Words of a command: as they were written, and what they mean once quotes are removed.
//!
//! Expansions stay as they were written: nothing is known of what `$VAR` holds or `$(cmd)` prints.

use std::iter::Peekable;
use std::str::Chars;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arg {
    /// As written, with its quotes: what a shell must be given to mean the same.
    pub(super) raw: String,
    /// Without quotes.
    pub(super) text: String,
}

impl Arg {
    /// A word of the shell.
    pub(super) fn new(raw: &str) -> Self {
        Self { raw: raw.to_owned(), text: unquote(raw) }
    }

    /// A plain word without anything to quote.
    pub(super) fn plain(word: &str) -> Self {
        Self { raw: word.to_owned(), text: word.to_owned() }
    }

    /// A word that nobody has typed: what a variable holds.
    pub(super) fn of_value(word: &str) -> Self {
        let raw = shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned);
        Self { raw, text: word.to_owned() }
    }

    /// The last part of a path.
    pub(super) fn base(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }
}

/// `args` as they would be typed.
pub(super) fn typed(args: &[Arg]) -> String {
    args.iter().map(|arg| arg.raw.as_str()).collect::<Vec<_>>().join(" ")
}

/// What a word means, but for its expansions.
pub(super) fn unquote(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut left = raw.chars().peekable();
    while let Some(letter) = left.next() {
        match letter {
            '\\' => text.extend(left.next().filter(|next| *next != '\n')),
            '\'' => text.extend(left.by_ref().take_while(|next| *next != '\'')),
            '"' => double_quoted(&mut left, &mut text),
            '`' => backticks(&mut left, &mut text),
            '$' | '<' | '>' if left.peek() == Some(&'(') => {
                text.push(letter);
                parenthesis(&mut left, &mut text);
            }
            '$' if left.peek() == Some(&'\'') => ansi_c(&mut left, &mut text),
            '$' if left.peek() == Some(&'"') => {}
            other => text.push(other),
        }
    }
    text
}

fn double_quoted(left: &mut Peekable<Chars<'_>>, text: &mut String) {
    while let Some(letter) = left.next() {
        match letter {
            '"' => return,
            '\\' => match left.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => text.push(next),
                Some('\n') | None => {}
                Some(next) => text.extend(['\\', next]),
            },
            '`' => backticks(left, text),
            '$' if left.peek() == Some(&'(') => {
                text.push('$');
                parenthesis(left, text);
            }
            other => text.push(other),
        }
    }
}

/// What stands between backticks, with them, as it was written.
fn backticks(left: &mut Peekable<Chars<'_>>, text: &mut String) {
    text.push('`');
    while let Some(letter) = left.next() {
        text.push(letter);
        match letter {
            '`' => return,
            '\\' => text.extend(left.next()),
            _ => {}
        }
    }
}

/// What stands in parentheses, with them, as it was written.
fn parenthesis(left: &mut Peekable<Chars<'_>>, text: &mut String) {
    let mut depth = 0_usize;
    let mut quote = None;
    while let Some(letter) = left.next() {
        text.push(letter);
        match (quote, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None | Some('"'), '\\') => text.extend(left.next()),
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
}

/// `$'…'`, with the escapes that commands are written with.
fn ansi_c(left: &mut Peekable<Chars<'_>>, text: &mut String) {
    left.next();
    while let Some(letter) = left.next() {
        match letter {
            '\'' => return,
            '\\' => match left.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('x') => text.extend(hexadecimal(left)),
                Some(next @ ('\\' | '\'' | '"')) => text.push(next),
                Some(next) => text.extend(['\\', next]),
                None => {}
            },
            other => text.push(other),
        }
    }
}

fn hexadecimal(left: &mut Peekable<Chars<'_>>) -> Option<char> {
    let mut value = None;
    for _ in 0..2 {
        let Some(digit) = left.peek().and_then(|letter| letter.to_digit(16)) else { break };
        left.next();
        value = Some(value.unwrap_or(0) * 16 + digit);
    }
    value.and_then(char::from_u32)
}

/// The commands that a text which is no code itself has the shell run: the inner texts of `$(…)` and of backticks.
pub(super) fn substitutions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = text.chars().peekable();
    while let Some(letter) = left.next() {
        let mut inner = String::new();
        match letter {
            '\\' => drop(left.next()),
            '`' => backticks(&mut left, &mut inner),
            '$' if left.peek() == Some(&'(') => parenthesis(&mut left, &mut inner),
            _ => {}
        }
        let inside = inner.char_indices().nth(1).map(|(from, _)| from).zip(inner.char_indices().next_back());
        if let Some((from, (to, _))) = inside.filter(|(from, (to, _))| from <= to) {
            found.extend(
                inner.get(from..to).filter(|inner| !inner.is_empty() && !inner.starts_with('(')).map(str::to_owned),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_and_expansions_stay() {
        for (raw, text) in [
            ("nohup", "nohup"),
            (r"\nohup", "nohup"),
            ("no''hup", "nohup"),
            (r#""a \"b\" \$c $d""#, r#"a "b" $c $d"#),
            (r#""$(x "a & b") c""#, r#"$(x "a & b") c"#),
            ("$'a\\nb\\x41'", "a\nbA"),
            ("`x 'y'`z", "`x 'y'`z"),
            ("'a & b'", "a & b"),
            ("\"open", "open"),
            ("$(open", "$(open"),
        ] {
            assert_eq!(unquote(raw), text, "{raw}");
        }
    }

    #[test]
    fn commands_in_a_text_are_found_and_arithmetic_is_none() {
        assert_eq!(substitutions("a $(b (c)) `d` \\$(e) $((1 + 2)) $f"), ["b (c)", "d"]);
        assert_eq!(substitutions("$(`"), Vec::<String>::new());
    }
}
