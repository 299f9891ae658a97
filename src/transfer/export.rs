//! What the files of all other systems have in common: which of them can say what, and what stays with guardian.
//!
//! A process whose every setting the other system has a word for is written in its words. Any other is written as
//! `guardian exec NAME`, so that what it cannot say is kept by guardian there; the file says which settings these are.

use crate::model::name::Name;
use crate::model::spec::{Command, Restart, Spec, Target};
use crate::policy::secrets::is_secret_name;
use crate::registry::Context;
use crate::registry::edit::{Replace, insert};
use crate::registry::keys::PROCESS;
use crate::registry::value::{Draft, Value};

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Where guardian is, and how it is to be reached from there.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The program.
    pub exe: &'a str,
    /// `GUARDIAN_HOME`, where it is set.
    pub home: Option<&'a str>,
    /// Who runs the processes; `None`: root.
    pub user: Option<&'a str>,
    /// Their home directory.
    pub user_home: Option<&'a str>,
    /// The image of containers.
    pub image: Option<&'a str>,
    /// Everything is written as `guardian exec`.
    pub wrap: bool,
}

/// One process on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Leaving<'a> {
    /// Its name.
    pub name: &'a Name,
    /// What it is.
    pub spec: &'a Spec,
}

/// What a system has words for.
pub(super) struct Can {
    /// Its name in comments.
    pub(super) system: &'static str,
    /// Keys that it can say.
    pub(super) says: &'static [&'static str],
    /// Whether it can name a variable without having its value.
    pub(super) passes: bool,
}

/// Keys that no other system is asked about: they are for a registry, or for logs that are elsewhere there.
const BESIDE: [&str; 12] = [
    "group",
    "log_max",
    "log_keep",
    "log_plain",
    "log_every",
    "log_keep_for",
    "forget_after",
    "isolation",
    "clean_env",
    "breaker_cooldown",
    "pty_size",
    "probe_every",
];

/// How a process is written there.
pub(super) struct Form {
    /// What it cannot say; empty: it says all.
    pub(super) gaps: Vec<String>,
    /// What is left out.
    pub(super) beside: Vec<String>,
    /// As `guardian exec`.
    pub(super) wrapped: bool,
}

impl Form {
    /// How `leaving` is written by a system that can say so much.
    pub(super) fn of(leaving: &Leaving<'_>, can: &Can, place: &Place<'_>) -> Self {
        let mut form = Self { gaps: Vec::new(), beside: Vec::new(), wrapped: place.wrap };
        for (key, value) in set(leaving.spec) {
            let said = format!("{key} = {value}");
            if BESIDE.contains(&key) {
                form.beside.push(said);
            } else if key.starts_with("ping_url") {
                form.gaps.push(key.to_owned()); // it may be a secret
            } else if !can.says.contains(&key) {
                form.gaps.push(said);
            }
        }
        if !can.passes {
            form.gaps.extend(secrets(leaving.spec).map(|name| format!("env {name}, a secret")));
        }
        match (leaving.spec.target, leaving.spec.restart) {
            (Target::For(_), _) | (Target::Exit, Restart::Always) => form.gaps.push(match leaving.spec.target {
                Target::For(target) => format!("target = \"{}\"", crate::model::units::format_duration(target)),
                Target::Forever | Target::Exit => "a job that is run again and again".to_owned(),
            }),
            (Target::Forever | Target::Exit, _) => {}
        }
        form.wrapped |= !form.gaps.is_empty();
        form
    }

    /// What the file says of it, each line after `mark`.
    pub(super) fn comment(&self, leaving: &Leaving<'_>, can: &Can, mark: &str) -> String {
        let mut lines = Vec::new();
        match (self.wrapped, self.gaps.as_slice()) {
            (false, _) => {}
            (true, []) => lines.push("Run through `guardian exec`, as was asked for.".to_owned()),
            (true, gaps) => {
                lines.push(format!("Run through `guardian exec`: {} has no word for", can.system));
                lines.extend(gaps.iter().map(|gap| format!("  {gap}")));
            }
        }
        if !self.beside.is_empty() {
            lines.push("Not in here, for it is of guardian's registry and logs:".to_owned());
            lines.extend(self.beside.iter().map(|beside| format!("  {beside}")));
        }
        if !self.wrapped && !leaving.spec.clean_env {
            lines.push(
                "The environment that `register` took down is not in here: set what the program needs.".to_owned(),
            );
        }
        lines.iter().map(|line| format!("{mark} {}\n", line.replace(char::is_control, " "))).collect()
    }
}

/// Keys with another value than the built-in one, and that value; `target` and `restart` are looked at together elsewhere.
pub(super) fn set(spec: &Spec) -> Vec<(&'static str, Value)> {
    let mut own = spec.clone();
    let mut usual = Spec::with_command(Command::Argv(Vec::new()));
    let apart = ["command", "shell", "target", "restart", "env", "tolerance"];
    let differs = PROCESS.iter().filter(|key| !apart.contains(&key.name));
    differs
        .filter_map(|key| {
            let value = key.value(&mut own);
            if value == key.value(&mut usual) { None } else { Some((key.name, value?)) }
        })
        .collect()
}

/// Names of variables whose values are secrets, as far as their names say.
pub(super) fn secrets(spec: &Spec) -> impl Iterator<Item = &String> {
    spec.env.keys().filter(|name| is_secret_name(name))
}

/// Variables whose values may be written.
pub(super) fn open_variables(spec: &Spec) -> impl Iterator<Item = (&String, &String)> {
    spec.env.iter().filter(|(name, _)| !is_secret_name(name))
}

