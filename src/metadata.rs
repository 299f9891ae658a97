//! The surroundings of a run are taken down at its start: what is cheap at once, the rest in the background.
//!
//! Nothing here can keep a start from succeeding: what cannot be found out or written down is not known, no more.
//! The background is a process of its own that is told which runs to complete and may be killed at any time.

mod adopted;

use std::collections::HashMap;
use std::ffi::{CString, OsString};
use std::io::{Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use crate::alert::program;
use crate::context::Context;
use crate::error::Error;
use crate::model::metadata::{Asked, CommandLine, FileFact, FileId, Git, Metadata, SCHEMA, bounded_names};
use crate::model::name::Name;
use crate::model::spec::{Command, Spec, Target};
use crate::model::state::{Began, OpenRun};
use crate::model::time::Wall;
use crate::model::units::format_duration;
use crate::os::descriptor::anonymous_file;
use crate::os::fingerprint::{file_id, sha256, sha256_of};
use crate::os::spawn::Report;
use crate::os::user::Ids;
use crate::os::{background, process, surroundings};
use crate::policy::agents::agents;
use crate::policy::environment::for_shim;
use crate::store::launch::Launch;
use crate::store::{git, metadata};

pub use adopted::{Found, adopted};

/// The command that completes metadata; nobody types it.
pub const COMMAND: &str = "complete-metadata";
/// How far the clock that stamps files may be behind the one that we read, in milliseconds.
const COARSE_MS: i64 = 10;
/// Words of a command that may be the name of its file.
const WORDS: usize = 32;
/// Longest shell line that is taken apart for that.
const LINE: usize = 4096;
/// How long `git` may take for one repository.
const GIT: Duration = Duration::from_secs(5);

/// What a command has begun, and who gave it.
#[derive(Debug, Default)]
pub struct Begun {
    /// Whether it is a pass: what it starts for an operator was asked for by somebody who is not here.
    pub by_pass: bool,
    caller: OnceLock<Asked>,
    unfinished: Mutex<Vec<(Name, u64)>>,
}

/// Takes down what is known of the run that has just been launched as `told`. Call it when the program runs already.
pub fn begin(ctx: &Context, name: &Name, spec: &Spec, open: &OpenRun, told: &Launch<CString>, launched: Report) {
    let cwd = PathBuf::from(OsString::from_vec(told.cwd.as_bytes().to_vec()));
    let before = open.run.checked_sub(1).and_then(|run| metadata::load(&ctx.paths, name, run));
    let pid = match launched {
        Report::Started { pid, .. } => Some(pid),
        Report::Preparing | Report::Failed { .. } => None,
    };
    let hashed = |fact: Option<FileFact>, earlier: Option<&FileFact>| {
        fact.map(|fact| FileFact {
            sha256: earlier.filter(|old| is_same(&fact, old)).and_then(|old| old.sha256.clone()),
            ..fact
        })
    };
    let earlier = before.as_ref();
    let (uid, gid, groups) = Ids::decode(&told.user).map_or_else(surroundings::ids, |Ids { uid, gid, mut groups }| {
        groups.sort_unstable();
        (uid, gid, Some(groups))
    });
    let found = Metadata {
        schema: SCHEMA,
        name: name.clone(),
        run: open.run,
        at: open.since.wall,
        guardian: env!("CARGO_PKG_VERSION").to_owned(),
        host: ctx.host.clone(),
        boot: open.since.boot.clone(),
        kernel: surroundings::kernel(),
        uid,
        gid,
        groups,
        umask: told.umask.to_string_lossy().into_owned(),
        cwd: cwd.to_string_lossy().into_owned(),
        command: CommandLine::new(&spec.command.argv(), sha256),
        target: target(spec),
        healthy_after_ms: u64::try_from(spec.healthy_after.as_millis()).unwrap_or(u64::MAX), // longer than anything lives
        environment: bounded_names(names(told)),
        rlimits: surroundings::rlimits(),
        program: hashed(executed(&cwd, told, open, pid), earlier.and_then(|before| before.program.as_ref())),
        input: hashed(input(&cwd, spec, open), earlier.and_then(|before| before.input.as_ref())),
        git: git::find(&cwd),
        asked: asked(ctx, open),
    };
    keep(ctx, spec, found);
}

/// Writes it down; what is still missing is found out later.
fn keep(ctx: &Context, spec: &Spec, found: Metadata) {
    // A disk that refuses it: the certificate will say `not known`.
    let written = metadata::begin(&ctx.paths, &found).is_ok();
    let lacks =
        |fact: &Option<FileFact>| fact.as_ref().is_some_and(|fact| fact.file.is_some() && fact.sha256.is_none());
    if written && (lacks(&found.program) || lacks(&found.input) || found.git.is_some() || spec.ping_url.is_some()) {
        let mut unfinished = ctx.begun.unfinished.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        unfinished.push((found.name, found.run));
    }
}

fn is_same(fact: &FileFact, earlier: &FileFact) -> bool {
    fact.path == earlier.path && fact.file.is_some() && fact.file == earlier.file
}

fn target(spec: &Spec) -> String {
    match spec.target {
        Target::For(target) => format_duration(target),
        Target::Forever => "forever".to_owned(),
        Target::Exit => "exit".to_owned(),
    }
}

fn names(told: &Launch<CString>) -> impl Iterator<Item = String> {
    told.environment.iter().filter_map(|pair| {
        let name = pair.as_bytes().split(|byte| *byte == b'=').next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    })
}

/// Unchanged since before the start was decided on: then it is what the program found.
fn is_older(file: &FileId, open: &OpenRun) -> bool {
    file.ctime_ns / 1_000_000 + COARSE_MS <= open.since.wall.0
}

/// The first candidate that can have been executed. Certain only when the kernel names that very file, or when it is
/// unchanged since before the start.
fn executed(cwd: &Path, told: &Launch<CString>, open: &OpenRun, pid: Option<i32>) -> Option<FileFact> {
    let of = |candidate: &CString| cwd.join(Path::new(std::ffi::OsStr::from_bytes(candidate.as_bytes())));
    let (path, file) = told.candidates.iter().find_map(|candidate| {
        let path = of(candidate);
        let file = file_id(&path).filter(|_| is_executable(&path))?;
        Some((path, file))
    })?;
    let running = pid.and_then(surroundings::executed);
    let certain = running == Some((file.dev, file.ino)) || is_older(&file, open);
    Some(FileFact { path: path.to_string_lossy().into_owned(), file: certain.then_some(file), sha256: None })
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// The first word after the program that is the name of a file.
fn input(cwd: &Path, spec: &Spec, open: &OpenRun) -> Option<FileFact> {
    let words: Vec<String> = match &spec.command {
        Command::Argv(argv) => argv.iter().skip(1).take(WORDS).cloned().collect(),
        Command::Shell(line) if line.len() <= LINE => shlex::split(line).unwrap_or_else(|| {
            line.split_whitespace().map(str::to_owned).collect() // a shell understands more than that
        }),
        Command::Shell(_) => Vec::new(),
    };
    // A whole path that a line begins with is the program that the shell runs; its file tells more.
    let (first, rest) = match &spec.command {
        Command::Shell(_) if words.first().is_some_and(|word| word.starts_with('/')) => words.split_at(1),
        Command::Shell(_) | Command::Argv(_) => words.split_at(0),
    };
    let mut candidates =
        rest.iter().chain(first).take(WORDS).filter(|word| !word.starts_with('-') && word.len() <= LINE);
    let (path, file) = candidates.find_map(|word| {
        let path = cwd.join(word);
        file_id(&path).map(|file| (path, file))
    })?;
    let file = is_older(&file, open).then_some(file);
    Some(FileFact { path: path.to_string_lossy().into_owned(), file, sha256: None })
}

fn asked(ctx: &Context, open: &OpenRun) -> Option<Asked> {
    match open.began {
        began @ (Began::Restart | Began::Trial | Began::Schedule { .. }) => Some(Asked::Guardian { began }),
        Began::Operator if ctx.begun.by_pass => None,
        Began::Operator => Some(ctx.begun.caller.get_or_init(|| caller(ctx)).clone()),
    }
}

/// Who gave this command.
fn caller(ctx: &Context) -> Asked {
    Asked::Command { caller: process::caller(), agents: agents(&ctx.environment) }
}

/// Has what is still missing of the runs that this command began found out in the background.
/// What the caller waits for should be done by now.
pub fn complete_later(ctx: &Context) {
    let unfinished =
        std::mem::take(&mut *ctx.begun.unfinished.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    if unfinished.is_empty() {
        return;
    }
    let start = || -> std::io::Result<()> {
        let mut list = anonymous_file()?;
        for (name, run) in &unfinished {
            writeln!(list, "{name} {run}")?;
        }
        list.rewind()?;
        let mut environment = for_shim(&ctx.environment, &[]);
        environment.extend(ctx.paths.home.iter().map(|home| ("GUARDIAN_HOME".into(), home.clone().into())));
        let pairs = environment.into_iter().map(|(name, value)| {
            let mut pair = name.into_vec();
            pair.push(b'=');
            pair.extend(value.into_vec());
            CString::new(pair)
        });
        let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
        let exe = CString::new(ctx.exe.as_os_str().as_bytes())?;
        background::start(
            &exe,
            &[c"guardian".to_owned(), CString::new(COMMAND)?],
            &pairs,
            &list,
            background::Rank::Behind,
        )
    };
    // Then it stays unknown.
    drop(start());
}

/// Completes the runs that are named on standard input: `NAME RUN` on each line.
///
/// # Errors
/// Standard input cannot be read.
pub fn complete(ctx: &Context) -> Result<(), Error> {
    let mut list = String::new();
    let read = std::io::stdin().read_to_string(&mut list);
    read.map_err(|error| Error::io("read", Path::new("/dev/stdin"), &error))?;
    let mut known = Known::default();
    for line in list.lines() {
        let Some((name, run)) = line.split_once(' ') else { continue };
        let (Ok(name), Ok(run)) = (name.parse::<Name>(), run.parse::<u64>()) else { continue };
        let Some(mut found) = metadata::load(&ctx.paths, &name, run) else { continue };
        known.complete(&mut found);
        // What cannot be written stays unknown.
        drop(metadata::complete(&ctx.paths, &found));
    }
    Ok(())
}

/// What was found out for an earlier run of the list.
#[derive(Default)]
struct Known {
    hashes: HashMap<FileId, Option<String>>,
    repositories: HashMap<String, Option<Changes>>,
}

impl Known {
    fn complete(&mut self, found: &mut Metadata) {
        if let Some(git) = &mut found.git {
            git.dirty = self.dirty(git, found.at);
        }
        for fact in [&mut found.program, &mut found.input].into_iter().flatten() {
            if fact.sha256.is_none()
                && let Some(file) = &fact.file
            {
                let hash = || sha256_of(Path::new(&fact.path), file);
                fact.sha256 = self.hashes.entry(file.clone()).or_insert_with(hash).clone();
            }
        }
    }

    fn dirty(&mut self, git: &Git, at: Wall) -> Option<bool> {
        let root = git.root.clone();
        let changes = self.repositories.entry(root).or_insert_with_key(|root| changes(Path::new(root)));
        changes.as_ref()?.since(git, at)
    }
}

/// What `git status` said of a working tree.
struct Changes {
    /// The commit that was checked out when it had said it.
    commit: Option<String>,
    /// Files that were changed.
    files: Vec<PathBuf>,
}

impl Changes {
    /// Whether there were changes at the moment of a start already.
    fn since(&self, git: &Git, at: Wall) -> Option<bool> {
        if self.commit != git.commit {
            return None;
        }
        match self.files.as_slice() {
            [] => Some(false),
            files => files.iter().any(|file| is_changed_before(file, at)).then_some(true),
        }
    }
}

/// A changed file that nobody has touched since `at`; of one that is gone its directory tells.
fn is_changed_before(file: &Path, at: Wall) -> bool {
    use std::os::unix::fs::MetadataExt;
    let before = |seconds: i64, nanos: i64| seconds.saturating_mul(1000) + nanos / 1_000_000 + COARSE_MS <= at.0;
    match std::fs::symlink_metadata(file) {
        Ok(metadata) => before(metadata.ctime(), metadata.ctime_nsec()),
        Err(_) => {
            let dir = file.parent().and_then(|dir| std::fs::metadata(dir).ok());
            dir.is_some_and(|dir| before(dir.mtime(), dir.mtime_nsec()))
        }
    }
}

fn changes(root: &Path) -> Option<Changes> {
    if !git::is_own(root) {
        return None;
    }
    let argv = ["git", "-C", root.to_str()?, "--no-optional-locks", "-c", "core.fsmonitor=false", "status"];
    let argv = argv.iter().chain(&["--porcelain=v1", "-z", "--untracked-files=no"]);
    let argv: Vec<String> = argv.map(|&word| word.to_owned()).collect();
    // It belongs to nobody's home, and asks nobody anything.
    let environment = [("GUARDIAN_HOME", ""), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")];
    let ran = program::run(&argv, &environment.map(|(name, value)| (name, value.to_owned())), "", GIT).ok()?;
    ran.status.filter(std::process::ExitStatus::success)?;
    let mut files = Vec::new();
    let mut entries = ran.stdout.split_inclusive('\0');
    while let Some(entry) = entries.next().and_then(|entry| entry.strip_suffix('\0')) {
        let (kind, file) = (entry.get(..2)?, entry.get(3..)?);
        files.push(root.join(file));
        if kind.contains(['R', 'C']) {
            entries.next(); // where it was before
        }
    }
    if files.is_empty() && !ran.stdout.is_empty() {
        return None; // a first name beyond what is kept
    }
    Some(Changes { commit: git::find(root)?.commit, files })
}
