//! A command with `guardian run …` in the place of what it would leave running.

use super::{Launch, read};

/// `command` with each of `launches`, which were found in it, replaced; `None`: not all of them can be, or the command
/// goes on to use the job.
#[must_use]
pub fn rewrite(command: &str, launches: &[Launch]) -> Option<String> {
    if command.contains("$!") || command.contains("${!}") {
        return None;
    }
    let mut letters: Vec<char> = command.chars().collect();
    let mut ordered: Vec<&Launch> = launches.iter().collect();
    ordered.sort_by_key(|launch| launch.place);
    for launch in ordered.into_iter().rev() {
        let (start, end) = launch.place?;
        let instead = launch.instead.as_ref()?;
        let rest = letters.get(end..)?;
        let blanks = rest.iter().take_while(|letter| matches!(letter, ' ' | '\t')).count();
        let is_job = rest.get(blanks) == Some(&'&') && rest.get(blanks + 1) != Some(&'&');
        let end = if is_job { end + blanks + 1 } else { end };
        let follows = letters.get(end..)?.iter().find(|letter| !matches!(letter, ' ' | '\t'));
        let more = is_job && follows.is_some_and(|letter| *letter != '\n');
        let replacement = instead.chars().chain(more.then_some(';'));
        letters.splice(start..end, replacement);
    }
    let text: String = letters.into_iter().collect();
    matches!(read(&text).as_deref(), Ok([])).then_some(text)
}
