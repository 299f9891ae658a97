//! What guardian thinks of a tool call, and how it says so.

use super::request::{Call, End};
use super::{Agent, Verdict};
use crate::model::hook::{HookConfig, HookMode};
use crate::policy::notify::matches;
use crate::policy::shell::{self, Launch, Unreadable};
use crate::view::words::{cut, strip_control};

/// So many launches are named in an answer.
const NAMED: usize = 3;
/// Longest that a process may call itself in a text for a model, in characters.
const CALLED: usize = 80;

/// What a call would leave running. `None` in [`Launch::instead`]: it cannot be told exactly what to write.
///
/// # Errors
/// The command cannot be read; with an option of the agent's own it need not be.
pub fn launches(call: &Call) -> Result<Vec<Launch>, Unreadable> {
    let Some(flag) = call.flag else {
        return if call.is_unix { shell::read(&call.command) } else { Ok(Vec::new()) };
    };
    if !call.is_unix {
        return Ok(vec![Launch { how: flag.to_owned(), text: call.command.clone(), ..Launch::default() }]);
    }
    Ok(shell::whole(&call.command).map(|launch| Launch { how: flag.to_owned(), ..launch }).into_iter().collect())
}

/// What follows from what a call would leave running.
#[must_use]
pub fn verdict(agent: Agent, call: &Call, mut launches: Vec<Launch>, config: &HookConfig) -> Verdict {
    let allowed = |text: &str| config.allow.iter().any(|glob| matches(glob, text));
    launches.retain(|launch| !allowed(&launch.text) && !allowed(&launch.program));
    if launches.is_empty() {
        return Verdict::Pass;
    }
    match config.mode {
        HookMode::Deny => Verdict::Deny(reason(&launches)),
        HookMode::Warn => Verdict::Warn(reason(&launches)),
        HookMode::Rewrite => match rewritten(agent, call, &launches) {
            Some(command) => Verdict::Rewrite(command),
            None => Verdict::Deny(reason(&launches)),
        },
    }
}

/// The command with guardian in it; `None`: not exactly, or this agent takes none at this event.
fn rewritten(agent: Agent, call: &Call, launches: &[Launch]) -> Option<String> {
    if agent == Agent::Cursor && !call.event.eq_ignore_ascii_case("preToolUse") {
        return None;
    }
    match (call.flag, launches) {
        (Some(_), [launch]) => {
            launch.instead.clone().filter(|instead| matches!(shell::read(instead).as_deref(), Ok([])))
        }
        (Some(_), _) => None,
        (None, launches) => shell::rewrite(&call.command, launches),
    }
}

/// What is refused, why, and what to write instead.
fn reason(launches: &[Launch]) -> String {
    let mut hows: Vec<String> = Vec::new();
    for launch in launches {
        let how = format!("`{}`", launch.how);
        if !hows.contains(&how) && hows.len() < NAMED {
            hows.push(how);
        }
    }
    let mut text = format!(
        "guardian: {} starts a process that nobody looks after: it dies with this session, or lives on unseen. \
         Write this instead:",
        hows.join(", ")
    );
    for launch in launches.iter().take(NAMED) {
        let instead =
            launch.instead.as_deref().unwrap_or("guardian run --name NAME -- COMMAND   (COMMAND in the foreground)");
        text.push_str(&format!("\n  {instead}"));
    }
    if launches.len() > NAMED {
        text.push_str(&format!("\n  and the same for {} more", launches.len() - NAMED));
    }
    if launches.iter().any(|launch| launch.redirected) {
        text.push_str("\nIts output needs no redirection: guardian keeps it.");
    }
    text.push_str("\nThen: `guardian logs NAME`, `guardian wait NAME`, `guardian stop NAME`. It outlives this session, and its end is reported.");
    text
}

/// What a process calls itself, for the eyes of a model: one short line in quotes, and no tags in it.
fn plain(line: &str) -> String {
    let clean = strip_control(line).replace(['<', '>', '`', '"'], "?");
    format!("\"{}\"", cut(&clean, CALLED))
}

/// What is said at the end of a turn or session of what still runs past guardian.
#[must_use]
pub fn at_the_end(end: &End, left: &[(i32, String)], mode: HookMode) -> Verdict {
    let mut lines: Vec<String> = left.iter().map(|(pid, line)| format!("\n  pid {pid}: {}", plain(line))).collect();
    lines.extend(
        end.tasks
            .iter()
            .filter(|task| shell::whole(task).is_some())
            .map(|task| format!("\n  in your background: {task}")),
    );
    if lines.is_empty() {
        return Verdict::Pass;
    }
    let more = lines.len().saturating_sub(NAMED * 3);
    lines.truncate(NAMED * 3);
    let mut text = format!("guardian: these run on, and nobody looks after them:{}", lines.concat());
    if more > 0 {
        text.push_str(&format!("\n  and {more} more"));
    }
    text.push_str("\nEnd what is not needed, and start what is with `guardian run --name NAME -- COMMAND`.");
    match mode {
        HookMode::Deny | HookMode::Rewrite if end.turn && !end.again => Verdict::GoOn(text),
        HookMode::Deny | HookMode::Rewrite | HookMode::Warn => Verdict::Note(text),
    }
}