/// Variables with a name that no shell knows, as gaps: systemd passes over them, and HCL cannot read them.
pub(super) fn unnamed(spec: &Spec) -> impl Iterator<Item = String> {
    let is_plain = |name: &str| {
        !name.starts_with(|letter: char| letter.is_ascii_digit())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    spec.env.keys().chain(&spec.pass_env).filter(move |name| !is_plain(name)).map(|name| format!("env {name}"))
}

/// Variables that are named and not copied: secrets, and what is passed on.
pub(super) fn referenced(spec: &Spec) -> Vec<&String> {
    secrets(spec).chain(&spec.pass_env).collect()
}

/// What is executed there.
pub(super) fn command(leaving: &Leaving<'_>, form: &Form, guardian: &str) -> Vec<String> {
    match form.wrapped {
        true => vec![guardian.to_owned(), "exec".to_owned(), leaving.name.to_string()],
        false => leaving.spec.command.argv(),
    }
}

/// When the other system is to start it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Whatever the end.
    Always,
    /// After an end that is no success.
    OnFailure,
    /// Never.
    No,
}

/// When it is started again. `guardian exec` ends with 0 only where nothing is to follow, but for services.
pub(super) fn again(spec: &Spec) -> Again {
    match (spec.target, spec.restart) {
        (_, Restart::Never) | (Target::Exit, Restart::Premature) => Again::No,
        (Target::Forever, _) | (_, Restart::Always) => Again::Always,
        (Target::Exit | Target::For(_), Restart::OnFailure) | (Target::For(_), Restart::Premature) => Again::OnFailure,
    }
}

/// Who it runs as there: whom its `user` names, where the other system runs it itself; else who guardian is here.
pub(super) fn user(leaving: &Leaving<'_>, form: &Form, place: &Place<'_>) -> Option<String> {
    let mut own = None;
    for (key, value) in set(leaving.spec) {
        if let ("user", Value::Text(user), false) = (key, value, form.wrapped) {
            own = Some(user);
        }
    }
    own.or_else(|| place.user.map(str::to_owned))
}

/// Variables of who runs it, for systems that change the user and leave these as they were.
pub(super) fn of_user<'a>(spec: &Spec, place: &Place<'a>) -> Vec<(&'static str, &'a str)> {
    let (Some(user), Some(home)) = (place.user, place.user_home) else { return Vec::new() };
    let own = [("HOME", home), ("LOGNAME", user), ("USER", user)];
    own.into_iter().filter(|(name, _)| !spec.env.contains_key(*name)).collect()
}

/// A table of the registry for a guardian elsewhere: what is set, secrets named and not copied.
pub(super) fn table(leaving: &Leaving<'_>) -> String {
    let mut draft = Draft::default();
    let spec = leaving.spec;
    match &spec.command {
        Command::Argv(argv) => draft.set("command", Value::Texts(argv.clone())),
        Command::Shell(line) => draft.set("shell", Value::Text(line.clone())),
    }
    let mut own = spec.clone();
    for key in PROCESS.iter().filter(|key| matches!(key.name, "target" | "restart")) {
        key.value(&mut own).into_iter().for_each(|value| draft.set(key.name, value));
    }
    let open: std::collections::BTreeMap<String, String> =
        open_variables(spec).map(|(name, value)| (name.clone(), value.clone())).collect();
    if !open.is_empty() {
        draft.set("env", Value::Pairs(open));
    }
    for (key, value) in set(spec) {
        // What is in the container says these, or they name what is not there.
        if !["env_file", "pass_env", "depends_on", "on_dependency_end", "notify"].contains(&key)
            && !key.starts_with("ping_url")
        {
            draft.set(key, value);
        }
    }
    let names: Vec<String> = referenced(spec).into_iter().cloned().collect();
    if !names.is_empty() {
        draft.set("pass_env", Value::Texts(names));
    }
    let reading = Context { home_dir: Some("/root".into()), zone: Some("UTC".to_owned()), has_user: None };
    insert("", leaving.name, &draft, Replace::Refuse, &reading)
        .map_or_else(|error| format!("# {error}\n"), |edited| edited.text)
}

/// A text as JSON has it, which YAML and HCL read as well: what JSON leaves as it is and they refuse, or take for the
/// end of a line, is written as its number.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for letter in serde_json::Value::from(text).to_string().chars() {
        match is_odd(letter) {
            true => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => quoted.push(letter),
        }
    }
    quoted
}

/// Whether YAML does not take it as a letter.
pub(super) fn is_odd(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// `$` as itself, where a variable begins with one (Kubernetes, Compose).
pub(super) fn dollars(text: &str) -> String {
    text.replace('$', "$$")
}

/// Several of them as a list.
pub(super) fn list<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A name of DNS: `a-z 0-9 -`, at most 63.
pub(super) fn dns(name: &Name) -> String {
    let dashed: String = name.as_str().replace(['.', '_'], "-");
    dashed.get(..dashed.len().min(52)).unwrap_or(&dashed).trim_matches('-').to_owned()
}

/// Two processes that Kubernetes and Compose would know by one name: theirs has fewer letters.
#[must_use]
pub fn namesakes<'a>(leaving: &[Leaving<'a>]) -> Option<(&'a Name, &'a Name, String)> {
    let mut known = std::collections::BTreeMap::new();
    leaving.iter().find_map(|process| {
        let name = dns(process.name);
        known.insert(name.clone(), process.name).map(|first| (first, process.name, name))
    })
}

/// Whole seconds, rounded up.
pub(super) fn whole_seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
