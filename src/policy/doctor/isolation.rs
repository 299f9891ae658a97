//! Whether what is started here outlives who starts it: by trial runs that were attacked, by where their caller sits, by whose
//! process ids these are.

use crate::model::check::{Attack, Check};
use crate::model::evidence::Level;

/// What a trial run came to whose caller was attacked in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// How.
    pub attack: Attack,
    /// What the caller had left beside the trial run died of it, so the attack was a real one.
    pub made: bool,
    /// The trial run lived on; `None`: that cannot be told.
    pub survived: Option<bool>,
    /// It has a session of its own; `None`: that cannot be told.
    pub own_session: Option<bool>,
}

/// What the trial runs came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Where they were put; `None`: not reported.
    pub level: Option<Level>,
    /// Why they were not put better, or what of the limits is not kept.
    pub why: Option<String>,
    /// One for each attack.
    pub fates: Vec<Fate>,
}

/// Where a caller sits among the control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// In the root of each hierarchy, which nobody kills; of a container it is that of the container.
    Root,
    /// In this group.
    Group(String),
    /// This platform has none.
    None,
}

/// A caller's group, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    /// A login.
    Login,
    /// A scope or service of a user's own systemd.
    UserUnit,
    /// A service.
    Service,
    /// A scope.
    Scope,
    /// A run of guardian's.
    Run,
    /// Somebody's, perhaps that of a container.
    Other,
}

/// What kind of group this is, by its path.
#[must_use]
fn around(group: &str) -> Around {
    let parts: Vec<&str> = group.split('/').collect();
    let last_unit = parts.iter().rev().find(|part| part.ends_with(".service") || part.ends_with(".scope"));
    match last_unit {
        _ if parts.get(1) == Some(&"guardian") => Around::Run,
        Some(unit) if unit.starts_with("guardian-") && unit.ends_with(".scope") => Around::Run,
        Some(unit) if unit.starts_with("session-") && unit.ends_with(".scope") => Around::Login,
        Some(_) if parts.iter().any(|part| part.starts_with("user@") && part.ends_with(".service")) => Around::UserUnit,
        Some(unit) if unit.ends_with(".scope") => Around::Scope,
        Some(_) => Around::Service,
        None => Around::Other,
    }
}

/// Whose process ids these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pids {
    /// The machine's own.
    Machine,
    /// Those of a container or sandbox, in which passes run as well.
    Shared,
    /// Those of a sandbox: passes run outside of it.
    Foreign,
    /// Not the machine's; whether passes run here nobody knows yet.
    Unseen,
    /// It cannot be asked.
    Unknown,
}

/// Whether what is started outlives its caller: first as a whole, then one check for each attack.
#[must_use]
pub fn isolation(trial: &Trial, home: Option<&Home>) -> Vec<Check> {
    let all = trial.fates.iter().all(|fate| fate.survived == Some(true));
    let mut checks = vec![whole(trial, all, home)];
    checks.extend(trial.fates.iter().map(|fate| attacked(*fate)));
    checks
}

fn whole(trial: &Trial, survived: bool, home: Option<&Home>) -> Check {
    const NAME: &str = "isolation";
    let place = match trial.level {
        Some(Level::Cgroup) => "in a control group of its own",
        Some(Level::Scope) => "in a scope of systemd",
        Some(Level::Session) => "in a session of its own only",
        None => "in a place that was not reported",
    };
    let why = trial.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let said = format!("a trial run outlived its caller, {place}");
    match (survived, trial.level, home) {
        (false, _, _) => Check::red(
            NAME,
            "a trial run did not outlive what was done to its caller",
            "start from outside of this sandbox: by cron, by `guardian mcp`, or from another shell",
        ),
        (true, Some(Level::Cgroup | Level::Scope), _) => Check::green(NAME, said),
        (true, Some(Level::Session), Some(Home::Root | Home::None)) => {
            Check::green(NAME, format!("{said}; there is no control group that somebody could kill"))
        }
        (true, Some(Level::Session) | None, _) => Check::yellow(
            NAME,
            format!("{said}{why}: who kills this whole control group kills it too"),
            "run guardian as root, or under a user manager of systemd (`loginctl enable-linger`)",
        ),
    }
}

