//! The machine itself: its kernel, its first process, its clock, and whether it is one that goes to sleep with a window.

use std::time::Duration;

use crate::model::check::Check;
use crate::model::time::Wall;
use crate::model::units::human_duration;

use super::super::overdue::Awake;

/// What a first process should be.
const MEND: &str = "use guardian healthcheck --loop 1m as the first process, or an init (docker run --init)";
/// So many zombies of one parent are no chance.
const PILE: usize = 10;
/// Clocks that differ by less were not set.
const APART_MS: i64 = 5_000;

/// What the kernel offers; `None`: it cannot be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// A process can be held by a descriptor (Linux 5.3).
    pub pidfd: Option<bool>,
    /// Such a descriptor tells how a process ended that somebody else waited for (Linux 6.15).
    pub exit_info: Option<bool>,
    /// A whole control group can be killed at once (Linux 5.14, control groups of version 2).
    pub group_kill: Option<bool>,
}

/// The kernel.
#[must_use]
pub fn kernel(found: Kernel, release: Option<&str>) -> Check {
    const NAME: &str = "kernel";
    let release = release.unwrap_or("of an unknown release");
    let Kernel { pidfd, exit_info, group_kill } = found;
    if pidfd == Some(false) {
        let said = format!("Linux {release} has no pidfd: a program whose shim was killed gets no new one");
        return Check::yellow(NAME, said, "a kernel from 5.3 on, or a sandbox that lets pidfd_open through");
    }
    if exit_info == Some(false) {
        let said = format!(
            "Linux {release} keeps no exit status for others: how a program ended whose shim was killed may stay unknown"
        );
        return Check::yellow(NAME, said, "a kernel from 6.15 on");
    }
    match (pidfd, exit_info, group_kill) {
        (Some(true), Some(true), Some(true)) => {
            Check::green(NAME, format!("Linux {release}: pidfd, exit status by pidfd, kill of a whole control group"))
        }
        (Some(true), Some(true), Some(false)) => Check::green(
            NAME,
            format!(
                "Linux {release}: pidfd, exit status by pidfd; the processes of a control group are killed one by one"
            ),
        ),
        (_, _, _) => Check::yellow(NAME, format!("not all that Linux {release} has could be tried"), "uname -r"),
    }
}

/// The Windows Subsystem for Linux. `release`: of the kernel; `systemd`: it runs here.
#[must_use]
pub fn wsl(release: Option<&str>, systemd: bool) -> Check {
    const NAME: &str = "wsl";
    let Some(release) = release else {
        return Check::yellow(NAME, "whether this is WSL cannot be told", "cat /proc/sys/kernel/osrelease");
    };
    if !release.to_ascii_lowercase().contains("microsoft") {
        return Check::green(NAME, "this is not WSL");
    }
    const ENDS: &str = "this is WSL: Windows ends it all some time after the last window was closed";
    if systemd {
        Check::yellow(NAME, ENDS, "let the Task Scheduler of Windows run `wsl.exe -e guardian healthcheck` at log on")
    } else {
        Check::yellow(
            NAME,
            format!("{ENDS}, and no systemd runs"),
            "put `[boot]` and `systemd=true` into /etc/wsl.conf, then in Windows: wsl --shutdown",
        )
    }
}

/// Whether signals can be traced. `asked`: processes with `trace_signals`; `scope`: `kernel.yama.ptrace_scope`, `None` inside: this
/// kernel has no such thing, outside: it cannot be read.
#[must_use]
pub fn ptrace(asked: usize, scope: Option<Option<u32>>, root: bool) -> Check {
    const NAME: &str = "ptrace";
    if asked == 0 {
        return Check::green(NAME, "no process asks for trace_signals");
    }
    match (scope, root) {
        (Some(Some(3..)), _) => Check::red(
            NAME,
            format!("ptrace_scope forbids tracing to everybody, and {asked} processes ask for trace_signals"),
            "kernel.yama.ptrace_scope = 1 in /etc/sysctl.d, then a reboot",
        ),
        (Some(Some(2)), false) => Check::red(
            NAME,
            format!("ptrace_scope is 2: only root may trace, and {asked} processes ask for trace_signals"),
            "sysctl kernel.yama.ptrace_scope=1",
        ),
        (Some(Some(1)), false) => Check::green(
            NAME,
            "ptrace_scope is 1: a shim traces its program; one that takes over from a killed shim may not",
        ),
        (Some(_), _) => Check::green(NAME, "signals can be traced"),
        (None, _) => Check::yellow(
            NAME,
            "whether signals can be traced cannot be told",
            "cat /proc/sys/kernel/yama/ptrace_scope",
        ),
    }
}

