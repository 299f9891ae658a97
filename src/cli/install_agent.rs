//! `install --agent`: guardian's part of an agent's configuration, read, merged and written; then the hook is asked.
//!
//! All files are read and merged before the first is written, so that one that cannot be read leaves the others alone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use similar::TextDiff;

use crate::agent::install::{Client, Guardian, Piece, Place, Roots, Wrong, pieces};
use crate::alert::program;
use crate::error::{Code, Error};
use crate::model::check::Check;
use crate::model::event::SCHEMA;
use crate::store::foreign::Foreign;
use crate::store::original;

use super::Call;
use super::install::Mode;

/// How long a hook may take to answer; and where others wait for more than its answer.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_secs(5);

/// One file, as it is and as it is to be.
struct Change {
    piece: Piece,
    file: Foreign,
    /// `None`: it goes.
    new: Option<String>,
}

impl Change {
    fn is_none(&self) -> bool {
        self.file.text == self.new
    }

    /// Lines that go and come. No others: what stands beside them may be secret.
    fn lines(&self) -> String {
        let old = self.file.text.as_deref().unwrap_or_default();
        let new = self.new.as_deref().unwrap_or_default();
        let name = self.piece.path.display().to_string();
        TextDiff::from_lines(old, new).unified_diff().context_radius(0).header(&name, &name).to_string()
    }

    fn action(&self) -> &'static str {
        match (&self.file.text, &self.new) {
            (old, new) if old == new => "unchanged",
            (None, _) => "created",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "changed",
        }
    }

    fn json(&self, mode: Mode) -> Value {
        let diff = (mode == Mode::DryRun && !self.is_none()).then(|| self.lines());
        json!({"path": self.piece.path, "what": self.piece.what, "action": self.action(), "diff": diff})
    }
}

/// So often a file is merged anew that its agent changes meanwhile.
const ATTEMPTS: u32 = 20;

/// What a hook said when it was shown a launch past guardian.
struct Answer {
    /// The command line of the hook.
    hook: Vec<String>,
    refused: bool,
    /// Its own words, or why there are none.
    said: String,
}

impl Answer {
    fn json(&self) -> Value {
        json!({"hook": self.hook, "refused": self.refused, "said": self.said})
    }
}

pub(super) fn install(call: &Call, client: Client, place: Place, mode: Mode) -> Result<u8, Error> {
    let (mut changes, guardian) = planned(call, client, place)?;
    if mode == Mode::Act {
        writable(&changes)?;
        for change in changes.iter_mut().filter(|change| !change.is_none()) {
            put(call, client, place, change)?;
        }
    }
    let answer = if mode == Mode::Act { ask(client, &guardian, PATIENCE) } else { None };
    report(call, (client, place), mode, &changes, answer.as_ref(), client.next_steps());
    if mode == Mode::DryRun {
        return Ok(0);
    }
    for change in &changes {
        let what = if change.is_none() { "was there already" } else { "written" };
        call.out.say(&format!("{}: {} {what}", change.piece.path.display(), change.piece.what));
    }
    tell(call, answer.as_ref());
    for step in client.next_steps() {
        call.out.say(&format!("Still to do: {step}"));
    }
    Ok(0)
}

/// Writes a file; one that its agent has changed since it was read is read and merged again.
fn put(call: &Call, client: Client, place: Place, change: &mut Change) -> Result<(), Error> {
    for left in (0..ATTEMPTS).rev() {
        let Some(new) = change.new.clone().filter(|_| !change.is_none()) else { return Ok(()) };
        // Without it less is given back later, and nothing is lost.
        drop(remember(call, client, change, &new));
        match change.file.replace(&new, mode_of(place)) {
            Err(error) if error.kind == "changed" && left > 0 => {
                change.file = Foreign::read(&change.piece.path)?;
                let text = change.file.text.as_deref();
                let merged = change.piece.form.put(text).map_err(|wrong| refused(&change.piece.path, wrong))?;
                change.new = Some(merged);
            }
            done => return done,
        }
    }
    Ok(())
}

pub(super) fn uninstall(call: &Call, client: Client, place: Place, mode: Mode) -> Result<u8, Error> {
    let (roots, guardian) = (roots(call, place)?, guardian(call, place)?);
    let mut changes = Vec::new();
    for piece in pieces(client, place, &roots, &guardian).map_err(|wrong| usage(&wrong))? {
        let file = Foreign::read(&piece.path)?;
        let new = match &file.text {
            None => None,
            Some(old) => match original::of(&call.ctx.paths, client.word(), &piece.path, old) {
                Some(original) => original.before,
                None => piece.form.take(old).map_err(|wrong| refused(&piece.path, wrong))?,
            },
        };
        changes.push(Change { piece, file, new });
    }
    if mode == Mode::Act {
        let root = if place == Place::User { &roots.home } else { &roots.project };
        writable(&changes)?;
        for change in changes.iter().filter(|change| !change.is_none()) {
            match &change.new {
                Some(text) => change.file.replace(text, mode_of(place))?,
                None => change.file.remove(root)?,
            }
            drop(original::forget(&call.ctx.paths, client.word(), &change.piece.path));
        }
    }
    report(call, (client, place), mode, &changes, None, &[]);
    if mode == Mode::Act {
        for change in &changes {
            let what = if change.is_none() { "nothing of guardian's there" } else { "removed" };
            call.out.say(&format!("{}: {} {what}", change.piece.path.display(), change.piece.what));
        }
    }
    Ok(0)
}

