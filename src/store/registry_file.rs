//! The registry on disk: read when it can be trusted, changed under a lock, never half-written.
//!
//! Readers take no lock. A text that is not TOML never counts as an empty registry: the last
//! version that was valid as a whole is served instead, and the problems say so.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::atomic::{self, Beside};
use super::paths::Paths;
use super::registry_cache;
use super::registry_trust::{self, Trusted};
use crate::error::{Code, Error};
use crate::os::{clock, lock, user, zone};
use crate::registry::{Context, Parsed, Problem, Registry, parse};

/// Where the entries of a loaded registry come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The file as it is now; entries with problems are left out.
    File,
    /// The file cannot be used as a whole; these are the entries of its last valid version.
    LastGood,
    /// The file cannot be used as a whole and there is no earlier version: the registry is empty
    /// because it is unknown, not because nothing is registered.
    Unknown,
    /// There is no file: nothing is registered.
    Missing,
}

/// A registry with what is wrong with it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The entries that are served.
    pub registry: Registry,
    /// What is wrong with the file; empty: nothing.
    pub problems: Vec<Problem>,
    /// Where the entries come from.
    pub source: Source,
}

impl Loaded {
    /// The error that a command ends with after it has served what was valid; `None`: all was.
    #[must_use]
    pub fn error(&self, paths: &Paths) -> Option<Error> {
        (!self.problems.is_empty()).then(|| invalid(&paths.registry, &self.problems))
    }
}

