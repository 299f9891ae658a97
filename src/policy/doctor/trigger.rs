//! Whether somebody runs passes, and whether that outlasts logins: cron, systemd's timers, lingering, logind.

use std::time::Duration;

use crate::model::check::Check;
use crate::model::evidence::Level;
use crate::model::units::human_duration;

/// A pass that is this many periods late is overdue, as `status` counts.
const OVERDUE: u32 = 3;
/// What starts cron, by whatever runs the machine.
const START_CRON: &str = "service cron start (or: systemctl enable --now cron)";
const ENABLE_LINGER: &str = "loginctl enable-linger";

/// The user's crontab, and what runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Crontab {
    /// It has guardian's lines for this home.
    Ours,
    /// It has not.
    NotOurs,
    /// There is no `crontab` program.
    NoProgram,
    /// It cannot be read, for this reason: neither with nor without guardian.
    Unreadable(String),
}

/// `guardian.timer` of one systemd, a user's or the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timer {
    /// It is this home's, and active.
    Active,
    /// It is this home's, active, and not enabled: it ends with this boot.
    Once,
    /// It is this home's, and systemd says this of it.
    Inactive(String),
    /// There is none for this home.
    None,
    /// No such systemd runs here.
    NoManager,
    /// It is this home's, and whether it is active cannot be told, for this reason.
    Unknown(String),
}

/// Both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers {
    /// That of the user's own systemd.
    pub user: Timer,
    /// That of the system.
    pub system: Timer,
}

impl Timers {
    fn both(&self) -> [(&Timer, &'static str, &'static str); 2] {
        [(&self.user, "your systemd", "systemctl --user"), (&self.system, "the system's systemd", "systemctl")]
    }

    /// Whether one is known to be active.
    #[must_use]
    pub fn any_active(&self) -> bool {
        self.both().iter().any(|(timer, _, _)| matches!(timer, Timer::Active | Timer::Once))
    }

    /// Whether one is there, active or not.
    #[must_use]
    pub fn any_there(&self) -> bool {
        self.both().iter().any(|(timer, _, _)| !matches!(timer, Timer::None | Timer::NoManager))
    }
}

/// Whether what a user has of systemd outlasts the last login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Root has no need of it.
    Root,
    /// No systemd runs here.
    NoSystemd,
    /// It does.
    Lingers,
    /// It does not.
    Ends,
    /// It cannot be told.
    Unknown,
}

/// Who runs passes, going by the last one. `ago`: since the last one over all processes; `installed`: something is set up to run
/// them (`None`: that cannot be told); `daemon`: a cron daemon runs.
#[must_use]
pub fn trigger(ago: Option<Duration>, every: Duration, installed: Option<bool>, daemon: Option<bool>) -> Check {
    const NAME: &str = "trigger";
    match (ago, installed) {
        (Some(ago), _) if ago <= every.saturating_mul(OVERDUE) => {
            Check::green(NAME, format!("a pass ran {} ago", human_duration(ago)))
        }
        (_, Some(true)) if daemon == Some(false) => {
            Check::red(NAME, "passes are set up, and nothing that runs them does", START_CRON)
        }
        (None, Some(true)) => Check::yellow(
            NAME,
            "passes are set up, and none has been seen yet",
            "wait two minutes; then see what cron or the timer logs",
        ),
        (Some(ago), installed) => {
            let said =
                format!("the last pass ran {} ago; one is due every {}", human_duration(ago), human_duration(every));
            let mend = if installed == Some(true) {
                "guardian healthcheck; then see what cron or the timer logs"
            } else {
                "guardian install --cron"
            };
            Check::red(NAME, said, mend)
        }
        (None, _) => Check::red(NAME, "no pass has ever run", "guardian install --cron"),
    }
}

