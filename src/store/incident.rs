//! Incidents on disk: one small file for each process that is, or lately was, in trouble; none for all others.
//!
//! Written when a commit is published, when somebody acknowledges, and by a drain when one has come to rest; each under one
//! lock that is held for that file alone. Replaced whole. Where nothing was ever wrong there is not even the directory.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use super::{atomic, checksum, paths::Paths};
use crate::error::{Code, Error};
use crate::model::incident::{Book, SCHEMA};
use crate::model::name::Name;
use crate::os::lock;

fn dir(paths: &Paths) -> PathBuf {
    paths.outbox().join("incidents")
}

fn path(paths: &Paths, name: &Name) -> PathBuf {
    dir(paths).join(format!("{name}.json"))
}

/// Waits for the right to change books. The lock of a process or of the outbox may be held, nothing is waited for under it.
///
/// # Errors
/// The lock cannot be made.
pub fn lock(paths: &Paths) -> Result<lock::Held, Error> {
    atomic::make_dir(&dir(paths))?;
    lock::wait(&dir(paths).join("lock"))
}

/// The book of a process; `None`: nothing is remembered of it.
///
/// # Errors
/// It cannot be read, is damaged, or a later version wrote it: never taken for empty.
pub fn load(paths: &Paths, name: &Name) -> Result<Option<Book>, Error> {
    let path = path(paths, name);
    let Some(bytes) = atomic::read_if_there(&path)? else { return Ok(None) };
    let damaged = |why: String| {
        let message = format!("incident `{}` is damaged: {why}", path.display());
        let hint = "move the file away; what it remembers is told anew with the next failure";
        Error::new(Code::System, "incident_damaged", message).hint(hint).about(name)
    };
    if !checksum::is_intact(&bytes) {
        return Err(damaged("its checksum does not fit".to_owned()));
    }
    let book: Book = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if book.schema > SCHEMA {
        return Err(damaged(format!("it has schema {}, this guardian knows {SCHEMA}", book.schema)));
    }
    Ok(Some(book))
}

/// Writes a book; it is on the disk when this returns. The lock is held by the caller.
///
/// # Errors
/// It cannot be written; the earlier one is intact.
pub fn store(paths: &Paths, name: &Name, book: &Book) -> Result<(), Error> {
    let bytes = serde_json::to_vec(book)
        .map_err(|error| Error::new(Code::Bug, "encode", format!("cannot encode an incident: {error}")))?;
    atomic::replace(&path(paths, name), &checksum::seal(bytes))
}

/// Forgets a process. The lock is held by the caller.
///
/// # Errors
/// The file cannot be removed.
pub fn forget(paths: &Paths, name: &Name) -> Result<(), Error> {
    atomic::remove_if_there(&path(paths, name))
}

/// The names of all processes that have a book, in order. Costs one look at a directory that mostly is not there.
///
/// # Errors
/// The directory is there and cannot be read.
pub fn names(paths: &Paths) -> Result<Vec<Name>, Error> {
    let dir = dir(paths);
    let fail = |error: io::Error| Error::io("read directory", &dir, &error);
    let files = match fs::read_dir(&dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut names = Vec::new();
    for file in files {
        let file = file.map_err(fail)?.file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".json")).map(Name::from_str);
        names.extend(name.and_then(Result::ok));
    }
    names.sort();
    Ok(names)
}

/// What is remembered of processes by name, and a sentence for each file that cannot be read.
pub type Books = (Vec<(Name, Book)>, Vec<String>);

/// All books, in the order of their names.
///
/// # Errors
/// The directory is there and cannot be read.
pub fn all(paths: &Paths) -> Result<Books, Error> {
    let (mut books, mut unreadable) = (Vec::new(), Vec::new());
    for name in names(paths)? {
        match load(paths, &name) {
            Ok(book) => books.extend(book.map(|book| (name, book))),
            Err(error) => unreadable.push(error.message),
        }
    }
    Ok((books, unreadable))
}
