//! A spool: a directory in which requests are left, and where their answers lie.
//!
//! What is asked for is executed, so nothing is read that somebody else may have written: directory and file must belong to
//! this very user and be writable by nobody else. Both are checked on what is open, not on a name, and no symbolic link is followed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::error::{Code, Error};
use crate::model::request::{Answer, Request};

use super::{atomic, checksum};

/// The directory of a project in which requests are left.
pub const IN_PROJECT: &str = ".guardian/requests";
/// Largest request that is read, in bytes.
const LARGEST: u64 = 512 * 1024;
/// Most requests of one spool that a pass looks at, those for other registries among them.
const MOST: usize = 512;
/// How a request's file ends.
const SUFFIX: &str = ".json";

/// A spool that nobody else can write, held open.
#[derive(Debug)]
pub struct Spool {
    dir: File,
    path: PathBuf,
}

/// A file in a spool.
#[derive(Debug)]
pub struct Waiting {
    /// Its name in there.
    pub file: String,
    /// What it asks for; else why it is not believed.
    pub request: Result<Request, String>,
}

fn fail(what: &str, path: &Path, error: impl Into<io::Error>) -> Error {
    Error::io(what, path, &error.into())
}

/// Why somebody else may have written what `meta` is of; `None`: nobody can.
fn untrusted(meta: &fs::Metadata) -> Option<String> {
    let me = nix::unistd::geteuid().as_raw();
    if meta.uid() != me {
        return Some(format!("it belongs to uid {}, not to you (uid {me})", meta.uid()));
    }
    let mode = meta.mode() & 0o7777;
    (mode & 0o022 != 0).then(|| format!("others than its owner may write it (mode {mode:04o})"))
}

impl Spool {
    /// Opens the spool at `path`; `None`: there is none.
    ///
    /// # Errors
    /// 5: somebody else can write it, or it is a symbolic link. 74: it cannot be opened.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        let refused = |why: &str| {
            let hint = format!("it must be yours alone: chmod go-w {}", path.display());
            Error::new(Code::Refused, "spool_untrusted", format!("spool `{}` is not trusted: {why}", path.display()))
                .hint(hint)
        };
        let mut options = fs::OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY);
        let opened = match path.parent().filter(|_| path.ends_with(IN_PROJECT)) {
            // Whoever can write the project could lead its directory elsewhere.
            Some(above) => options.open(above).and_then(|above| {
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                openat(&above, path.file_name().unwrap_or_default(), flags, Mode::empty()).map_err(io::Error::from)
            }),
            None => options.open(path).map(OwnedFd::from),
        };
        let dir = match opened {
            Ok(dir) => File::from(dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR)) => {
                return Err(refused("it is no directory, or a symbolic link"));
            }
            Err(error) => return Err(fail("open", path, error)),
        };
        let meta = dir.metadata().map_err(|error| fail("look at", path, error))?;
        match untrusted(&meta) {
            Some(why) => Err(refused(&why)),
            None => Ok(Some(Self { dir, path: path.to_owned() })),
        }
    }

    /// Opens the spool at `path`, made if it is not there.
    ///
    /// # Errors
    /// As [`Self::open`]; it cannot be made.
    pub fn make(path: &Path) -> Result<Self, Error> {
        if let Some(found) = Self::open(path)? {
            return Ok(found);
        }
        atomic::make_dir(path)?;
        Self::open(path)?
            .ok_or_else(|| Error::new(Code::System, "io", format!("spool `{}` is gone again", path.display())))
    }

    /// Leaves a request. The very same one that waits is replaced: asked twice is asked once. Returns its file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn leave(&self, request: &Request) -> Result<PathBuf, Error> {
        // Other arguments are another request: a start has none.
        let asked = format!("{}\0{}", request.arguments.join("\0"), request.cwd);
        let asked =
            if request.verb == "start" { String::new() } else { format!("-{:016x}", checksum::of(asked.as_bytes())) };
        let file = format!("{}-{}{asked}{SUFFIX}", request.verb, request.name);
        self.write(&file, &serde_json::to_vec(request).map_err(|error| bug(&error))?)?;
        Ok(self.path.join(file))
    }

    fn write(&self, file: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(file);
        let temporary = format!(".{file}.{}.new", std::process::id());
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(&self.dir, temporary.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR);
        let mut written = File::from(opened.map_err(|error| fail("write", &path, error))?);
        let done = written.write_all(bytes).and_then(|()| written.sync_all());
        done.map_err(|error| fail("write", &path, error))?;
        renameat(&self.dir, temporary.as_str(), &self.dir, file).map_err(|error| fail("write", &path, error))?;
        self.dir.sync_all().map_err(|error| fail("sync", &self.path, error))
    }

    /// Whether no request waits.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn is_empty(&self) -> Result<bool, Error> {
        self.names().map(|names| names.is_empty())
    }

    /// Requests that wait, in the order in which they were asked; a few at a time.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        let read = |file: String| self.read(&file).map(|request| Waiting { file, request });
        let mut waiting: Vec<Waiting> = self.names()?.into_iter().filter_map(read).collect();
        waiting.sort_by_key(|waiting| waiting.request.as_ref().ok().map(|request| request.at));
        Ok(waiting)
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let entries = fs::read_dir(&self.path).map_err(|error| fail("list", &self.path, error))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(SUFFIX) && !name.starts_with('.')).collect();
        names.sort_unstable();
        names.truncate(MOST);
        Ok(names)
    }

    /// What `file` asks for, or why it is not believed; `None`: it is gone.
    fn read(&self, file: &str) -> Option<Result<Request, String>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let opened: OwnedFd = match openat(&self.dir, file, flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(nix::errno::Errno::ENOENT) => return None,
            Err(nix::errno::Errno::ELOOP) => return Some(Err("it is a symbolic link".to_owned())),
            Err(error) => return Some(Err(format!("it cannot be opened: {error}"))),
        };
        Some(Self::believed(File::from(opened)))
    }

    fn believed(file: File) -> Result<Request, String> {
        let meta = file.metadata().map_err(|error| format!("it cannot be asked whose it is: {error}"))?;
        if !meta.is_file() {
            return Err("it is no regular file".to_owned());
        }
        if let Some(why) = untrusted(&meta) {
            return Err(why);
        }
        if meta.nlink() != 1 {
            return Err("it has a second name elsewhere".to_owned());
        }
        if meta.len() > LARGEST {
            return Err(format!("it is larger than {LARGEST} bytes"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| format!("it cannot be read: {error}"))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("it is no request: {error}"))
    }

    /// Puts the answer into `done` or `refused`, and takes the request away.
    ///
    /// # Errors
    /// One of the two cannot be done; the request may then be looked at again.
    pub fn answer(&self, file: &str, answer: &Answer) -> Result<(), Error> {
        let path = self.path.join(if answer.done { "done" } else { "refused" });
        Self::make(&path)?.write(file, &serde_json::to_vec(answer).map_err(|error| bug(&error))?)?;
        match unlinkat(&self.dir, file, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(nix::errno::Errno::ENOENT) => Ok(()),
            Err(error) => Err(fail("remove", &self.path.join(file), error)),
        }
    }
}

fn bug(error: &serde_json::Error) -> Error {
    Error::new(Code::Bug, "bug", format!("a request cannot be written down: {error}"))
}