/// Cron itself. `daemon`: one is seen running; `seen`: a pass ran lately; `other`: another trigger is active.
#[must_use]
pub fn cron(crontab: &Crontab, daemon: Option<bool>, seen: bool, other: bool) -> Check {
    const NAME: &str = "cron";
    match (crontab, daemon) {
        (Crontab::Ours, Some(true)) if seen => {
            Check::green(NAME, "the crontab has guardian's lines, a cron daemon runs, and a pass was seen")
        }
        (Crontab::Ours, Some(true)) => Check::yellow(
            NAME,
            "the crontab has guardian's lines and a cron daemon runs, but no pass was seen lately",
            "wait two minutes; then see what cron logs",
        ),
        (Crontab::Ours, Some(false)) if seen || other => Check::yellow(
            NAME,
            "the crontab has guardian's lines, and no cron daemon can be seen; something else runs passes",
            START_CRON,
        ),
        (Crontab::Ours, Some(false)) => {
            Check::red(NAME, "the crontab has guardian's lines, and no cron daemon runs", START_CRON)
        }
        (Crontab::Ours, None) => Check::yellow(
            NAME,
            "the crontab has guardian's lines; whether a cron daemon runs cannot be told",
            "ps -e | grep cron",
        ),
        (Crontab::Unreadable(why), _) => {
            Check::yellow(NAME, format!("whether the crontab has guardian's lines cannot be told: {why}"), "crontab -l")
        }
        (Crontab::NotOurs, _) if other => Check::green(NAME, "the crontab has no lines of guardian's, and needs none"),
        (Crontab::NoProgram, _) if other => Check::green(NAME, "there is no cron, and none is needed"),
        (Crontab::NotOurs, _) => {
            Check::yellow(NAME, "the crontab has no lines of guardian's for this home", "guardian install --cron")
        }
        (Crontab::NoProgram, _) => Check::yellow(
            NAME,
            "there is no `crontab` program",
            "guardian install --systemd; in a container: guardian healthcheck --loop 1m",
        ),
    }
}

/// The timers of systemd. `other`: cron is set up and runs.
#[must_use]
pub fn systemd(timers: &Timers, other: bool) -> Check {
    const NAME: &str = "systemd";
    let both = timers.both();
    if let Some((_, whose, _)) = both.iter().find(|(timer, _, _)| **timer == Timer::Active) {
        return Check::green(NAME, format!("guardian.timer of {whose} is active"));
    }
    for (timer, whose, command) in both {
        match timer {
            Timer::Once => {
                let said = format!("guardian.timer of {whose} is active, but not enabled: after a boot it is not");
                let mend = format!("{command} enable guardian.timer");
                return if other { Check::yellow(NAME, said, mend) } else { Check::red(NAME, said, mend) };
            }
            Timer::Inactive(word) => {
                let said = format!("guardian.timer of {whose} is there, and {word}");
                let mend = format!("{command} enable --now guardian.timer");
                return if other { Check::yellow(NAME, said, mend) } else { Check::red(NAME, said, mend) };
            }
            Timer::Unknown(why) => {
                let said = format!("guardian.timer of {whose} is there; whether it is active cannot be told: {why}");
                return Check::yellow(NAME, said, format!("{command} status guardian.timer"));
            }
            Timer::Active | Timer::None | Timer::NoManager => {}
        }
    }
    match (&timers.user, &timers.system) {
        (Timer::NoManager, Timer::NoManager) => Check::green(NAME, "systemd does not run here"),
        _ if other => Check::green(NAME, "no timer of guardian's, and none is needed"),
        _ => Check::yellow(NAME, "no timer of guardian's for this home", "guardian install --systemd, or --cron"),
    }
}

