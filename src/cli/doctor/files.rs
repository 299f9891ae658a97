//! What guardian keeps on disk, as found: registry, states, logs, owners and modes, and what the file system can do.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::alert::desk;
use crate::model::check::{Check, Grade};
use crate::model::name::Name;
use crate::os::health;
use crate::policy::doctor::{self, Logs, Place, Rotation, State};
use crate::policy::rotation::Limits;
use crate::store::paths::Paths;
use crate::store::registry_file::Loaded;
use crate::store::{atomic, state};
use crate::supervise::now;

use super::Found;

/// Files that are looked at for their owner and mode.
const MOST: usize = 5000;

pub(super) fn registry(loaded: &Loaded) -> Check {
    match loaded.problems.first() {
        None => Check::green("registry", format!("{} processes, all valid", loaded.registry.processes.len())),
        Some(first) => {
            let said =
                format!("{} problems, the first in line {}: {}", loaded.problems.len(), first.line, first.message);
            Check::red("registry", said, "guardian config check")
        }
    }
}

/// The others. A state directory that cannot be made is told by the first of them.
pub(super) fn checks(found: &Found<'_>) -> Vec<Check> {
    let paths = &found.call.ctx.paths;
    let made = atomic::make_dir(&paths.state);
    let there = paths.state.ancestors().find(|path| path.exists()).unwrap_or(&paths.state);
    let log_dir = Some(paths.state.join("log")).filter(|path| path.exists());
    let log_dir = log_dir.as_deref().unwrap_or(&paths.state);
    let names = names(paths);
    let mut checks = vec![match &made {
        Ok(()) => states(found, &names),
        Err(error) => Check::red("state", error.message.clone(), format!("mkdir -p {}", quoted(&paths.state))),
    }];
    checks.push(permissions(paths, &names));
    checks.push(removed(found, &names));
    checks.push(doctor::disk(health::room(there), &there.display().to_string()));
    let (rotation, locks) = match made {
        Ok(()) => (health::rotation(log_dir), health::locks(&paths.state).map_err(|error| error.message)),
        Err(error) => (Rotation::Unknown(error.message.clone()), Err(error.message)),
    };
    checks.push(doctor::locks(locks.as_ref().map(|held| *held).map_err(String::as_str)));
    checks.push(doctor::rotation(&rotation));
    checks.push(doctor::logs(&logs(found, log_dir), health::room(log_dir).map(|(bytes, _)| bytes)));
    checks
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}

/// Names of which something is remembered.
fn names(paths: &Paths) -> io::Result<BTreeSet<Name>> {
    let entries = match fs::read_dir(paths.processes()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        names.extend(entry?.file_name().to_str().and_then(|name| name.parse::<Name>().ok()));
    }
    Ok(names)
}

/// Whether all states can be read, and what else is remembered.
fn states(found: &Found<'_>, names: &io::Result<BTreeSet<Name>>) -> Check {
    let paths = &found.call.ctx.paths;
    let names = match names {
        Ok(names) => names,
        Err(error) => {
            let said = format!("`{}` cannot be read: {error}", paths.processes().display());
            return Check::red("state", said, format!("ls -ld {}", quoted(&paths.processes())));
        }
    };
    let mut seen = State::default();
    let mut damaged = Vec::new();
    for name in names {
        match state::load(paths, name) {
            Ok(Some(_)) => seen.whole += 1,
            Ok(None) => {}
            Err(error) if error.kind == "state_newer" => seen.newer += 1,
            Err(error) => damaged.push((error.message, error.hint)),
        }
    }
    match now().and_then(|now| desk::overview(paths, &[], 0, &now)) {
        Ok(overview) => {
            damaged.extend(overview.unreadable.into_iter().map(|said| (said, "guardian alerts".to_owned())))
        }
        Err(error) => damaged.push((error.message, error.hint)),
    }
    let count = damaged.len();
    seen.damaged = damaged.into_iter().next().map(|(said, hint)| (said, hint, count));
    doctor::state(&seen)
}

