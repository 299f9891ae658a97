//! The language of systemd's units: sections, lines that go on, quoting, specifiers, durations, sizes.

use std::time::Duration;

use super::{Around, Damage};

/// One setting, in the order of the file.
pub(super) struct Setting {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// Reads a unit; also several after one another, as `systemctl cat` prints them.
pub(super) fn read(text: &str) -> Result<Vec<Setting>, Damage> {
    let mut settings = Vec::new();
    let mut section = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let line = index + 1;
        if is_comment(first) || first.trim().is_empty() {
            continue;
        }
        let mut whole = first.to_owned();
        while let Some(before) = whole.strip_suffix('\\') {
            let before = before.len();
            whole.truncate(before);
            whole.push(' ');
            match lines.find(|(_, next)| !is_comment(next)) {
                Some((_, next)) => whole.push_str(next.trim_start()),
                None => break,
            }
        }
        let whole = whole.trim();
        if let Some(name) = whole.strip_prefix('[') {
            let name = name
                .strip_suffix(']')
                .ok_or_else(|| Damage::new(line, format!("{whole:?} is no section"), "write `[Service]`"))?;
            name.clone_into(&mut section);
            continue;
        }
        let setting = whole.split_once('=').filter(|(key, _)| !section.is_empty() && !key.trim().contains(' '));
        let Some((key, value)) = setting else {
            let what =
                format!("{:?} is neither a section nor `Key=value` in one", whole.chars().take(60).collect::<String>());
            return Err(Damage::new(line, what, "is this a unit of systemd?"));
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        settings.push(Setting { section: section.clone(), key, value, line });
    }
    Ok(settings)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

/// Command lines that stand in one setting: a `;` by itself is between two of them, unless it is in quotes or escaped.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut quote, mut escaped, mut before) = (None, false, ' ');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let alone = before.is_whitespace() && letters.peek().is_none_or(|next| next.is_whitespace());
        match (letter, quote) {
            _ if escaped => escaped = false,
            ('\\', _) => escaped = true,
            (';', None) if alone => {
                lines.push(String::new());
                before = ' ';
                continue;
            }
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if open == letter => quote = None,
            (_, _) => {}
        }
        lines.last_mut().into_iter().for_each(|line| line.push(letter));
        before = letter;
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// Words, with quotes and escapes taken off; `None`: a quote is not closed, or what is escaped is no text.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        if letters.peek().is_none() {
            return Some(words);
        }
        let mut word = Vec::new();
        let mut quote = None;
        while let Some(letter) = letters.next_if(|letter| quote.is_some() || !letter.is_whitespace()) {
            match letter {
                '"' | '\'' if quote == Some(letter) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(letter),
                // An escape that means nothing stays as it is.
                '\\' if letters.peek().is_some_and(|next| KNOWN.contains(*next)) => word.extend(escaped(&mut letters)?),
                letter => word.extend(letter.to_string().bytes()),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(String::from_utf8(word).ok()?);
    }
}

/// What may stand after a backslash.
const KNOWN: &str = "abfnrtvsxuU01234567\\\"';";

/// What stands after a backslash, as in C: `\x` and digits are a byte, `\u` a letter.
fn escaped(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Vec<u8>> {
    let byte = |number: u32| u8::try_from(number).ok().map(|byte| vec![byte]);
    let letter = |number: u32| char::from_u32(number).map(|letter| letter.to_string().into_bytes());
    let known = match letters.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        's' => ' ',
        'x' => return byte(number_of(letters, 2, 16, "")?),
        'u' => return letter(number_of(letters, 4, 16, "")?),
        'U' => return letter(number_of(letters, 8, 16, "")?),
        digit @ '0'..='7' => return byte(number_of(letters, 2, 8, &digit.to_string())?),
        same @ ('\\' | '"' | '\'' | ';') => same,
        _ => return None,
    };
    letter(u32::from(known))
}

fn number_of(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    digits: usize,
    radix: u32,
    first: &str,
) -> Option<u32> {
    let text: String = first.chars().chain(letters.by_ref().take(digits)).collect();
    u32::from_str_radix(&text, radix).ok()
}

/// What a part of a unit's name stands for: `-` is `/`, `\x2d` a byte.
fn unescaped(name: &str) -> Option<String> {
    words(&format!("\"{}\"", name.replace('-', "/"))).and_then(|mut words| words.pop())
}

/// The last of the parts of a name between dashes.
fn last(prefix: &str) -> &str {
    prefix.rsplit('-').next().unwrap_or(prefix)
}

/// A value with its specifiers filled in; the first that means nothing here otherwise.
pub(super) fn specified(text: &str, unit: &str, around: &Around<'_>) -> Result<String, String> {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut filled = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            filled.push(letter);
            continue;
        }
        match letters.next() {
            Some('%') => filled.push('%'),
            Some('n') => filled.push_str(unit),
            Some('N') => filled.push_str(stem),
            Some('p') => filled.push_str(prefix),
            Some('P') => filled.push_str(&unescaped(prefix).ok_or("%P")?),
            Some('j') => filled.push_str(last(prefix)),
            Some('J') => filled.push_str(&unescaped(last(prefix)).ok_or("%J")?),
            Some('i') => filled.push_str(instance),
            Some('I') => filled.push_str(&unescaped(instance).ok_or("%I")?),
            Some('h') => filled.push_str(around.home.ok_or("%h")?),
            Some('u') => filled.push_str(around.user),
            Some('H') => filled.push_str(around.host),
            Some('l') => filled.push_str(around.host.split('.').next().unwrap_or("")),
            Some('t') => filled.push_str(around.variable("XDG_RUNTIME_DIR").unwrap_or("/run")),
            Some('S') => filled.push_str("/var/lib"),
            Some('C') => filled.push_str("/var/cache"),
            Some('L') => filled.push_str("/var/log"),
            Some('E') => filled.push_str("/etc"),
            Some('T') => filled.push_str("/tmp"),
            Some('V') => filled.push_str("/var/tmp"),
            other => return Err(format!("%{}", other.map_or(String::new(), String::from))),
        }
    }
    Ok(filled)
}

/// `5`, `5s`, `1min 30s`, `500ms`; `None`: no time.
pub(super) fn span(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        let after = rest.get(digits..)?.trim_start();
        let end = after.find(|letter: char| !letter.is_alphabetic()).unwrap_or(after.len());
        let unit = match after.get(..end)? {
            "" | "s" | "sec" | "second" | "seconds" => 1.0,
            "ms" | "msec" => 0.001,
            "us" | "usec" | "µs" => 0.000_001,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            "M" | "month" | "months" => 2_629_800.0,
            "y" | "year" | "years" => 31_557_600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
        rest = after.get(end..)?.trim_start();
    }
    Some(total)
}

/// The same where `infinity` (and zero) mean that there is no limit: `Some(None)`.
pub(super) fn span_or_never(text: &str) -> Option<Option<Duration>> {
    match text.trim() {
        "infinity" | "0" => Some(None),
        text => span(text).map(Some),
    }
}

/// A switch in systemd's words.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}