fn attacked(fate: Fate) -> Check {
    let (name, words) = (fate.attack.name(), fate.attack.words());
    match (fate.made, fate.survived, fate.own_session) {
        (_, Some(false), _) => Check::red(
            name,
            format!("{words}, and the trial run died of it"),
            "start from outside of this sandbox: by cron, by `guardian mcp`, or from another shell",
        ),
        (true, Some(true), Some(false)) => Check::red(
            name,
            format!("{words}; the trial run lives, but in this very session"),
            "report this as a bug: guardian start must leave the session",
        ),
        (true, Some(true), Some(true) | None) => Check::green(name, format!("{words}; the trial run lives")),
        (false, Some(true), _) => Check::yellow(
            name,
            "this could not be done to the caller of the trial run, so it shows nothing",
            "run guardian doctor from a plain shell",
        ),
        (_, None, _) => Check::yellow(
            name,
            format!("{words}; what became of the trial run cannot be told"),
            "guardian demo shows more",
        ),
    }
}

/// Whether the caller's control group is left behind. `home`: where the caller is; `None`: it cannot be told.
#[must_use]
pub fn caller(home: Option<&Home>, level: Option<Level>) -> Check {
    const NAME: &str = "cgroup";
    let group = match home {
        None => return Check::yellow(NAME, "in which control group you are cannot be told", "see /proc/self/cgroup"),
        Some(Home::None) => return Check::green(NAME, "this system has no control groups"),
        Some(Home::Root) => return Check::green(NAME, "you are in the root of the control groups, which nobody kills"),
        Some(Home::Group(group)) => group,
    };
    let (what, end) = match around(group) {
        Around::Login => ("a login", "ends when you log out, where logind is told so"),
        Around::UserUnit => ("a unit of your systemd", "ends with that unit or your last login"),
        Around::Service => ("a service", "ends when that service is stopped"),
        Around::Scope => ("a scope", "ends when that scope is stopped"),
        Around::Run => ("a run of guardian's", "ends when guardian stops that run"),
        Around::Other => ("somebody's control group", "ends when that group is killed"),
    };
    match level {
        Some(Level::Cgroup | Level::Scope) => {
            Check::green(NAME, format!("you are in {what}, `{group}`: what guardian starts leaves it"))
        }
        Some(Level::Session) => Check::yellow(
            NAME,
            format!("you are in {what}, `{group}`: what is started here {end}"),
            "run guardian as root, or `loginctl enable-linger` and start from a login",
        ),
        None => Check::yellow(
            NAME,
            format!("you are in {what}, `{group}`: whether what is started leaves it was not seen"),
            "guardian demo shows more",
        ),
    }
}

/// Whether what is started here ends with a sandbox. `read_only`: what of the state cannot be written from here.
#[must_use]
pub fn sandbox(pids: Pids, read_only: Option<&str>) -> Check {
    const NAME: &str = "sandbox";
    const SPOOL: &str = "start as always: it is left as a request (exit code 75), and the next pass outside makes it";
    if let Some(path) = read_only {
        return Check::yellow(NAME, format!("`{path}` cannot be written from here"), SPOOL);
    }
    match pids {
        Pids::Machine => Check::green(NAME, "process ids are those of the machine: no sandbox ends what is started"),
        Pids::Shared => Check::green(NAME, "process ids are those of a container; passes run in it as well"),
        Pids::Foreign => Check::yellow(
            NAME,
            "this is a sandbox with process ids of its own: what is started in it ends with it",
            SPOOL,
        ),
        Pids::Unseen => Check::yellow(
            NAME,
            "process ids are those of a container or sandbox: what is started here ends with it, and no pass has been seen here",
            "run passes in here (guardian healthcheck), or start from outside",
        ),
        Pids::Unknown => Check::yellow(NAME, "whose process ids these are cannot be asked", "see /proc/self/ns/pid"),
    }
}

