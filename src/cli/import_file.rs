//! The file of another system: found, read, and what its meaning depends on.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error};
use crate::os::{crontab, user};
use crate::transfer::Around;

use super::Call;

/// Where units of systemd lie, the nearest first; those of a user are below their home.
const UNITS: [&str; 7] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/etc/systemd/user",
    "/usr/lib/systemd/user",
];
/// More than any such file has.
const MOST: u64 = 16 << 20;

/// A text with the place that it comes from.
pub(super) struct Source {
    /// As it is named in what is said.
    pub(super) shown: String,
    path: PathBuf,
    bytes: Vec<u8>,
    environment: Vec<(String, String)>,
    home: Option<String>,
    user: String,
    host: String,
    dir: String,
    dotenv: Option<String>,
    /// The unit that was asked for, where what was read is its template.
    instance: Option<String>,
}

/// What an instance of a unit is made from: `app@.service` of `app@blue.service`.
fn template(unit: &str) -> Option<String> {
    let (prefix, rest) = unit.split_once('@')?;
    let (instance, kind) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{kind}"))
}

impl Source {
    /// Reads a file; `-` is standard input.
    pub(super) fn file(call: &Call, path: &Path) -> Result<Self, Error> {
        let fail = |error: std::io::Error| Error::io("read", path, &error);
        let mut bytes = Vec::new();
        let read = match path.to_str() {
            Some("-") => std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes),
            Some(_) | None => {
                let file = std::fs::File::open(path).map_err(fail)?;
                file.take(MOST + 1).read_to_end(&mut bytes)
            }
        };
        if read.map_err(fail)? as u64 > MOST {
            let message = format!("`{}` is larger than 16 MiB", path.display());
            return Err(Error::new(Code::Data, "damaged", message).hint("is it the right file?"));
        }
        Self::new(call, path.to_owned(), bytes)
    }

    /// A Procfile, with the `.env` beside it.
    pub(super) fn procfile(call: &Call, path: &Path) -> Result<Self, Error> {
        let source = Self::file(call, path)?;
        let beside = Path::new(&source.dir).join(".env");
        if !beside.is_file() {
            return Ok(source);
        }
        let text = std::fs::read(&beside).map_err(|error| Error::io("read", &beside, &error))?;
        Ok(Self { dotenv: Some(String::from_utf8_lossy(&text).into_owned()), ..source })
    }

    /// A unit of systemd by its file, or by its name.
    pub(super) fn unit(call: &Call, unit: &Path) -> Result<Self, Error> {
        let name = unit.to_str().filter(|name| !name.contains('/') && *name != "-");
        let Some(name) = name.filter(|_| !unit.exists()) else { return Self::file(call, unit) };
        let name = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
        let own = call.ctx.home.iter().map(|home| home.join(".config/systemd/user"));
        let places: Vec<PathBuf> = UNITS.iter().map(PathBuf::from).chain(own).collect();
        let find = |name: &str| places.iter().map(|dir| dir.join(name)).find(|path| path.exists());
        let template = template(&name);
        let instance = || find(template.as_deref()?).map(|path| (path, Some(name.clone())));
        match find(&name).map(|path| (path, None)).or_else(instance) {
            Some((path, instance)) => Ok(Self { instance, ..Self::file(call, &path)? }),
            None => {
                let message = format!("there is no unit `{name}` where units lie");
                let hint = format!("give its file: `systemctl show -p FragmentPath {name}` has the path");
                Err(Error::new(Code::System, "no_unit", message).hint(hint))
            }
        }
    }

    /// The crontab of this user.
    pub(super) fn own_crontab(call: &Call) -> Result<Self, Error> {
        let Some(bytes) = crontab::read()? else {
            let message = "this user has no crontab";
            return Err(Error::new(Code::No, "no_crontab", message).hint("give a file: guardian import crontab FILE"));
        };
        Ok(Self { shown: "crontab".to_owned(), ..Self::new(call, PathBuf::from("crontab"), bytes)? })
    }

    fn new(call: &Call, path: PathBuf, bytes: Vec<u8>) -> Result<Self, Error> {
        let whole = std::path::absolute(&path).map_err(|error| Error::io("find", &path, &error))?;
        let dir = whole
            .parent()
            .and_then(Path::to_str)
            .ok_or_else(|| Error::new(Code::Usage, "bad_path", format!("`{}` is not UTF-8", whole.display())))?;
        let text = |(name, value): (&std::ffi::OsString, &std::ffi::OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        Ok(Self {
            shown: path.display().to_string(),
            dir: dir.to_owned(),
            bytes,
            environment: call.ctx.environment.iter().filter_map(text).collect(),
            home: call.ctx.home.as_ref().and_then(|home| home.to_str()).map(str::to_owned),
            user: user::name(),
            host: call.ctx.host.clone(),
            path: whole,
            dotenv: None,
            instance: None,
        })
    }

    /// Its text.
    pub(super) fn text(&self) -> Result<&str, Error> {
        // The mark with which editors of Windows begin a text is no part of it.
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            Error::new(Code::Data, "damaged", format!("{}:{line}: not UTF-8 text", self.shown))
                .hint("is it the right file?")
        })
    }

    /// What its meaning depends on. `of_system`: it was said to be a crontab of the system.
    pub(super) fn around(&self, of_system: bool) -> Around<'_> {
        let beside = self.path.parent();
        Around {
            dir: &self.dir,
            file: self.unit_name(),
            home: self.home.as_deref(),
            user: &self.user,
            host: &self.host,
            env: &self.environment,
            dotenv: self.dotenv.as_deref(),
            of_system: of_system || self.path == Path::new("/etc/crontab") || beside == Some(Path::new("/etc/cron.d")),
        }
    }

    /// The name of the file, or of the unit that is made from it.
    fn unit_name(&self) -> &str {
        let own = || self.path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        self.instance.as_deref().unwrap_or_else(own)
    }

    /// Directories with more of a unit of systemd: beside it, and wherever else units lie, whichever of them the unit itself is in.
    pub(super) fn more(&self) -> Vec<PathBuf> {
        let name = self.unit_name();
        let of_system = UNITS.iter().any(|dir| self.path.parent() == Some(Path::new(dir)));
        let dirs = UNITS.iter().filter(|_| of_system).map(PathBuf::from).chain(self.path.parent().map(Path::to_owned));
        let names = [Some(name.to_owned()), template(name)];
        let mut found: Vec<PathBuf> = Vec::new();
        for dir in dirs {
            let more = names.iter().flatten().map(|name| dir.join(format!("{name}.d")));
            found.extend(more.filter(|more| more.is_dir()));
        }
        found.sort();
        found.dedup();
        found
    }
}