/// Whether what hangs on a user's systemd outlasts logins. `timer`: passes run by the user's timer alone; `level`: where runs are put.
#[must_use]
pub fn linger(login: Login, timer: bool, level: Option<Level>) -> Check {
    const NAME: &str = "linger";
    match (login, timer, level) {
        (Login::Root, _, _) => Check::green(NAME, "root needs no lingering"),
        (Login::NoSystemd, _, _) => Check::green(NAME, "systemd does not run here"),
        (Login::Lingers, _, _) => Check::green(NAME, "your systemd runs from boot on, without a login"),
        (Login::Ends, true, _) => Check::red(
            NAME,
            "passes run by a timer of your systemd, which ends with your last login and does not begin at boot",
            ENABLE_LINGER,
        ),
        (Login::Ends, false, Some(Level::Scope)) => Check::yellow(
            NAME,
            "what is started is kept in scopes of your systemd, which ends with your last login",
            ENABLE_LINGER,
        ),
        (Login::Ends, false, Some(Level::Cgroup | Level::Session)) => {
            Check::green(NAME, "your systemd ends with your last login; nothing of guardian's hangs on it")
        }
        (Login::Ends, false, None) => {
            Check::yellow(NAME, "your systemd ends with your last login; what hangs on it was not seen", ENABLE_LINGER)
        }
        (Login::Unknown, _, _) => Check::yellow(
            NAME,
            "whether your systemd runs without a login cannot be told",
            "loginctl show-user --property=Linger",
        ),
    }
}

/// What logind does to the processes of a login that ends. `kills`: `KillUserProcesses` (`None`: it cannot be told).
#[must_use]
pub fn logout(kills: Option<bool>, login: Login, level: Option<Level>) -> Check {
    const NAME: &str = "logout";
    if login == Login::NoSystemd {
        return Check::green(NAME, "no logind runs here: a logout ends no process");
    }
    match (kills, level) {
        (Some(false), _) => Check::green(NAME, "KillUserProcesses=no: a logout ends no process"),
        (_, Some(Level::Cgroup)) => {
            Check::green(NAME, "a logout ends nothing of guardian's: it leaves the control group of the login")
        }
        (Some(true), Some(Level::Scope)) if login == Login::Lingers => {
            Check::green(NAME, "KillUserProcesses=yes, and what guardian starts is in scopes of a systemd that stays")
        }
        (Some(true), Some(Level::Scope)) => {
            Check::yellow(NAME, "KillUserProcesses=yes, and scopes end with your last login", ENABLE_LINGER)
        }
        (Some(true), Some(Level::Session)) => Check::red(
            NAME,
            "KillUserProcesses=yes: what is started from a login ends with it",
            "loginctl enable-linger, then start anew; or KillUserProcesses=no in /etc/systemd/logind.conf",
        ),
        (Some(true), None) => {
            Check::yellow(NAME, "KillUserProcesses=yes, and where runs are put was not seen", "loginctl enable-linger")
        }
        (None, _) => Check::yellow(
            NAME,
            "whether a logout ends what is left of it cannot be told",
            "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager KillUserProcesses",
        ),
    }
}

/// `KillUserProcesses` as configured: in these files, of which a later one counts more; `None`: none says.
#[must_use]
pub fn configured<'a>(files: impl IntoIterator<Item = &'a str>) -> Option<bool> {
    let mut found = None;
    for line in files.into_iter().flat_map(str::lines) {
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "KillUserProcesses" {
            found = boolean(value.trim()).or(found);
        }
    }
    found
}