/// Whether the limits that the registry asks for are kept. `asked`: their keys; `why`: what a trial run with such limits reported,
/// `None`: there was none.
#[must_use]
pub fn limits(asked: &[&str], trial: Option<&Trial>) -> Check {
    const NAME: &str = "limits";
    if asked.is_empty() {
        return Check::green(NAME, "no process asks for memory, cpu or tasks");
    }
    let keys = asked.join(", ");
    match trial {
        Some(Trial { why: None, level: Some(_), .. }) => Check::green(NAME, format!("the kernel keeps {keys}")),
        Some(Trial { why: Some(why), .. }) => Check::yellow(
            NAME,
            format!("of {keys} not all is kept by the kernel: {why}"),
            "run guardian as root, or in a systemd that delegates controllers (`loginctl enable-linger`)",
        ),
        Some(Trial { why: None, level: None, .. }) | None => {
            Check::yellow(NAME, format!("whether {keys} are kept was not seen"), "guardian demo shows more")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::graded;
    use super::*;
    use crate::model::check::Grade;

    fn trial(survived: Option<bool>, own_session: Option<bool>, level: Option<Level>) -> Trial {
        let fate = |attack| Fate { attack, made: true, survived, own_session };
        Trial { level, why: None, fates: Attack::ALL.map(fate).to_vec() }
    }

    #[test]
    fn isolation_is_what_trial_runs_showed() {
        let group = Home::Group("/system.slice/x.service".to_owned());
        let whole = |trial: &Trial, home: &Home| isolation(trial, Some(home)).remove(0);
        let lives = |level| trial(Some(true), Some(true), level);
        graded(&[
            ("control group", whole(&lives(Some(Level::Cgroup)), &group), Grade::Green),
            ("scope", whole(&lives(Some(Level::Scope)), &group), Grade::Green),
            ("session", whole(&lives(Some(Level::Session)), &group), Grade::Yellow),
            ("session, and no group to kill", whole(&lives(Some(Level::Session)), &Home::Root), Grade::Green),
            ("not reported", whole(&lives(None), &Home::Root), Grade::Yellow),
            ("dead", whole(&trial(Some(false), None, Some(Level::Cgroup)), &group), Grade::Red),
            ("unknown is not alive", whole(&trial(None, None, Some(Level::Cgroup)), &group), Grade::Red),
        ]);
    }

    #[test]
    fn each_attack_has_a_check_of_its_own_that_names_it() {
        let of = |fate: Fate| isolation(&Trial { fates: vec![fate], ..trial(None, None, None) }, None).remove(1);
        for attack in Attack::ALL {
            let fate = Fate { attack, made: true, survived: Some(true), own_session: Some(true) };
            let well = of(fate);
            assert!(well.name == attack.name() && well.said.starts_with(attack.words()), "{well:?}");
            graded(&[
                ("it lives", well, Grade::Green),
                ("it died", of(Fate { survived: Some(false), ..fate }), Grade::Red),
                ("our session", of(Fate { own_session: Some(false), ..fate }), Grade::Red),
                ("no such attack was made", of(Fate { made: false, ..fate }), Grade::Yellow),
                ("nobody knows", of(Fate { survived: None, ..fate }), Grade::Yellow),
            ]);
        }
    }

    #[test]
    fn a_group_is_told_by_its_path() {
        let cases = [
            ("/user.slice/user-7.slice/session-2.scope", Around::Login),
            ("/user.slice/user-7.slice/user@7.service/app.slice/app-term-9.scope", Around::UserUnit),
            ("/system.slice/cron.service", Around::Service),
            ("/machine.slice/run-u7.scope/inner", Around::Scope),
            ("/guardian/bot.0123456789abcdef.3", Around::Run),
            ("/user.slice/user-7.slice/user@7.service/app.slice/guardian-bot.0.1.scope/run", Around::Run),
            ("/docker/0123", Around::Other),
        ];
        for (path, want) in cases {
            assert_eq!(around(path), want, "{path}");
        }
    }

    #[test]
    fn a_group_that_is_not_left_is_not_well_and_neither_is_one_that_nobody_knows() {
        let service = Home::Group("/system.slice/x.service".to_owned());
        graded(&[
            ("left", caller(Some(&service), Some(Level::Cgroup)), Grade::Green),
            ("not left", caller(Some(&service), Some(Level::Session)), Grade::Yellow),
            ("not seen", caller(Some(&service), None), Grade::Yellow),
            ("root", caller(Some(&Home::Root), Some(Level::Session)), Grade::Green),
            ("unknown", caller(None, Some(Level::Cgroup)), Grade::Yellow),
        ]);
    }

    #[test]
    fn what_ends_with_a_sandbox_is_said() {
        graded(&[
            ("machine", sandbox(Pids::Machine, None), Grade::Green),
            ("container with passes", sandbox(Pids::Shared, None), Grade::Green),
            ("sandbox", sandbox(Pids::Foreign, None), Grade::Yellow),
            ("nobody knows", sandbox(Pids::Unseen, None), Grade::Yellow),
            ("not to be asked", sandbox(Pids::Unknown, None), Grade::Yellow),
            ("read-only", sandbox(Pids::Machine, Some("/state")), Grade::Yellow),
        ]);
    }

    #[test]
    fn limits_are_kept_or_it_is_said_which_are_not() {
        let kept = trial(Some(true), None, Some(Level::Cgroup));
        let lost = Trial { why: Some("tasks is not kept".to_owned()), ..kept.clone() };
        graded(&[
            ("none asked", limits(&[], None), Grade::Green),
            ("kept", limits(&["memory"], Some(&kept)), Grade::Green),
            ("not kept", limits(&["tasks"], Some(&lost)), Grade::Yellow),
            ("not seen", limits(&["tasks"], None), Grade::Yellow),
        ]);
    }
}
