//! A storm in words: for the subject of a message, its text, and `status`.

use std::time::Duration;

use super::words::{cut, strip_control};
use crate::model::storm::Facts;
use crate::model::units::human_duration;

/// Longest line about what the failures have in common, in characters.
const WIDTH: usize = 200;

/// What happened, in one phrase.
#[must_use]
pub fn headline(facts: &Facts) -> String {
    let word = if facts.down.is_some() { "storm over" } else { "storm" };
    format!("{word}: {}", phrase(facts))
}

/// The same behind the word for it.
#[must_use]
pub fn phrase(facts: &Facts) -> String {
    match &facts.down {
        None => format!("{} within {}, most: {}", failed(facts), span(facts), facts.cause),
        Some(down) if down.is_empty() => format!("all of {} processes are back", facts.failed),
        Some(down) => format!("{} of {} processes are not back: {}", down.len(), facts.failed, down.join(", ")),
    }
}

/// `12 of 14 processes failed`.
fn failed(facts: &Facts) -> String {
    match facts.up {
        Some(up) => format!("{} of {up} processes failed", facts.failed),
        None => format!("{} processes failed", facts.failed),
    }
}

fn span(facts: &Facts) -> String {
    human_duration(facts.first_at.until(facts.last_at).max(Duration::from_secs(1)))
}

/// All that is known of it, a line each.
#[must_use]
pub fn lines(facts: &Facts) -> Vec<String> {
    let more = facts.failed.saturating_sub(facts.names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let mut lines = vec![
        format!("Storm:   {} ({} bad ends), from {} to {}", failed(facts), facts.ends, facts.first_at, facts.last_at),
        format!("Failed:  {}{more}", facts.names.join(", ")),
        format!("Most:    {} ({} of {})", cut(&strip_control(&facts.cause), WIDTH), facts.of_that_cause, facts.ends),
    ];
    lines.extend(facts.in_common.iter().map(|text| format!("Common:  {}", cut(&strip_control(text), WIDTH))));
    match &facts.down {
        Some(down) if !down.is_empty() => lines.push(format!("Not back: {}", down.join(", "))),
        Some(_) => lines.push("Back:    all of them".to_owned()),
        None => {}
    }
    lines
}

/// The line of `status`.
#[must_use]
pub fn warning(facts: &Facts) -> String {
    format!(
        "warning: a storm goes on: {} since {}, most: {}; restarts are paced\n  hint: look at what they share: {}\n",
        failed(facts),
        facts.first_at,
        cut(&strip_control(&facts.cause), WIDTH),
        facts.in_common.first().map_or_else(|| "guardian events".to_owned(), |text| cut(&strip_control(text), WIDTH)),
    )
}