/// Who took an orphan, and what became of it when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopter {
    /// Its pid.
    pub pid: i32,
    /// Its name; empty: not known.
    pub name: String,
    /// It waited for the orphan soon; else that was a zombie for seconds.
    pub reaps: bool,
    /// Other zombies that it has not waited for.
    pub zombies: usize,
}

/// Whether what lost its parent is waited for. `own`: it came to this very command; `None`: what became of a trial orphan was not seen.
#[must_use]
pub fn orphans(adopter: Option<&Adopter>, own: bool) -> Check {
    const NAME: &str = "orphans";
    match adopter {
        None => Check::yellow(NAME, "what becomes of an orphan that ends was not seen", "ps -eo pid,ppid,stat,comm"),
        Some(Adopter { reaps: true, pid, name, .. }) => {
            Check::green(NAME, format!("what lost its parent comes to pid {pid} ({name}), which waits for it"))
        }
        Some(_) if own => Check::yellow(
            NAME,
            "this command is the first process here: all else ends with it",
            "run guardian healthcheck --loop 1m as the first process, and doctor beside it",
        ),
        Some(Adopter { reaps: false, pid, name, zombies }) if *zombies >= PILE => Check::red(
            NAME,
            format!("what lost its parent comes to pid {pid} ({name}), which does not wait: it has {zombies} zombies"),
            MEND,
        ),
        Some(Adopter { reaps: false, pid, name, .. }) => Check::yellow(
            NAME,
            format!(
                "what lost its parent comes to pid {pid} ({name}), which did not wait for it within seconds: zombies may pile up"
            ),
            MEND,
        ),
    }
}

/// The first process of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Its name; `None`: it cannot be asked.
    pub name: Option<String>,
    /// It does something about SIGTERM; `None`: it cannot be asked.
    pub hears: Option<bool>,
}

/// What a stop of the container does. `None`: this is no container.
#[must_use]
pub fn first(container: Option<(&str, &First)>) -> Check {
    const NAME: &str = "pid-1";
    let Some((what, first)) = container else {
        return Check::green(NAME, "this is no container");
    };
    let name = first.name.as_deref().unwrap_or("its name is not known");
    match first.hears {
        Some(true) => {
            Check::green(NAME, format!("{what}: its first process ({name}) hears SIGTERM, so it is stopped in order"))
        }
        Some(false) => Check::yellow(
            NAME,
            format!(
                "{what}: its first process ({name}) does nothing about SIGTERM: a stop waits, then kills all at once"
            ),
            MEND,
        ),
        None => Check::yellow(
            NAME,
            format!("{what}: whether its first process ({name}) hears SIGTERM cannot be told"),
            MEND,
        ),
    }
}

/// One moment on three clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Wall,
    /// The one that stands while the machine sleeps.
    pub awake: Awake,
    /// How long the machine slept since its boot, in milliseconds; `None`: not known.
    pub asleep_ms: Option<u64>,
}

