//! Whether a process is guardian itself, and which part of it: by the file that it executes, never by its name.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::model::ending::Part;

use super::children::SHIM_NAME;
use super::platform;

/// Which part of guardian the process `pid` is; `None`: none, or it cannot be told.
#[must_use]
pub fn part(pid: i32) -> Option<Part> {
    let id = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let theirs = platform::executable(pid)?;
    let me = i32::try_from(std::process::id()).ok()?;
    let ours = platform::executable(me) == Some(theirs) || installed().is_some_and(|path| id(&path) == Some(theirs));
    if !ours {
        return None;
    }
    let arguments = platform::arguments(pid)?;
    Some(part_by(&arguments.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Where this program was installed: after an upgrade another file lies there, which is guardian as well.
fn installed() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(path) => Some(PathBuf::from(path)),
        None => Some(path),
    }
}

/// The part that a command line of this program asks for.
fn part_by(arguments: &[&[u8]]) -> Part {
    let mut rest = arguments.iter();
    if rest.next().is_some_and(|name| *name == SHIM_NAME.to_bytes()) {
        return Part::Shim;
    }
    while let Some(argument) = rest.next() {
        match *argument {
            b"--home" => drop(rest.next()),
            [b'-', ..] => {}
            b"healthcheck" => return Part::Pass,
            b"start" => return Part::Start,
            b"stop" => return Part::Stop,
            b"restart" => return Part::Restart,
            b"deregister" => return Part::Deregister,
            _ => return Part::Command,
        }
    }
    Part::Command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_is_told_by_the_command_behind_the_options() {
        let cases: [(&[&str], Part); 6] = [
            (&["guardian", "stop", "bot"], Part::Stop),
            (&["guardian", "--json", "--home", "restart", "healthcheck", "--quiet"], Part::Pass),
            (&["/usr/bin/guardian", "--home=/x", "restart", "stop"], Part::Restart),
            (&["guardian-shim"], Part::Shim),
            (&["stop"], Part::Command),
            (&["guardian", "wait", "stop"], Part::Command),
        ];
        for (line, want) in cases {
            let line: Vec<&[u8]> = line.iter().map(|argument| argument.as_bytes()).collect();
            assert_eq!(part_by(&line), want, "{line:?}");
        }
    }
}
