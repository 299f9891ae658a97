//! The environment that `register` took down for a process: mode 0600, in the state, never printed.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::error::{Code, Error};
use crate::model::name::Name;
use crate::policy::environment::Environment;

use super::atomic::{self, Beside};
use super::checksum;
use super::paths::Paths;

/// Key of the first entry, which is no variable: the file mode creation mask, octal.
const UMASK: &[u8] = b"\x01umask";
/// Key of an entry before it: the checksum of all that follows. What has none was written by an earlier build.
const SUM: &[u8] = b"\x01sum=";

/// What was taken down.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The variables.
    pub variables: Environment,
    /// File mode creation mask.
    pub umask: u32,
}

fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.process(name).join("environment")
}

/// Takes `snapshot` down for `name`.
///
/// # Errors
/// It cannot be written.
pub fn save(paths: &Paths, name: &Name, snapshot: &Snapshot) -> Result<(), Error> {
    atomic::replace(&path(paths, name), &content(snapshot))
}

/// The first half of [`save`]: it lies beside the earlier one and is being synced. The lock of `name` is held by the caller.
///
/// # Errors
/// It cannot be written.
pub fn beside(paths: &Paths, name: &Name, snapshot: &Snapshot) -> Result<Beside, Error> {
    atomic::beside_soon(&path(paths, name), &content(snapshot))
}

fn content(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = UMASK.to_vec();
    bytes.extend(format!("={:o}\0", snapshot.umask).bytes());
    for (key, value) in &snapshot.variables {
        bytes.extend(key.as_bytes());
        bytes.push(b'=');
        bytes.extend(value.as_bytes());
        bytes.push(0);
    }
    [SUM, format!("{:016x}\0", checksum::of(&bytes)).as_bytes(), &bytes].concat()
}

/// What was taken down for `name`; `None`: nothing.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn load(paths: &Paths, name: &Name) -> Result<Option<Snapshot>, Error> {
    let path = path(paths, name);
    let Some(bytes) = atomic::read_if_there(&path)? else { return Ok(None) };
    let damaged = || {
        let message = format!("environment `{}` is damaged", path.display());
        Error::new(Code::System, "environment_damaged", message)
            .hint(format!("register it again from the right shell: guardian register {name} --replace …"))
            .about(name)
    };
    let bytes = unsealed(&bytes).ok_or_else(damaged)?;
    let mut variables = Environment::new();
    let mut umask = None;
    for entry in bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let at = entry.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
        let (key, value) = (entry.get(..at).ok_or_else(damaged)?, entry.get(at + 1..).ok_or_else(damaged)?);
        if key.starts_with(b"\x01") && key != UMASK {
            return Err(damaged());
        }
        if key == UMASK {
            let octal = std::str::from_utf8(value).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
            umask = Some(octal.ok_or_else(damaged)?);
        } else {
            variables.insert(OsString::from_vec(key.to_vec()), OsString::from_vec(value.to_vec()));
        }
    }
    Ok(Some(Snapshot { variables, umask: umask.ok_or_else(damaged)? }))
}

/// The entries after the checksum, if it fits them; all entries, if there is none and the last one is whole.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let Some(rest) = bytes.strip_prefix(SUM) else { return bytes.ends_with(b"\0").then_some(bytes) };
    let (digits, entries) = rest.split_at_checked(16)?;
    let entries = entries.strip_prefix(b"\0")?;
    let sum = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (sum == checksum::of(entries)).then_some(entries)
}