/// None of the files that are to be changed is one that its owner wants unchanged.
fn writable(changes: &[Change]) -> Result<(), Error> {
    changes.iter().filter(|change| !change.is_none()).try_for_each(|change| change.file.may_be_written())
}

/// Keeps what a file is before guardian's part comes into it.
fn remember(call: &Call, client: Client, change: &Change, new: &str) -> Result<(), Error> {
    let (paths, who, path) = (&call.ctx.paths, client.word(), &change.piece.path);
    let before = match &change.file.text {
        None => None,
        Some(old) => match (original::of(paths, who, path, old), change.piece.form.take(old)) {
            (Some(original), _) => original.before,
            (None, Ok(rest)) if rest.as_ref() == Some(old) || old.trim().is_empty() => Some(old.clone()),
            (None, _) => return original::forget(paths, who, path), // an earlier guardian's part is in it
        },
    };
    original::keep(paths, who, path, before, new)
}

/// Whether it is installed as this guardian would, and its hook refuses what it must. Changes nothing.
pub(super) fn check(call: &Call, client: Client, place: Place) -> Result<u8, Error> {
    let (changes, guardian) = planned(call, client, place)?;
    let answer = ask(client, &guardian, PATIENCE);
    report(call, (client, place), Mode::Act, &changes, answer.as_ref(), &[]);
    for change in &changes {
        let what = if change.is_none() { "there" } else { "not there, or another one" };
        call.out.say(&format!("{}: {} {what}", change.piece.path.display(), change.piece.what));
    }
    tell(call, answer.as_ref());
    let well = changes.iter().all(Change::is_none) && answer.is_none_or(|answer| answer.refused);
    Ok(if well { 0 } else { Code::No as u8 })
}

/// For `doctor`: each agent that has guardian's part, for the user or in this directory, and whether its hook refuses. Hooks are asked
/// beside each other.
pub(super) fn checks(call: &Call) -> Vec<Check> {
    let all = Client::ALL.into_iter().flat_map(|client| [(client, Place::User), (client, Place::Project)]);
    let there = all.filter(|(client, place)| has_part(call, *client, *place));
    thread::scope(|scope| {
        let asked: Vec<_> =
            there.map(|(client, place)| (client, scope.spawn(move || one(call, client, place)))).collect();
        let broken = |client: Client| {
            let mend = format!("guardian install --agent {} --check", client.word());
            Check::yellow("agent", format!("{}: the look at it broke off", client.word()), mend)
        };
        asked.into_iter().map(|(client, look)| look.join().unwrap_or_else(|_| broken(client))).collect()
    })
}

fn one(call: &Call, client: Client, place: Place) -> Check {
    let name = format!("{} ({})", client.word(), place.word());
    let command = format!("guardian install --agent {} --{}", client.word(), place.word());
    match planned(call, client, place) {
        Err(error) => Check::yellow("agent", format!("{name}: {}", error.message), error.hint),
        Ok((changes, guardian)) => match ask(client, &guardian, SHORT) {
            Some(answer) if !answer.refused => {
                let said = format!("{name}: its hook did not refuse `nohup python3 bot.py &`: {}", answer.said);
                Check::yellow("agent", said, format!("{command} --check"))
            }
            _ if !changes.iter().all(Change::is_none) => {
                Check::yellow("agent", format!("{name}: not as this guardian would write it"), command)
            }
            Some(_) => Check::green("agent", format!("{name}: its hook refuses `nohup python3 bot.py &`")),
            None => Check::green("agent", format!("{name}: the rule is there")),
        },
    }
}

/// Whether anything of guardian's stands in an agent's files; what cannot be read is not guardian's.
fn has_part(call: &Call, client: Client, place: Place) -> bool {
    let (Ok(roots), Ok(guardian)) = (roots(call, place), guardian(call, place)) else { return false };
    let pieces = pieces(client, place, &roots, &guardian).unwrap_or_default();
    pieces.iter().any(|piece| {
        let text = Foreign::read(&piece.path).ok().and_then(|file| file.text);
        text.is_some_and(|text| piece.form.take(&text).is_ok_and(|rest| rest.as_deref() != Some(&text)))
    })
}

/// The mode of new files: an agent may put secrets into one of the user's later; those of a project are shared.
fn mode_of(place: Place) -> u32 {
    match place {
        Place::User => 0o600,
        Place::Project => 0o666,
    }
}