/// Owners and modes of the registry, the state directory and what is in it. What processes write themselves is left out.
fn permissions(paths: &Paths, names: &io::Result<BTreeSet<Name>>) -> Check {
    let mut wanted = vec![(paths.registry.clone(), false)];
    wanted.extend(paths.registry.parent().map(|dir| (dir.to_owned(), false)));
    wanted.push((paths.state.clone(), true));
    wanted.extend(paths.directories().map(|dir| (dir, true)));
    let mut unread: Option<PathBuf> = None;
    let runs = names.iter().flatten().map(|name| paths.process(name));
    let dirs = [paths.state.clone(), paths.outbox(), paths.state.join("log")].into_iter().chain(runs);
    for dir in dirs {
        match fs::read_dir(&dir) {
            Ok(entries) => wanted.extend(entries.flatten().map(|entry| (entry.path(), true))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => unread = unread.or(Some(dir)),
        }
    }
    let mut seen = BTreeSet::new();
    wanted.retain(|(path, _)| seen.insert(path.clone()));
    let mut places = Vec::new();
    for (path, state) in wanted.into_iter().take(MOST) {
        match place(&path, state) {
            Ok(place) => places.extend(place),
            Err(_) => unread = unread.or(Some(path)),
        }
    }
    let unread = unread.map(|path| quoted(&path));
    let me = nix::unistd::geteuid().as_raw();
    let check = doctor::permissions(&places, me, unread.as_deref());
    if check.grade != Grade::Green {
        return check;
    }
    // The directories themselves are looked at already.
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let homes = [real(paths.registry.parent().unwrap_or(&paths.registry)), real(&paths.state)];
    let above: BTreeSet<&Path> = homes.iter().flat_map(|home| home.ancestors().skip(1)).collect();
    let owned = |dir: &Path| fs::metadata(dir).ok().map(|meta| (quoted(dir), meta.uid(), meta.mode()));
    let above: Vec<_> = above.into_iter().rev().filter_map(owned).collect();
    doctor::above(&above, me).unwrap_or(check)
}

/// One of them; `None`: it is not there.
fn place(path: &Path, state: bool) -> io::Result<Option<Place>> {
    let (link, meta) = match fs::symlink_metadata(path).and_then(|link| Ok((link, fs::metadata(path)?))) {
        Ok(both) => both,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let link = link.is_symlink().then(|| link.uid());
    Ok(Some(Place { path: quoted(path), owner: meta.uid(), mode: meta.mode() & 0o7777, link, state }))
}

/// What is left of processes that the registry does not have. One that it has and that is not valid is not removed.
fn removed(found: &Found<'_>, names: &io::Result<BTreeSet<Name>>) -> Check {
    let (Some(loaded), Ok(names)) = (found.loaded, names) else { return doctor::removed(None) };
    let registry = &loaded.registry;
    let is_known = |name: &Name| {
        registry.processes.contains_key(name) || registry.invalid.iter().any(|invalid| invalid == name.as_str())
    };
    let is_left = |name: &Name| {
        let paths = &found.call.ctx.paths;
        paths.process_state(name).exists() || paths.log(name).exists()
    };
    let left: Vec<String> =
        names.iter().filter(|name| !is_known(name) && is_left(name)).map(ToString::to_string).collect();
    doctor::removed(Some(&left))
}

/// Sizes of logs, on the disk; and what they may come to.
fn logs(found: &Found<'_>, dir: &Path) -> Logs {
    let mut logs = Logs::default();
    match taken(dir) {
        Ok(bytes) => logs.bytes = bytes,
        Err(error) => logs.unread = Some(error.to_string()),
    }
    for (name, entry) in found.loaded.iter().flat_map(|loaded| &loaded.registry.processes) {
        let size = fs::metadata(found.call.ctx.paths.log(name)).map_or(0, |meta| on_disk(&meta)); // none yet
        match Limits::of(&entry.spec) {
            None => logs.endless.push((name.to_string(), size)),
            Some(limits) => {
                let parts = u64::try_from(limits.keep).unwrap_or(u64::MAX).saturating_add(1);
                logs.most = logs.most.saturating_add(limits.max.saturating_mul(parts));
                // A small limit is below the block of the file system.
                if size > limits.max.saturating_mul(2).saturating_add(1 << 20) {
                    logs.over.push(name.to_string());
                }
            }
        }
    }
    logs.most = logs.most.max(logs.bytes);
    logs
}

fn on_disk(meta: &fs::Metadata) -> u64 {
    meta.blocks().saturating_mul(512)
}

/// What all files below `dir` take on the disk.
fn taken(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = match entry.metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // rotated away meanwhile
            Err(error) => return Err(error),
        };
        bytes = bytes.saturating_add(if meta.is_dir() { taken(&entry.path())? } else { on_disk(&meta) });
    }
    Ok(bytes)
}
