//! What the findings of `doctor` mean. Pure: what was found comes in, a check goes out.

use std::time::Duration;

use crate::model::check::{Check, Grade};
use crate::model::evidence::Level;
use crate::model::units::{human_duration, human_size};

use super::stuck::Backlog;

/// A pass that is this many periods late is overdue, as `status` counts.
const OVERDUE: u32 = 3;
/// Less room than this on the disk of the state, in bytes, and nothing can be committed for much longer.
const LEAST_BYTES: u64 = 64 << 20;
/// Less room than this is little.
const LITTLE_BYTES: u64 = 1 << 30;
/// Fewer free inodes than this: each run and each notification is a file.
const LEAST_INODES: u64 = 1000;

/// What a trial run came to that was started and then attacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// It lived on when the group and all descendants of whoever started it were killed.
    pub survived: bool,
    /// It has a session of its own; `None`: that cannot be told.
    pub own_session: Option<bool>,
    /// Where it was put; `None`: not reported.
    pub level: Option<Level>,
}

/// Who runs passes. `ago`: since the last one over all processes; `installed`: guardian's lines are in the crontab (`None`: that cannot be
/// told); `daemon`: a cron daemon runs.
#[must_use]
pub fn trigger(ago: Option<Duration>, every: Duration, installed: Option<bool>, daemon: Option<bool>) -> Check {
    const NAME: &str = "trigger";
    match (ago, installed) {
        (Some(ago), _) if ago <= every.saturating_mul(OVERDUE) => {
            Check::green(NAME, format!("a pass ran {} ago", human_duration(ago)))
        }
        (_, Some(true)) if daemon == Some(false) => {
            Check::red(NAME, "the crontab has guardian's lines, and no cron daemon runs", "start cron")
        }
        (None, Some(true)) => Check::yellow(
            NAME,
            "the crontab has guardian's lines, and no pass has been seen yet",
            "wait two minutes; then see what cron logs",
        ),
        (Some(ago), installed) => {
            let said = format!("the last pass ran {} ago", human_duration(ago));
            let mend = if installed == Some(true) { "see what cron logs" } else { "guardian install --cron" };
            Check::red(NAME, said, mend)
        }
        (None, _) => Check::red(NAME, "no pass has ever run", "guardian install --cron"),
    }
}

/// Whether what is started here outlives who starts it.
#[must_use]
pub fn isolation(trial: &Trial) -> Check {
    const NAME: &str = "isolation";
    let place = match trial.level {
        Some(Level::Cgroup) => "in a control group of its own",
        Some(Level::Scope) => "in a scope of systemd",
        Some(Level::Session) => "in a session of its own only",
        None => "in a place that was not reported",
    };
    match (trial.survived, trial.own_session, trial.level) {
        (false, _, _) => Check::red(
            NAME,
            "a trial run died with the group or the descendants of whoever started it",
            "start from outside of this sandbox: by cron, by `guardian mcp`, or from another shell",
        ),
        (true, Some(false), _) => Check::red(
            NAME,
            "a trial run has no session of its own: the end of this terminal ends it",
            "report this as a bug",
        ),
        (true, _, Some(Level::Cgroup | Level::Scope)) => {
            Check::green(NAME, format!("a trial run outlived its caller, {place}"))
        }
        (true, _, Some(Level::Session) | None) => Check::yellow(
            NAME,
            format!("a trial run outlived its caller, {place}: who kills this whole control group kills it too"),
            "run guardian as root, or under a user manager of systemd (`loginctl enable-linger`)",
        ),
    }
}

/// Whether somebody hears. `delivered`: since the last delivery of any sink.
#[must_use]
pub fn sinks(count: usize, backlog: &Backlog, delivered: Option<Duration>) -> Check {
    const NAME: &str = "sinks";
    if count == 0 {
        return Check::red(
            NAME,
            "there is no sink: nobody is told of anything",
            "add `[sinks.NAME]`, see docs/registry.md",
        );
    }
    if backlog.is_bad() {
        let why = backlog.last_error.as_deref().unwrap_or("the error is not known");
        let sink = backlog.sink.as_deref().unwrap_or("?");
        return Check::red(NAME, format!("alerts are stuck: sink `{sink}`: {why}"), "guardian alerts");
    }
    match delivered {
        Some(ago) => Check::green(NAME, format!("{count}, the last delivery was {} ago", human_duration(ago))),
        None => Check::yellow(NAME, format!("{count}, and none has ever delivered"), "guardian alerts test NAME"),
    }
}

