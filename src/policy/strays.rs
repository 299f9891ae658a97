//! Which processes agents left behind past guardian, among those that run.
//!
//! Agents mark what they start, and not themselves. So a marked process whose parents lead, through marked ones, to a
//! living one without marks stands in a tool call that goes on, or is the agent's own background: it is none. What its
//! shell left when the call returned has init or another reaper for a parent, or is in a session whose leader has
//! ended: that is a stray. What stands below it belongs to it. Looks at nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::event::EventKind;
use crate::model::metadata::Agent;
use crate::model::name::{Name, NameError};
use crate::model::time::{Identity, Stamp};

/// Programs that adopt orphans without having started them, by their short names.
const REAPERS: &[&str] = &[
    "catatonit",
    "conmon",
    "containerd-shim",
    "docker-init",
    "dumb-init",
    "init",
    "launchd",
    "runit",
    "s6-svscan",
    "systemd",
    "tini",
    "tini-static",
];

/// What the environment of a process says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marks {
    /// The agents whose marks are in it, and whether it is that of a run of guardian's.
    Read {
        /// Which agents.
        agents: Vec<Agent>,
        /// Guardian gave it that environment.
        guarded: bool,
    },
    /// It is not ours to read.
    Unreadable,
}

/// One process that runs, as far as it could be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its pid.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its session; `None`: not known, or one that began out of sight.
    pub session: Option<i32>,
    /// How long it runs; `None`: it cannot be told.
    pub age: Option<Duration>,
    /// Its short name.
    pub comm: String,
    /// It is guardian, of whatever part.
    pub guardian: bool,
    /// What its environment says.
    pub marks: Marks,
}

impl Seen {
    /// Whether this session of `agent` started it.
    #[must_use]
    pub fn is_of(&self, agent: &str, session: &str) -> bool {
        let Marks::Read { agents, .. } = &self.marks else { return false };
        agents.iter().any(|found| found.name == agent && found.session.as_deref() == Some(session))
    }
}

/// What is known besides the processes themselves.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Main processes of runs.
    pub guarded: &'a BTreeSet<i32>,
    /// Whoever asks, and all above.
    pub mine: &'a BTreeSet<i32>,
    /// Younger ones are none yet.
    pub older: Duration,
}

/// The strays among `seen`: the uppermost of each tree, the oldest first.
#[must_use]
pub fn strays<'s>(seen: &'s [Seen], around: Around<'_>) -> Vec<&'s Seen> {
    let by_pid: BTreeMap<i32, &Seen> = seen.iter().map(|process| (process.pid, process)).collect();
    let is_stray = |process: &&Seen| {
        let parent = by_pid.get(&process.parent).copied();
        is_marked(process)
            && !parent.is_some_and(is_marked)
            && process.age.is_none_or(|age| age >= around.older)
            && !around.mine.contains(&process.pid)
            && !is_guarded(process, &by_pid, around.guarded)
            && is_left(process, parent, &by_pid)
    };
    let mut found: Vec<&Seen> = seen.iter().filter(is_stray).collect();
    found.sort_by_key(|process| (std::cmp::Reverse(process.age), process.pid));
    found
}

fn is_marked(process: &Seen) -> bool {
    matches!(&process.marks, Marks::Read { agents, .. } if !agents.is_empty())
}

/// Whether guardian looks after it: itself, one that it gave an environment, or one below a run or a shim.
fn is_guarded(process: &Seen, by_pid: &BTreeMap<i32, &Seen>, guarded: &BTreeSet<i32>) -> bool {
    let above = std::iter::successors(Some(process), |process| by_pid.get(&process.parent).copied());
    let of_a_run = |process: &Seen| matches!(process.marks, Marks::Read { guarded: true, .. });
    above.take(by_pid.len()).any(|process| process.guardian || of_a_run(process) || guarded.contains(&process.pid))
}

/// Whether nobody lives who started it.
fn is_left(process: &Seen, parent: Option<&Seen>, by_pid: &BTreeMap<i32, &Seen>) -> bool {
    let adopted = match parent {
        None => true,
        Some(parent) => parent.pid == 1 || REAPERS.contains(&parent.comm.as_str()),
    };
    adopted || process.session.is_some_and(|session| !by_pid.contains_key(&session))
}

/// A stray that a pass has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Which process.
    pub identity: Identity,
    /// When it was first seen as one.
    pub since: Stamp,
    /// It was told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// Those that are seen now, with what was known of each before; what is not seen any more is forgotten.
#[must_use]
pub fn seen_again(known: &[Known], seen: impl Iterator<Item = Identity>, now: &Stamp) -> Vec<Known> {
    let again = seen.map(|identity| {
        let earlier = known.iter().find(|known| known.identity.is(&identity)).cloned();
        earlier.unwrap_or(Known { identity, since: now.clone(), told: false })
    });
    again.collect()
}

/// How the names begin that strays have in events: they are in no registry.
const NAMED: &str = "stray-";

