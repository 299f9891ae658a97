//! A notification for a phone: the facts, the last words, what to type next, in at most [`BRIEF_MAX`] bytes.
//!
//! Plain text; whoever sends it into a format of its own escapes it with [`super::escape`].

use super::alert::{more, what};
use super::facts::{commands, next, of_late};
use super::incident;
use super::words::{cause_sentence, cut, lived_of_target, strip_control};
use crate::model::event::{Event, EventKind, Notification};

/// Longest text, in bytes of UTF-8: fits the limits of every service.
pub const BRIEF_MAX: usize = 1000;
/// Lines of output that are shown, if there is room.
const TAIL_LINES: usize = 3;
/// Longest line, in characters.
const WIDTH: usize = 160;

/// The text under the subject; older notifications that it speaks for are counted.
#[must_use]
pub fn brief(notification: &Notification, folded: &[&Event]) -> String {
    let event = &notification.event;
    if let Some(digest) = &event.digest {
        let last: Vec<String> = commands(event).into_iter().map(|(_, command)| command).collect();
        return fit(super::digest::lines(digest), Vec::new(), &last);
    }
    let mut lines = vec![cut(&format!("{}: {}", event.process, what(event)), WIDTH)];
    if event.ran_s.is_some() {
        lines.push(format!("Lived: {}", lived_of_target(event.ran_s, event.target_s)));
    }
    if let Some(cause) = &event.cause {
        lines.push(cut(&format!("Cause: {}", cause_sentence(cause, &event.signals)), 2 * WIDTH));
    }
    if !event.action.is_empty() {
        lines.push(cut(&format!("Now: {}", strip_control(&event.action)), WIDTH));
    }
    lines.extend(next(event).map(|next| format!("Next: {next}")));
    if event.failures.is_some_and(|failures| failures > 1) || notification.of_late.is_some_and(|count| count > 1) {
        lines.extend(of_late(notification).map(|failed| format!("Failed: {failed}")));
    }
    lines.extend(incident::words(event).map(|open| format!("Open: {open}")));
    if !event.detail.is_empty() && !event.action.contains(&event.detail) {
        lines.push(cut(&strip_control(&event.detail), WIDTH));
    }
    lines.extend(more(&event.process, folded).into_iter().take(4).map(|line| cut(&line, WIDTH)));
    let mut last: Vec<String> = commands(event).into_iter().map(|(_, command)| command).collect();
    if event.kind != EventKind::Test {
        last.push(format!("id {}", strip_control(&event.id)));
    }
    let tail = notification.log_tail.iter().rev().take(TAIL_LINES).rev();
    let tail: Vec<String> = tail.map(|line| format!("> {}", cut(&strip_control(line), WIDTH))).collect();
    fit(lines, tail, &last)
}

/// Output goes first, oldest line first; then the end of the facts is cut. What to type next stays.
fn fit(facts: Vec<String>, mut tail: Vec<String>, last: &[String]) -> String {
    let length = |lines: &[String]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
    while !tail.is_empty() && length(&facts) + length(&tail) + length(last) > BRIEF_MAX {
        tail.remove(0);
    }
    let mut facts = facts.join("\n");
    let room = BRIEF_MAX.saturating_sub(length(&tail) + length(last) + 1);
    if facts.len() > room {
        let end = facts.floor_char_boundary(room.saturating_sub('…'.len_utf8()));
        facts.truncate(end);
        facts.push('…');
    }
    [facts].into_iter().chain(tail).chain(last.iter().cloned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{btc_bot, note};

    #[test]
    fn it_says_what_happened_why_what_follows_and_what_to_type() {
        let text = brief(&btc_bot(), &[]);
        for part in [
            "btc-bot: it ended before its time",
            "3s of 8h",
            "SIGTERM",
            "node gateway.js",
            "restarted as run 4",
            "> shutting down",
            "guardian why btc-bot --run 3",
            "id btc-bot.abc.3.premature",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn it_is_never_longer_than_a_kilobyte_whatever_a_program_says() {
        for glyph in ["x", "ä", "😀", "\u{1b}[31m"] {
            let mut long = btc_bot();
            long.log_tail = vec![glyph.repeat(5000); 30];
            long.event.action = glyph.repeat(3000);
            long.event.detail = glyph.repeat(3000);
            let text = brief(&long, &[&btc_bot().event; 50]);
            assert!(text.len() <= BRIEF_MAX, "{} for {glyph}", text.len());
            for command in ["guardian why btc-bot", "guardian alerts silence btc-bot 2h", "guardian alerts ack btc-bot"]
            {
                assert!(text.contains(command), "{text}");
            }
        }
    }

    #[test]
    fn a_test_asks_for_nothing() {
        let mut test = note(btc_bot().event);
        test.event.kind = EventKind::Test;
        assert!(!brief(&test, &[]).contains("guardian why"));
    }
}
