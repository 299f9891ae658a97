//! What a session is told when it begins: what ended while nobody looked, and what runs. Facts alone, and few of them.

use crate::view::words::{cut, strip_control};

/// Most ends and most names that are said; the rest is counted.
const ENDS: usize = 8;
const NAMES: usize = 12;
/// Longest line of an end, in characters.
const WIDTH: usize = 400;

/// What runs under guardian, and what does not although it should: each a name, with how it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Those that live.
    pub alive: Vec<String>,
    /// Those that guardian has given up, or leaves alone for a while.
    pub down: Vec<String>,
}

/// The text; `None`: there is nothing to say. `ends` are the lines of an inbox that nobody has seen, oldest first.
#[must_use]
pub fn told(ends: &[String], around: &Around) -> Option<String> {
    let mut lines = Vec::new();
    if !ends.is_empty() {
        let left_out = ends.len().saturating_sub(ENDS);
        lines.push(format!("guardian: ended or failed while no session looked: {}", ends.len()));
        if left_out > 0 {
            lines.push(format!("  {left_out} earlier ones are in the history: guardian events"));
        }
        lines.extend(ends.iter().skip(left_out).map(|end| format!("  {}", cut(&strip_control(end), WIDTH))));
    }
    lines.extend(names("runs under guardian", &around.alive));
    lines.extend(names("is down under guardian", &around.down));
    if lines.is_empty() {
        return None;
    }
    lines.push("details: guardian status, guardian why NAME, guardian logs NAME".to_owned());
    Some(lines.join("\n"))
}

fn names(what: &str, names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let shown: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("{what}: {}{more}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_where_nothing_runs_and_nothing_ended() {
        assert_eq!(told(&[], &Around::default()), None);
    }

    #[test]
    fn however_much_there_is_to_say_it_stays_short_and_plain() {
        let ends: Vec<String> = (0..200).map(|nth| format!("end {nth}\u{1b}[31m\n{}", "x".repeat(5000))).collect();
        let alive = (0..200).map(|nth| format!("worker-{nth}")).collect();
        let text = told(&ends, &Around { alive, down: vec!["bot (dead)".to_owned()] }).unwrap();
        assert!(text.chars().count() < 5000 && !text.contains('\u{1b}'), "{text}");
        for part in ["looked: 200", "192 earlier", "end 199", "and 188 more", "is down under guardian: bot (dead)"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("end 191"), "the newest are shown");
    }
}
