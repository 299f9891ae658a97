//! The user's crontab, through the system's own `crontab` program: the one way that every cron agrees on.
//!
//! One that cannot be read is an error and never an empty one, so that nothing is ever lost by writing it back.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use crate::error::{Code, Error};

/// The crontab of this user; `None`: there is none.
///
/// # Errors
/// `crontab` is not installed, or refuses to show it.
pub fn read() -> Result<Option<Vec<u8>>, Error> {
    let output = crontab(&["-l"]).output().map_err(|error| missing(&error))?;
    if output.status.success() {
        return Ok(Some(output.stdout));
    }
    let said = said(&output);
    let is_none = output.status.code() == Some(1)
        && output.stdout.is_empty()
        && (said.to_lowercase().contains("no crontab for")
            || said.contains("can't open") && said.ends_with("No such file or directory")); // busybox
    if is_none {
        return Ok(None);
    }
    let message = format!("cannot read the crontab: {said}");
    Err(Error::new(Code::System, "crontab", message).hint("nothing was changed; try `crontab -l`"))
}

/// Replaces the crontab of this user, and reads it back.
///
/// # Errors
/// `crontab` refuses it, or shows another one afterwards.
pub fn write(text: &[u8]) -> Result<(), Error> {
    let fail = |why: &str| Error::new(Code::System, "crontab", format!("cannot write the crontab: {why}"));
    let mut child = crontab(&["-"]).stdin(Stdio::piped()).spawn().map_err(|error| missing(&error))?;
    let fed = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text));
    let output = child.wait_with_output().map_err(|error| fail(&error.to_string()))?;
    if !output.status.success() {
        return Err(fail(&said(&output)).hint("what was there before is still there"));
    }
    fed.map_err(|error| fail(&error.to_string()).hint("see `crontab -l`"))?;
    if read()?.unwrap_or_else(Vec::new) != text {
        return Err(fail("it is not what was written when it is read back")
            .hint("see `crontab -l`; somebody else may have written it"));
    }
    Ok(())
}

fn crontab(arguments: &[&str]) -> Command {
    let mut command = Command::new("crontab");
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn missing(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::new(Code::No, "no_crontab", "no `crontab` program is installed here")
            .hint("install cron (Debian: apt-get install cron), or use `guardian install --systemd`");
    }
    Error::new(Code::System, "crontab", format!("cannot run `crontab`: {error}"))
}

/// What a program complained of, on one line.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { output.status.to_string() } else { words }
}