/// A boolean, as systemd writes it.
#[must_use]
pub fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" | "y" | "t" => Some(true),
        "no" | "false" | "off" | "0" | "n" | "f" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::graded;
    use super::*;
    use crate::model::check::Grade;

    const MINUTE: Duration = Duration::from_secs(60);

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
    fn cron_is_well_when_it_has_the_lines_and_runs_or_is_not_needed() {
        let unreadable = Crontab::Unreadable("not allowed".to_owned());
        graded(&[
            ("lines and daemon", cron(&Crontab::Ours, Some(true), true, false), Grade::Green),
            ("lines and daemon, and no pass", cron(&Crontab::Ours, Some(true), false, false), Grade::Yellow),
            ("no daemon", cron(&Crontab::Ours, Some(false), false, false), Grade::Red),
            ("no daemon, but passes", cron(&Crontab::Ours, Some(false), true, false), Grade::Yellow),
            ("unknown daemon", cron(&Crontab::Ours, None, true, true), Grade::Yellow),
            ("unreadable", cron(&unreadable, Some(true), true, true), Grade::Yellow),
            ("not there, a timer is", cron(&Crontab::NotOurs, Some(true), true, true), Grade::Green),
            ("nothing at all", cron(&Crontab::NotOurs, Some(true), false, false), Grade::Yellow),
            ("no cron, a timer", cron(&Crontab::NoProgram, Some(false), true, true), Grade::Green),
            ("no cron, no timer", cron(&Crontab::NoProgram, Some(false), false, false), Grade::Yellow),
        ]);
    }

    #[test]
    fn a_timer_that_is_there_must_be_active_and_one_of_the_two_is_enough() {
        let both = |user, system| Timers { user, system };
        let failed = || Timer::Inactive("failed".to_owned());
        graded(&[
            ("user's", systemd(&both(Timer::Active, Timer::None), false), Grade::Green),
            ("system's", systemd(&both(failed(), Timer::Active), false), Grade::Green),
            ("one that no boot starts", systemd(&both(Timer::None, Timer::Once), false), Grade::Red),
            ("the same beside cron", systemd(&both(Timer::Once, Timer::None), true), Grade::Yellow),
            ("inactive", systemd(&both(Timer::None, failed()), false), Grade::Red),
            ("inactive beside cron", systemd(&both(failed(), Timer::None), true), Grade::Yellow),
            ("unknown", systemd(&both(Timer::Unknown("?".to_owned()), Timer::None), true), Grade::Yellow),
            ("none, and cron", systemd(&both(Timer::None, Timer::None), true), Grade::Green),
            ("none at all", systemd(&both(Timer::None, Timer::None), false), Grade::Yellow),
            ("no systemd", systemd(&both(Timer::NoManager, Timer::NoManager), false), Grade::Green),
        ]);
    }

    #[test]
    fn lingering_matters_to_whoever_hangs_on_a_systemd_of_the_own() {
        graded(&[
            ("root", linger(Login::Root, true, None), Grade::Green),
            ("lingers", linger(Login::Lingers, true, Some(Level::Scope)), Grade::Green),
            ("a timer that ends", linger(Login::Ends, true, Some(Level::Cgroup)), Grade::Red),
            ("scopes that end", linger(Login::Ends, false, Some(Level::Scope)), Grade::Yellow),
            ("nothing hangs on it", linger(Login::Ends, false, Some(Level::Session)), Grade::Green),
            ("not seen", linger(Login::Ends, false, None), Grade::Yellow),
            ("unknown", linger(Login::Unknown, false, Some(Level::Cgroup)), Grade::Yellow),
        ]);
    }

    #[test]
    fn a_logout_that_kills_is_red_where_nothing_leaves_the_login() {
        graded(&[
            ("no logind", logout(None, Login::NoSystemd, None), Grade::Green),
            ("keeps", logout(Some(false), Login::Ends, Some(Level::Session)), Grade::Green),
            ("own group", logout(Some(true), Login::Root, Some(Level::Cgroup)), Grade::Green),
            ("lingering scope", logout(Some(true), Login::Lingers, Some(Level::Scope)), Grade::Green),
            ("scope", logout(Some(true), Login::Ends, Some(Level::Scope)), Grade::Yellow),
            ("session", logout(Some(true), Login::Ends, Some(Level::Session)), Grade::Red),
            ("unknown", logout(None, Login::Ends, Some(Level::Session)), Grade::Yellow),
            ("not seen", logout(Some(true), Login::Ends, None), Grade::Yellow),
        ]);
    }

    #[test]
    fn the_last_file_that_says_it_counts() {
        let main = "[Login]\n#KillUserProcesses=no\nKillUserProcesses = yes\n";
        let cases: [(&[&str], Option<bool>); 4] = [
            (&[main], Some(true)),
            (&[main, "[Login]\nKillUserProcesses=off\n"], Some(false)),
            (&["[Login]\n#KillUserProcesses=yes\n"], None),
            (&[main, "KillUserProcesses=perhaps\n"], Some(true)),
        ];
        for (files, want) in cases {
            assert_eq!(configured(files.iter().copied()), want, "{files:?}");
        }
    }
}
