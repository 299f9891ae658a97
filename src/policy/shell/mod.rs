//! What a shell command would leave running: launches that nothing looks after.
//!
//! Read by a real parser of bash's language (`rable`); nothing is guessed from a text that is not a command. Text that is
//! given to a shell inside of it (`sh -c`, `eval`, a here-document, `$(…)`, a script that the command writes first) is read
//! in the same way. What only a program knows is out of reach: a script file that was there, a Makefile, most of what
//! `python -c` may do. Who uses such a way is found at the end of the session, by its processes.

mod advice;
mod calls;
mod detail;
mod embedded;
mod endings;
mod jobs;
mod known;
mod launchers;
mod lists;
mod options;
mod programs;
mod rewrite;
#[cfg(test)]
mod tests;
mod walk;
mod words;
mod wrappers;

pub use rewrite::rewrite;

/// The longest command that is read, in bytes: what Linux takes as one argument.
pub const LONGEST: usize = 128 * 1024;

/// Something that would be left running.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Launch {
    /// What gave it away: `&`, `nohup`, `docker run -d` …
    pub how: String,
    /// The command as it was written; empty where only its structure is known.
    pub text: String,
    /// The command without launchers, where it is a simple one.
    pub program: String,
    /// What to write instead; `None`: it cannot be told exactly.
    pub instead: Option<String>,
    /// Whether its output went to a file.
    pub redirected: bool,
    /// From which to which character of the command it goes; `None`: it stands in a text inside of it.
    pub(crate) place: Option<(usize, usize)>,
}

/// Why a command could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// More than [`LONGEST`].
    #[error("the command is {0} bytes long, and no more than {LONGEST} are read")]
    TooLong(usize),
    /// Not the language of bash, or not as far as the parser knows it.
    #[error("the command cannot be parsed: {0}")]
    Syntax(String),
}

/// All that `command` would leave running.
///
/// # Errors
/// It cannot be read: then nothing is known of it.
pub fn read(command: &str) -> Result<Vec<Launch>, Unreadable> {
    Ok(walk::Walk::of(command, &parse(command)?))
}

/// `guardian run …` for a whole command that an agent would put into the background; `None`: it asks nothing but guardian.
#[must_use]
pub fn whole(command: &str) -> Option<Launch> {
    let nodes = parse(command).unwrap_or_default();
    let chains = lists::chains(nodes.iter());
    let source = detail::Source { text: Some(command), top: false };
    if !chains.is_empty() && chains.iter().all(|chain| detail::is_guardians(&chain.commands)) {
        return None;
    }
    let single = if let [chain] = chains.as_slice() { Some(chain) } else { None };
    let mut launch = single.map(|chain| detail::of_chain("", &chain.commands, source)).unwrap_or_default();
    command.clone_into(&mut launch.text);
    if launch.instead.is_none() {
        launch.instead = advice::of_line(command.trim(), &[]);
    }
    Some(launch)
}

fn parse(command: &str) -> Result<Vec<rable::Node>, Unreadable> {
    if command.len() > LONGEST {
        return Err(Unreadable::TooLong(command.len()));
    }
    // `&|` is how zsh writes `& disown`.
    rable::parse(command, true)
        .or_else(|error| rable::parse(&command.replace("&|", "& "), true).map_err(|_| error))
        .map_err(|error| Unreadable::Syntax(error.to_string()))
}
