//! Command lines of systemd: prefixes, words, variables.

use super::take::quoted;
use super::{Around, systemd_text};

/// One command line.
pub(super) struct Exec {
    /// The prefixes before the program.
    pub(super) prefixes: String,
    /// `argv[0]` is another one than the program.
    pub(super) renamed: bool,
    words: Vec<String>,
    /// Its words hold variables.
    pub(super) has_variables: bool,
    /// One of them is a variable by itself, which is as many words as its value has.
    pub(super) splits: bool,
}

impl Exec {
    /// Reads `ExecStart=` and its kin; why it cannot be read otherwise.
    pub(super) fn read(text: &str, unit: &str, around: &Around<'_>) -> Result<Self, String> {
        let end = text.find(|letter| !"-@:+!|".contains(letter)).unwrap_or(text.len());
        let (prefixes, line) = text.split_at(end);
        let filled = |text: &String| systemd_text::specified(text, unit, around);
        let words = systemd_text::words(line).ok_or("a quote that is not closed")?;
        let mut words = words
            .iter()
            .map(filled)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|specifier| format!("the specifier {specifier} has no meaning outside of systemd"))?;
        let renamed = prefixes.contains('@') && words.len() > 1;
        if renamed {
            words.remove(1);
        }
        if words.is_empty() {
            return Err("there is no command".to_owned());
        }
        let literal = prefixes.contains(':');
        let has_variables = !literal && words.iter().any(|word| !literally(word).1);
        let splits = !literal && words.iter().any(|word| word.strip_prefix('$').is_some_and(is_name));
        if !literal && !has_variables {
            words = words.iter().map(|word| literally(word).0).collect();
        }
        Ok(Self { prefixes: prefixes.to_owned(), renamed, words, has_variables, splits })
    }

    /// The words to be executed; `None`: they hold variables, or are for a shell.
    pub(super) fn argv(&self) -> Option<Vec<String>> {
        (!self.has_variables && !self.prefixes.contains('|')).then(|| self.words.clone())
    }

    /// A line for the shell.
    pub(super) fn line(&self) -> String {
        if self.prefixes.contains('|') {
            return self.words.join(" ");
        }
        match self.has_variables {
            true => self.words.iter().map(|word| in_shell(word)).collect::<Vec<_>>().join(" "),
            false => quoted(&self.words),
        }
    }
}

/// A word with `$$` as `$`, and whether that is all that `$` does in it.
fn literally(word: &str) -> (String, bool) {
    let plain = word.replace("$$", "\u{E000}");
    (plain.replace('\u{E000}', "$"), !plain.contains('$'))
}

/// What a variable may be called.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// One word for the shell: `${NAME}` is in it as it is, `$NAME` by itself is split at blanks.
fn in_shell(word: &str) -> String {
    let plain = word.replace("$$", "\u{E000}");
    if plain.strip_prefix('$').is_some_and(is_name) {
        return plain;
    }
    let mut written = String::new();
    let mut rest = plain.as_str();
    let literal = |text: &str, written: &mut String| {
        if !text.is_empty() {
            written.push_str(&quoted(&[text.replace('\u{E000}', "$")]));
        }
    };
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}').filter(|(name, _)| is_name(name)) else { break };
        literal(before, &mut written);
        written.push_str(&format!("\"${{{name}}}\""));
        rest = after;
    }
    literal(rest, &mut written);
    if written.is_empty() { "''".to_owned() } else { written }
}