/// Room for state. `None`: it cannot be asked. `inodes`: 0 where the file system does not count them.
#[must_use]
pub fn disk(found: Option<(u64, u64)>) -> Check {
    const NAME: &str = "disk";
    match found {
        None => Check::yellow(NAME, "how much room there is cannot be asked", "df on the state directory"),
        Some((bytes, _)) if bytes < LEAST_BYTES => {
            Check::red(NAME, format!("{} are free for state", human_size(bytes)), "make room")
        }
        Some((_, inodes)) if inodes != 0 && inodes < LEAST_INODES => {
            Check::red(NAME, format!("{inodes} inodes are free for state"), "remove small files")
        }
        Some((bytes, _)) if bytes < LITTLE_BYTES => {
            Check::yellow(NAME, format!("{} are free for state", human_size(bytes)), "make room before it is needed")
        }
        Some((bytes, _)) => Check::green(NAME, format!("{} are free for state", human_size(bytes))),
    }
}

/// Whether the clock is kept right by somebody; `None`: the kernel does not say.
#[must_use]
pub fn clock(synchronised: Option<bool>) -> Check {
    const NAME: &str = "clock";
    match synchronised {
        Some(true) => Check::green(NAME, "it is synchronised"),
        Some(false) => Check::yellow(
            NAME,
            "nobody synchronises it: schedules and times in messages may be wrong; durations are not affected",
            "install an NTP client (chrony, systemd-timesyncd)",
        ),
        None => {
            Check::yellow(NAME, "whether it is synchronised cannot be asked here", "see what your system does for time")
        }
    }
}

/// For an agent that is to work alone, what is only uncomfortable for a person is not good enough: nobody looks.
#[must_use]
pub fn strict(check: Check) -> Check {
    let alone = matches!(check.name, "trigger" | "sinks" | "agent");
    match check.grade {
        Grade::Yellow if alone => Check { grade: Grade::Red, ..check },
        Grade::Green | Grade::Yellow | Grade::Red => check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn graded(cases: &[(&str, Check, Grade)]) {
        for (claim, check, grade) in cases {
            assert_eq!(check.grade, *grade, "{claim}: {check:?}");
            assert_eq!(check.mend.is_none(), *grade == Grade::Green, "what is not well says what mends it: {check:?}");
        }
    }

    #[test]
    fn a_trigger_is_proven_by_a_pass_and_by_nothing_else() {
        graded(&[
            ("a pass ran", trigger(Some(MINUTE), MINUTE, Some(false), Some(false)), Grade::Green),
            ("late but not overdue", trigger(Some(3 * MINUTE), MINUTE, None, None), Grade::Green),
            ("overdue", trigger(Some(4 * MINUTE), MINUTE, Some(true), Some(true)), Grade::Red),
            ("installed and never seen", trigger(None, MINUTE, Some(true), Some(true)), Grade::Yellow),
            ("installed where cron does not run", trigger(None, MINUTE, Some(true), Some(false)), Grade::Red),
            ("nothing", trigger(None, MINUTE, Some(false), None), Grade::Red),
            ("unknown is not installed", trigger(None, MINUTE, None, None), Grade::Red),
        ]);
    }

    #[test]
    fn isolation_is_what_a_trial_run_showed() {
        let trial = |survived, own_session, level| isolation(&Trial { survived, own_session, level });
        graded(&[
            ("control group", trial(true, Some(true), Some(Level::Cgroup)), Grade::Green),
            ("scope", trial(true, None, Some(Level::Scope)), Grade::Green),
            ("session", trial(true, Some(true), Some(Level::Session)), Grade::Yellow),
            ("not reported", trial(true, Some(true), None), Grade::Yellow),
            ("the caller's session", trial(true, Some(false), Some(Level::Cgroup)), Grade::Red),
            ("dead", trial(false, Some(true), Some(Level::Cgroup)), Grade::Red),
        ]);
    }

    #[test]
    fn somebody_must_hear() {
        let well = Backlog::default();
        let stuck = Backlog { dead: 1, ..Backlog::default() };
        graded(&[
            ("nobody", sinks(0, &well, None), Grade::Red),
            ("never delivered", sinks(1, &well, None), Grade::Yellow),
            ("delivered", sinks(2, &well, Some(MINUTE)), Grade::Green),
            ("stuck", sinks(2, &stuck, Some(MINUTE)), Grade::Red),
            ("never delivered, and nobody looks", strict(sinks(1, &well, None)), Grade::Red),
            ("the clock is no worse for an agent", strict(clock(Some(false))), Grade::Yellow),
        ]);
    }

    #[test]
    fn room_and_time_are_as_found_and_unknown_is_not_well() {
        graded(&[
            ("full", disk(Some((1 << 20, 1 << 20))), Grade::Red),
            ("no inodes", disk(Some((1 << 40, 12))), Grade::Red),
            ("not counted", disk(Some((1 << 40, 0))), Grade::Green),
            ("little", disk(Some((1 << 29, 1 << 20))), Grade::Yellow),
            ("unknown", disk(None), Grade::Yellow),
            ("synchronised", clock(Some(true)), Grade::Green),
            ("not", clock(Some(false)), Grade::Yellow),
            ("unknown time", clock(None), Grade::Yellow),
        ]);
    }
}
