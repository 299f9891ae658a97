//! Which of cron, systemd and launchd runs the passes where nobody named one.

use crate::model::ending::Sender;

/// What this machine has, as far as it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// It is a Mac.
    pub launchd: bool,
    /// The superuser asks.
    pub root: bool,
    /// The system was booted by systemd.
    pub systemd: bool,
    /// A manager of the user runs.
    pub user_manager: bool,
    /// That manager runs from boot on, and after the last logout.
    pub lingers: bool,
    /// There is a `crontab` program.
    pub crontab: bool,
    /// A cron daemon was seen.
    pub cron_daemon: bool,
}

/// What runs passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines in the crontab.
    Cron,
    /// A timer of the user's systemd.
    User,
    /// A timer of the system's systemd.
    System,
    /// An agent of the user's launchd.
    Launchd,
}

/// Whether a signal's sender is systemd: that of the system, of a user, or what it leaves behind to end everything.
#[must_use]
pub fn is_manager(sender: &Sender) -> bool {
    sender.comm.as_deref().is_some_and(|comm| comm == "systemd" || comm.starts_with("systemd-shutdow"))
}

/// The one that runs passes without a login, if there is one; `None`: this machine has nothing that could.
#[must_use]
pub fn choose(machine: &Machine) -> Option<Kind> {
    let candidates = [
        (machine.launchd, Kind::Launchd),
        (machine.root && machine.systemd, Kind::System),
        (!machine.root && machine.user_manager && machine.lingers, Kind::User),
        (machine.crontab && machine.cron_daemon, Kind::Cron),
        (!machine.root && machine.user_manager, Kind::User),
        (machine.crontab, Kind::Cron),
    ];
    candidates.into_iter().find_map(|(fits, kind)| fits.then_some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Machine = Machine {
        launchd: false,
        root: false,
        systemd: false,
        user_manager: false,
        lingers: false,
        crontab: false,
        cron_daemon: false,
    };

    #[test]
    fn what_runs_without_a_login_goes_before_what_needs_one() {
        let user = Machine { systemd: true, user_manager: true, crontab: true, cron_daemon: true, ..NOTHING };
        let cases = [
            ("a Mac", Machine { launchd: true, crontab: true, ..NOTHING }, Some(Kind::Launchd)),
            ("root under systemd", Machine { root: true, ..user }, Some(Kind::System)),
            ("root elsewhere", Machine { root: true, crontab: true, ..NOTHING }, Some(Kind::Cron)),
            ("a user who lingers", Machine { lingers: true, ..user }, Some(Kind::User)),
            ("a user who does not, beside a cron that runs", user, Some(Kind::Cron)),
            ("the same without cron's daemon", Machine { cron_daemon: false, ..user }, Some(Kind::User)),
            ("only a crontab", Machine { crontab: true, ..NOTHING }, Some(Kind::Cron)),
            ("root with a user manager and nothing else", Machine { root: true, user_manager: true, ..NOTHING }, None),
            ("a bare container", NOTHING, None),
        ];
        for (claim, machine, want) in cases {
            assert_eq!(choose(&machine), want, "{claim}");
        }
    }

    #[test]
    fn the_manager_is_known_by_its_name() {
        let is = |comm: Option<&str>| is_manager(&Sender::gone(7, Some(0), comm.map(str::to_owned)));
        assert!(is(Some("systemd")) && is(Some("systemd-shutdow")));
        assert!(!is(Some("systemd-run")) && !is(Some("bash")) && !is(None));
    }
}
