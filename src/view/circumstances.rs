//! Sentences about how a run came to be: where it was put, who asked for it.

use crate::model::evidence::{Level, Placed};
use crate::model::metadata::Asked;
use crate::model::state::Began;
use crate::model::time::Wall;

/// How far from its caller a run was put.
#[must_use]
pub(super) fn place(placed: &Placed) -> String {
    let level = match placed.level {
        Level::Cgroup => "a control group of its own",
        Level::Scope => "a scope of systemd",
        Level::Session => "a session of its own, in its caller's control group",
    };
    match &placed.why {
        Some(why) => format!("{level}: {why}"),
        None => level.to_owned(),
    }
}

/// New shims that it got; the first one of a process that was adopted comes with that.
#[must_use]
pub(super) fn takeover(at: &[Wall], adopted: Option<Wall>) -> Option<String> {
    let lost = at.len() - usize::from(adopted.is_some() && !at.is_empty());
    let adoption =
        adopted.map(|at| format!("it ran already when guardian adopted it at {at}; what it writes is not in the log"));
    let last = at.last().filter(|_| lost > 0).map(|last| match lost {
        1 => format!("its shim was killed; a new one took it over at {last}"),
        times => format!("its shim was killed {times} times; the last new one took it over at {last}"),
    });
    match (adoption, last) {
        (Some(adoption), Some(last)) => Some(format!("{adoption}; {last}")),
        (adoption, last) => adoption.or(last),
    }
}

/// Who asked for a start.
#[must_use]
pub fn started_by(asked: &Asked) -> String {
    match asked {
        Asked::Guardian { began: Began::Trial } => "by guardian, as one try with the breaker open".to_owned(),
        Asked::Guardian { began: Began::Schedule { .. } } => "by guardian, as its schedule says".to_owned(),
        Asked::Guardian { began: Began::Restart | Began::Operator } => {
            "by guardian, after the run before it".to_owned()
        }
        Asked::Command { caller, agents } => {
            let agents = agents.iter().map(|agent| match &agent.session {
                Some(session) => format!("{}, session {session}", agent.name),
                None => agent.name.clone(),
            });
            let agents = agents.collect::<Vec<_>>().join(" and ");
            let line = caller.cmdline.as_deref().map(|line| format!("`{line}`")).unwrap_or_default();
            let chain = caller.parents.iter().map(|parent| format!("{} {}", parent.comm, parent.pid));
            let chain = chain.collect::<Vec<_>>().join(" < ");
            let user = caller.uid.map_or("a user not known".to_owned(), |uid| format!("user {uid}"));
            let by = if agents.is_empty() { user } else { agents };
            format!("by {by}: {line} from {chain}")
        }
    }
}