/// Every file as it is to be; nothing is written yet.
fn planned(call: &Call, client: Client, place: Place) -> Result<(Vec<Change>, Guardian), Error> {
    let guardian = guardian(call, place)?;
    let mut changes = Vec::new();
    for piece in pieces(client, place, &roots(call, place)?, &guardian).map_err(|wrong| usage(&wrong))? {
        let file = Foreign::read(&piece.path)?;
        let new = piece.form.put(file.text.as_deref()).map_err(|wrong| refused(&piece.path, wrong))?;
        changes.push(Change { piece, file, new: Some(new) });
    }
    Ok((changes, guardian))
}

fn usage(wrong: &Wrong) -> Error {
    Error::new(Code::Usage, "bad_place", wrong.what.clone()).hint(wrong.hint.clone())
}

fn refused(path: &Path, wrong: Wrong) -> Error {
    let message = format!("`{}` {}", path.display(), wrong.what);
    Error::new(Code::Config, "agent_configuration", message).hint(format!("{}; nothing was changed", wrong.hint))
}

fn roots(call: &Call, place: Place) -> Result<Roots, Error> {
    let project = std::env::current_dir().map_err(|error| Error::io("tell", Path::new("."), &error))?;
    let home = match (&call.ctx.home, place) {
        (Some(home), _) => home.clone(),
        (None, Place::Project) => project.clone(),
        (None, Place::User) => {
            let message = "cannot tell your home directory: HOME is not set, and the user database has none";
            return Err(Error::new(Code::System, "no_home", message).hint("set HOME, or use --project"));
        }
    };
    let variable =
        |name: &str| call.ctx.environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from);
    Ok(Roots {
        home,
        project,
        claude: variable("CLAUDE_CONFIG_DIR"),
        codex: variable("CODEX_HOME"),
        config: variable("XDG_CONFIG_HOME"),
        mcp: cfg!(feature = "mcp"),
    })
}

/// What is called: for a user this very program and home, wherever the agent looks for programs; for a project, which may
/// be another machine's, whatever is called `guardian` there.
fn guardian(call: &Call, place: Place) -> Result<Guardian, Error> {
    if place == Place::Project {
        return Ok(Guardian { words: vec!["guardian".to_owned()] });
    }
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            let message = format!("path `{}` is not UTF-8, which these files cannot hold", path.display());
            Error::new(Code::Usage, "bad_path", message).hint("use another path")
        })
    };
    let mut words = vec![text(&call.ctx.exe)?];
    if let Some(home) = &call.ctx.paths.home {
        words.extend(["--home".to_owned(), text(home)?]);
    }
    Ok(Guardian { words })
}

/// Shows the hook a launch past guardian. `None`: the agent has no hooks.
fn ask(client: Client, guardian: &Guardian, limit: Duration) -> Option<Answer> {
    let (word, payload) = client.sample()?;
    let hook = guardian.command(&["hook", word]);
    let (refused, said) = match program::run(&hook, &[], payload, limit) {
        Err(error) => (false, format!("it cannot be run: {error}")),
        Ok(ran) => match ran.failure(&hook, limit) {
            Some(failure) => (false, failure),
            // Each dialect's refusal names what to write instead; words of one that lets it pass do not say `deny` or `block`.
            None => {
                let refuses = ["\"deny\"", "\"block\":true"].iter().any(|word| ran.stdout.contains(word));
                (refuses, program::said(&ran.stdout))
            }
        },
    };
    Some(Answer { hook, refused, said })
}

/// Says what the hook answered.
fn tell(call: &Call, answer: Option<&Answer>) {
    let Some(answer) = answer else { return };
    let hook = shlex::try_join(answer.hook.iter().map(String::as_str)).unwrap_or_default();
    if answer.refused {
        call.out.say(&format!("Asked `{hook}` about `nohup python3 bot.py &`: it refuses"));
    } else {
        let said = if answer.said.is_empty() { "it said nothing" } else { &answer.said };
        call.out.warn(&format!("asked about `nohup python3 bot.py &`, `{hook}` did not refuse: {said}"));
    }
}

/// The result for programs; of a dry run also what would be written.
fn report(
    call: &Call,
    (client, place): (Client, Place),
    mode: Mode,
    changes: &[Change],
    answer: Option<&Answer>,
    steps: &[&str],
) {
    call.out.json(&json!({
        "schema": SCHEMA, "agent": client.word(), "place": place.word(), "dry_run": mode == Mode::DryRun,
        "changed": changes.iter().any(|change| !change.is_none()),
        "files": changes.iter().map(|change| change.json(mode)).collect::<Vec<_>>(),
        "next_steps": steps, "hook": answer.map(Answer::json),
    }));
    if mode == Mode::DryRun && !call.out.is_json() {
        let text: String = changes.iter().filter(|change| !change.is_none()).map(Change::lines).collect();
        call.out.answer(if text.is_empty() { "# nothing would be changed" } else { &text });
    }
}