/// How far the wall clock was set between two moments, in milliseconds; 0: not as far as can be told.
#[must_use]
pub fn set_by(then: (Wall, &Awake), now: &Moment) -> i64 {
    if then.1.boot != now.awake.boot {
        return now.wall.0.saturating_sub(then.0.0).min(0);
    }
    let awake = i64::try_from(now.awake.ms.saturating_sub(then.1.ms)).unwrap_or(i64::MAX);
    let extra = now.wall.0.saturating_sub(then.0.0).saturating_sub(awake);
    // What is more than the time awake may be sleep, but no more than the machine slept in all.
    let asleep = now.asleep_ms.map_or(i64::MAX, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
    if extra < 0 { extra } else { extra.saturating_sub(asleep).max(0) }
}

/// Whether the clock is kept right by somebody (`None`: the kernel does not say), and how far it was set since the last pass.
#[must_use]
pub fn clock(synchronised: Option<bool>, set_by_ms: i64) -> Check {
    const NAME: &str = "clock";
    if set_by_ms.abs() > APART_MS {
        let by = human_duration(Duration::from_millis(set_by_ms.unsigned_abs()));
        let way = if set_by_ms < 0 { "back" } else { "forward" };
        return Check::yellow(
            NAME,
            format!(
                "the wall clock was set {way} by {by} since the last pass: times in messages and schedules are off by that"
            ),
            "timedatectl (or date -u), and an NTP client (chrony, systemd-timesyncd)",
        );
    }
    match synchronised {
        Some(true) => Check::green(NAME, "it is synchronised, and was not set since the last pass"),
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

#[cfg(test)]
mod tests {
    use super::super::graded;
    use super::*;
    use crate::model::check::Grade;
    use crate::model::time::BootId;

    #[test]
    fn a_kernel_is_well_when_it_has_all_and_what_was_not_tried_is_not() {
        let all = Kernel { pidfd: Some(true), exit_info: Some(true), group_kill: Some(true) };
        let of = |found| kernel(found, Some("6.18"));
        graded(&[
            ("all", of(all), Grade::Green),
            ("version 1", of(Kernel { group_kill: Some(false), ..all }), Grade::Green),
            ("no exit status", of(Kernel { exit_info: Some(false), ..all }), Grade::Yellow),
            ("no pidfd", of(Kernel { pidfd: Some(false), exit_info: None, ..all }), Grade::Yellow),
            ("not tried", of(Kernel { exit_info: None, ..all }), Grade::Yellow),
            ("nothing known", of(Kernel { pidfd: None, exit_info: None, group_kill: None }), Grade::Yellow),
        ]);
    }

    #[test]
    fn wsl_is_told_by_its_kernel() {
        graded(&[
            ("linux", wsl(Some("6.18.44"), false), Grade::Green),
            ("wsl 2", wsl(Some("5.15.90.1-microsoft-standard-WSL2"), true), Grade::Yellow),
            ("wsl 1", wsl(Some("4.4.0-19041-Microsoft"), false), Grade::Yellow),
            ("unknown", wsl(None, false), Grade::Yellow),
        ]);
    }

    #[test]
    fn ptrace_matters_only_to_who_asks_for_it() {
        graded(&[
            ("nobody asks", ptrace(0, None, false), Grade::Green),
            ("nobody may", ptrace(1, Some(Some(3)), true), Grade::Red),
            ("root may", ptrace(1, Some(Some(2)), true), Grade::Green),
            ("a user may not", ptrace(1, Some(Some(2)), false), Grade::Red),
            ("parents may", ptrace(1, Some(Some(1)), false), Grade::Green),
            ("no such thing", ptrace(1, Some(None), false), Grade::Green),
            ("unknown", ptrace(1, None, false), Grade::Yellow),
        ]);
    }

    #[test]
    fn orphans_must_be_waited_for() {
        let adopter = |reaps, zombies| Adopter { pid: 1, name: "sleep".to_owned(), reaps, zombies };
        graded(&[
            ("an init", orphans(Some(&adopter(true, 0)), false), Grade::Green),
            ("slow, or none", orphans(Some(&adopter(false, 0)), false), Grade::Yellow),
            ("none", orphans(Some(&adopter(false, PILE)), false), Grade::Red),
            ("ourselves", orphans(Some(&adopter(false, 0)), true), Grade::Yellow),
            ("not seen", orphans(None, false), Grade::Yellow),
        ]);
    }

    #[test]
    fn the_first_process_of_a_container_must_hear_a_request_to_end() {
        let of = |hears| first(Some(("a container", &First { name: None, hears })));
        graded(&[
            ("no container", first(None), Grade::Green),
            ("hears", of(Some(true)), Grade::Green),
            ("deaf", of(Some(false)), Grade::Yellow),
            ("unknown", of(None), Grade::Yellow),
        ]);
    }

    #[test]
    fn a_wall_clock_that_moved_otherwise_than_time_was_set() {
        let awake = |boot: &str, secs: u64| Awake { boot: BootId::new(boot).unwrap(), ms: secs * 1000 };
        let by = |then: (i64, &str, u64), now: (i64, &str, u64), asleep: Option<u64>| {
            let moment = Moment {
                wall: Wall(now.0 * 1000),
                awake: awake(now.1, now.2),
                asleep_ms: asleep.map(|secs| secs * 1000),
            };
            set_by((Wall(then.0 * 1000), &awake(then.1, then.2)), &moment) / 1000
        };
        let cases = [
            ("a minute is a minute", by((1000, "a", 10), (1060, "a", 70), Some(0)), 0),
            ("set back", by((1000, "a", 10), (460, "a", 70), Some(0)), -600),
            ("set forward", by((1000, "a", 10), (4660, "a", 70), Some(0)), 3600),
            ("slept", by((1000, "a", 10), (4660, "a", 70), Some(3600)), 0),
            ("slept less than that", by((1000, "a", 10), (4660, "a", 70), Some(600)), 3000),
            ("nobody knows for how long it slept", by((1000, "a", 10), (4660, "a", 70), None), 0),
            ("another boot", by((1000, "a", 10), (9000, "b", 5), Some(0)), 0),
            ("another boot, earlier", by((1000, "a", 10), (400, "b", 5), Some(0)), -600),
        ];
        for (claim, found, want) in cases {
            assert_eq!(found, want, "{claim}");
        }
        graded(&[
            ("well", clock(Some(true), 800), Grade::Green),
            ("nobody keeps it", clock(Some(false), 0), Grade::Yellow),
            ("unknown", clock(None, 0), Grade::Yellow),
            ("set", clock(Some(true), -600_000), Grade::Yellow),
        ]);
    }
}