/// Which version of the registry file is there: another file, or the same one written since, has another.
/// `None`: there is none.
///
/// # Errors
/// It cannot be asked.
pub fn version(paths: &Paths) -> Result<Option<Version>, Error> {
    match fs::metadata(&paths.registry) {
        Ok(meta) => {
            Ok(Some(Version(meta.dev(), meta.ino(), meta.len(), meta.mtime_nsec() + meta.mtime() * 1_000_000_000)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", &paths.registry, &error)),
    }
}

/// Device, inode, size and time of writing in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(u64, u64, u64, i64);

/// Reads the registry. `home` is what `~/` stands for in it.
///
/// # Errors
/// 5: it is not trusted. 74: it cannot be read.
pub fn load(paths: &Paths, home: Option<&Path>) -> Result<Loaded, Error> {
    load_and(paths, home, remember)
}

/// The same, for whoever changes nothing: neither the last good one nor the cache is written.
///
/// # Errors
/// As [`load`].
pub fn look(paths: &Paths, home: Option<&Path>) -> Result<Loaded, Error> {
    load_and(paths, home, |_, _, _, _, _| {})
}

fn load_and(
    paths: &Paths,
    home: Option<&Path>,
    keep: impl FnOnce(&Paths, &[u8], &Metadata, Option<&Path>, &Registry),
) -> Result<Loaded, Error> {
    registry_trust::check_state(&paths.state, &paths.registry)?;
    let Some(Trusted { mut file, meta, .. }) = registry_trust::open(&paths.registry)? else {
        return Ok(Loaded { registry: Registry::default(), problems: Vec::new(), source: Source::Missing });
    };
    if let Some(registry) = registry_cache::get(&paths.registry_cache(), &meta, home) {
        return Ok(Loaded { registry, problems: Vec::new(), source: Source::File });
    }
    let bytes = read(&mut file, &meta, &paths.registry)?;
    let context = surroundings(home);
    let parsed = parse_bytes(&bytes, &context);
    if parsed.is_toml && parsed.problems.is_empty() {
        keep(paths, &bytes, &meta, home, &parsed.registry);
    }
    if parsed.is_toml {
        return Ok(Loaded { registry: parsed.registry, problems: parsed.problems, source: Source::File });
    }
    let (registry, source) = match last_good(paths, &context) {
        Some(registry) => (registry, Source::LastGood),
        None => (Registry::default(), Source::Unknown),
    };
    Ok(Loaded { registry, problems: parsed.problems, source })
}

/// What is right and wrong with any file, as a registry; nothing of it is executed, so it need not be trusted.
///
/// # Errors
/// 74: it cannot be read.
pub fn examine(path: &Path, home: Option<&Path>) -> Result<Parsed, Error> {
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    Ok(parse_bytes(&bytes, &surroundings(home)))
}

/// What the parser needs to know.
fn surroundings(home: Option<&Path>) -> Context {
    Context { home_dir: home.map(Path::to_owned), zone: zone::name(), has_user: Some(user::is_there) }
}

fn read(file: &mut File, meta: &Metadata, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.read_to_end(&mut bytes).map_err(|error| Error::io("read", path, &error))?;
    Ok(bytes)
}

/// Parses text that may not even be text.
fn parse_bytes(bytes: &[u8], context: &Context) -> Parsed {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, context),
        Err(error) => {
            let valid = bytes
                .get(..error.valid_up_to())
                .map_or_else(String::new, |valid| String::from_utf8_lossy(valid).into());
            let problem = Problem {
                line: valid.matches('\n').count() + 1,
                column: valid.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
                process: None,
                message: "not UTF-8 text".to_owned(),
                hint: "save it as UTF-8; nothing of this file is used until it is".to_owned(),
            };
            Parsed { registry: Registry::default(), problems: vec![problem], is_toml: false }
        }
    }
}

/// The last version that was valid as a whole, as trusted as the registry itself.
fn last_good(paths: &Paths, context: &Context) -> Option<Registry> {
    let path = paths.registry_last_good();
    let Trusted { mut file, meta, .. } = registry_trust::open(&path).ok()??;
    let parsed = parse_bytes(&read(&mut file, &meta, &path).ok()?, context);
    parsed.is_toml.then_some(parsed.registry)
}

/// Keeps a valid registry as the last good one and as the cache. Both are a help for later, so
/// failing is not an error; somebody else at it is a reason to leave it to them.
fn remember(paths: &Paths, bytes: &[u8], meta: &Metadata, home: Option<&Path>, registry: &Registry) {
    let (Ok(Some(_held)), Ok(now)) = (lock::try_take(&paths.registry_lock()), clock::wall()) else { return };
    keep_last_good(paths, bytes);
    registry_cache::put(&paths.registry_cache(), meta, home, registry, now);
}

fn keep_last_good(paths: &Paths, bytes: &[u8]) {
    let path = paths.registry_last_good();
    if fs::read(&path).ok().as_deref() != Some(bytes) {
        drop(atomic::replace_unsynced_dir(&path, bytes)); // after a power cut an earlier one, whole
    }
}

/// What an update left behind.
#[derive(Debug, Clone)]
pub struct Updated {
    /// The registry as it is now.
    pub registry: Registry,
    /// What was wrong with it before and still is.
    pub problems: Vec<Problem>,
    /// Whether the text is another one now.
    pub changed: bool,
}

/// Changes the text of the registry by `edit`, alone: others wait, and see the old text or the new.
///
/// # Errors
/// Those of `edit`; 5: not trusted; 78: the text is not TOML, or would have a problem that it did
/// not have; 74: it cannot be read or written. The file is then as it was.
pub fn update(
    paths: &Paths,
    home: Option<&Path>,
    edit: impl FnOnce(&str) -> Result<String, Error>,
) -> Result<Updated, Error> {
    stage(paths, home, edit)?.finish(paths)
}

/// A change of the registry that is decided and not yet to be seen, with the right to make it: others wait until this is
/// dropped. Who has it takes no lock that somebody may hold who waits for the registry; he may try.
#[derive(Debug)]
pub struct Staged {
    /// What it will be.
    pub updated: Updated,
    beside: Option<(Beside, PathBuf)>,
    text: Option<String>,
    _held: lock::Held,
}

impl Staged {
    /// Puts the new text in its place. A power cut may bring the old one back, until the directory that is returned is synced;
    /// `None`: nothing is to be synced.
    ///
    /// # Errors
    /// 74: it cannot be written.
    pub fn put(&mut self) -> Result<Option<PathBuf>, Error> {
        let Some((beside, dir)) = self.beside.take() else { return Ok(None) };
        beside.put()?;
        Ok(Some(dir))
    }

    /// The second half of [`update`].
    ///
    /// # Errors
    /// 74: it cannot be written.
    pub fn finish(mut self, paths: &Paths) -> Result<Updated, Error> {
        if let Some(dir) = self.put()? {
            atomic::sync_dir(&dir)?;
        }
        if let Some(text) = self.text.take_if(|_| self.updated.problems.is_empty()) {
            keep_last_good(paths, text.as_bytes());
        }
        Ok(self.updated)
    }
}

/// The first half of [`update`]: the new text lies beside the registry and is being synced.
///
/// # Errors
/// As [`update`].
pub fn stage(
    paths: &Paths,
    home: Option<&Path>,
    edit: impl FnOnce(&str) -> Result<String, Error>,
) -> Result<Staged, Error> {
    registry_trust::open(&paths.registry)?; // before anything is made in somebody else's directory
    registry_trust::check_state(&paths.state, &paths.registry)?;
    atomic::make_dir(&paths.state)?;
    let held = lock::wait(&paths.registry_lock())?;
    let context = surroundings(home);
    let current = registry_trust::open(&paths.registry)?;
    let (bytes, target) = match current {
        Some(Trusted { mut file, meta, path }) => (read(&mut file, &meta, &paths.registry)?, Some((path, meta))),
        None => (Vec::new(), None),
    };
    let before = parse_bytes(&bytes, &context);
    let (true, Ok(old)) = (before.is_toml, std::str::from_utf8(&bytes)) else {
        return Err(invalid(&paths.registry, &before.problems));
    };
    let new = edit(old)?;
    if new == old {
        let updated = Updated { registry: before.registry, problems: before.problems, changed: false };
        return Ok(Staged { updated, beside: None, text: None, _held: held });
    }
    let after = parse(&new, &context);
    let added = added(&before.problems, &after.problems);
    if !added.is_empty() {
        return Err(invalid(&paths.registry, &added));
    }
    let path = target.as_ref().map_or(&paths.registry, |(path, _)| path);
    let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
    let beside = match &target {
        Some((path, meta)) => beside_as(path, new.as_bytes(), meta)?,
        None => {
            atomic::make_dir(&dir)?;
            atomic::beside_soon(&paths.registry, new.as_bytes())?
        }
    };
    let updated = Updated { registry: after.registry, problems: after.problems, changed: true };
    Ok(Staged { updated, beside: Some((beside, dir)), text: Some(new), _held: held })
}

/// Problems of `after` that `before` does not have, wherever they stand.
fn added(before: &[Problem], after: &[Problem]) -> Vec<Problem> {
    let mut old: Vec<_> = before.iter().map(|problem| (&problem.process, &problem.message)).collect();
    let is_new = |problem: &&Problem| match old.iter().position(|known| *known == (&problem.process, &problem.message))
    {
        Some(at) => {
            old.swap_remove(at);
            false
        }
        None => true,
    };
    after.iter().filter(is_new).cloned().collect()
}

/// As [`atomic::beside_soon`], keeping owner and mode of what is replaced.
fn beside_as(path: &Path, content: &[u8], old: &Metadata) -> Result<Beside, Error> {
    let temporary = atomic::temporary(path);
    let write = || -> io::Result<File> {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        file.write_all(content)?;
        Ok(file)
    };
    match write() {
        Ok(file) => Ok(Beside::soon(path, temporary, file)),
        Err(error) => {
            // What failed first is what is reported; a leftover temporary file is replaced next time.
            drop(fs::remove_file(&temporary));
            Err(Error::io("write", path, &error))
        }
    }
}

/// The error of code 78 that names all problems, one on a line.
#[must_use]
pub fn invalid(path: &Path, problems: &[Problem]) -> Error {
    let mut message = format!("registry `{}` is not valid", path.display());
    for problem in problems {
        message.push_str(&format!("\n  {}:{problem}", path.display()));
        if problems.len() > 1 && !problem.hint.is_empty() {
            message.push_str(&format!(" ({})", problem.hint));
        }
    }
    let hint = match problems {
        [only] => only.hint.clone(),
        _ => "`guardian config check` lists them again".to_owned(),
    };
    Error::new(Code::Config, "registry_invalid", message).hint(hint)
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