/// The name of a stray in events, and the id of the one that tells of it: both of who it is.
///
/// # Errors
/// None that a pid can cause.
pub fn event_name(identity: &Identity) -> Result<(Name, String), NameError> {
    let name: Name = format!("{NAMED}{}", identity.pid).parse()?;
    let boot: String = identity.boot.as_str().chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let id = format!("{name}.{boot}{}.0.{}", identity.started, EventKind::Stray.word());
    Ok((name, id))
}

/// Whether events of that name may be about a stray.
#[must_use]
pub fn is_event_name(name: &Name) -> bool {
    name.as_str().starts_with(NAMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Duration = Duration::from_secs(3600);

    fn plain(pid: i32, parent: i32, comm: &str) -> Seen {
        let marks = Marks::Read { agents: Vec::new(), guarded: false };
        let session = Some(pid);
        Seen { pid, parent, session, age: Some(OLD), comm: comm.to_owned(), guardian: false, marks }
    }

    fn marked(pid: i32, parent: i32, session: i32) -> Seen {
        let agents = vec![Agent { name: "codex".to_owned(), session: None }];
        let marks = Marks::Read { agents, guarded: false };
        Seen { session: Some(session), marks, ..plain(pid, parent, "bot") }
    }

    fn found(seen: &[Seen], guarded: &[i32], mine: &[i32]) -> Vec<i32> {
        let (guarded, mine) = (guarded.iter().copied().collect(), mine.iter().copied().collect());
        let around = Around { guarded: &guarded, mine: &mine, older: Duration::from_secs(300) };
        strays(seen, around).iter().map(|process| process.pid).collect()
    }

    #[test]
    fn what_a_tool_call_left_to_init_or_to_another_reaper_is_a_stray_and_its_children_are_its_own() {
        let seen = [plain(1, 0, "sh"), marked(10, 1, 10), marked(11, 10, 10), plain(12, 10, "worker")];
        assert_eq!(found(&seen, &[], &[]), [10]);
        let seen = [plain(1, 0, "sh"), plain(5, 1, "systemd"), marked(10, 5, 10)];
        assert_eq!(found(&seen, &[], &[]), [10]);
    }

    #[test]
    fn what_stands_below_a_living_agent_is_none_until_the_leader_of_its_session_has_ended() {
        let agent = plain(5, 1, "claude");
        let call = [plain(1, 0, "init"), agent.clone(), marked(10, 5, 10), marked(11, 10, 10)];
        assert_eq!(found(&call, &[], &[]), [] as [i32; 0]);
        let left = [plain(1, 0, "init"), agent, marked(11, 5, 10)];
        assert_eq!(found(&left, &[], &[]), [11], "a subreaper has it");
    }

    #[test]
    fn what_guardian_runs_or_adopted_and_whoever_asks_are_none() {
        let init = plain(1, 0, "init");
        let shim = Seen { guardian: true, ..plain(5, 1, "guardian-shim") };
        assert_eq!(found(&[init.clone(), shim, marked(10, 5, 10)], &[], &[]), [] as [i32; 0]);
        let marks = Marks::Read { agents: vec![Agent { name: "x".to_owned(), session: None }], guarded: true };
        assert_eq!(found(&[init.clone(), Seen { marks, ..marked(10, 1, 10) }], &[], &[]), [] as [i32; 0]);
        let seen = [init, marked(10, 1, 10)];
        assert_eq!(found(&seen, &[10], &[]), [] as [i32; 0]);
        assert_eq!(found(&seen, &[], &[10]), [] as [i32; 0]);
    }

    #[test]
    fn young_and_unreadable_ones_are_none_and_an_unknown_age_counts_as_old() {
        let young = Seen { age: Some(Duration::from_secs(5)), ..marked(10, 1, 10) };
        let unread = Seen { marks: Marks::Unreadable, ..marked(11, 1, 11) };
        let ageless = Seen { age: None, ..marked(12, 1, 12) };
        assert_eq!(found(&[plain(1, 0, "init"), young, unread, ageless], &[], &[]), [12]);
    }

    #[test]
    fn a_process_is_known_again_by_pid_and_start_and_what_is_gone_is_forgotten() {
        use crate::model::time::{BootId, Wall};
        let boot = BootId::new("b").unwrap();
        let at = |ms: u64| Stamp { wall: Wall(0), boot_ms: ms, boot: boot.clone() };
        let who = |pid, started| Identity { pid, started, boot: boot.clone(), unique: None };
        let known = seen_again(&[], [who(7, 1), who(8, 1)].into_iter(), &at(5));
        let known: Vec<Known> = known.into_iter().map(|known| Known { told: true, ..known }).collect();
        let again = seen_again(&known, [who(7, 1), who(8, 2)].into_iter(), &at(9));
        assert_eq!(
            again.iter().map(|known| (known.since.boot_ms, known.told)).collect::<Vec<_>>(),
            [(5, true), (9, false)]
        );
        assert_ne!(event_name(&who(8, 1)).unwrap().1, event_name(&who(8, 2)).unwrap().1);
    }
}
