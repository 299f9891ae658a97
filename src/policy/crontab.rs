//! guardian's lines in a user's crontab: what they say, and edits that leave every other byte alone.
//!
//! One marked block for each guardian home. Works on bytes, because a crontab need not be UTF-8.
//! Pure: `os::crontab` reads and writes the real one.

use std::path::Path;
use std::time::Duration;

use crate::error::{Code, Error};

/// Longest line that is written, in bytes: Debian's cron refuses commands of 1000.
const LINE_MAX: usize = 990;
/// Stands in a block when the line before it had no newline, which is then taken out with the block.
const UNENDED: &str = "# (the line above this block had no newline at its end)";

/// When cron runs a pass.
///
/// # Errors
/// What the five fields of a crontab cannot say.
pub fn schedule(every: Duration) -> Result<String, Error> {
    let secs = every.as_secs();
    let whole = every.subsec_nanos() == 0 && secs.is_multiple_of(60);
    match secs / 60 {
        1 if whole => Ok("* * * * *".to_owned()),
        minutes @ 2..=59 if whole => Ok(format!("*/{minutes} * * * *")),
        60 if whole => Ok("0 * * * *".to_owned()),
        1440 if whole => Ok("0 0 * * *".to_owned()),
        minutes if whole && minutes % 60 == 0 && minutes != 0 && 1440 % minutes == 0 => {
            Ok(format!("0 */{} * * *", minutes / 60))
        }
        _ => {
            let message = format!("cron cannot run every {}", crate::model::units::format_duration(every));
            Err(Error::new(Code::Usage, "bad_every", message)
                .hint("give --every 1m to 59m, or 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h"))
        }
    }
}

/// What a line of the crontab runs.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// The guardian executable.
    pub exe: &'a Path,
    /// Variables of that line only, in this order.
    pub variables: &'a [(&'a str, &'a str)],
}

/// The command of a line, quoted for the shell and for cron.
///
/// It begins with `env`, so that the user's `SHELL` need not be a Bourne shell and the user's other
/// lines keep their environment.
///
/// # Errors
/// A path with a line break or NUL, or one that is not UTF-8; a line that cron would refuse as too long.
pub fn command(pass: Pass<'_>) -> Result<String, Error> {
    let fail = |what: &str| {
        Error::new(Code::Usage, "not_for_cron", format!("{what} cannot stand in a crontab"))
            .hint("use a shorter path of plain characters, or `guardian install --systemd`")
    };
    let exe = pass.exe.to_str().ok_or_else(|| fail("an executable whose path is not UTF-8"))?;
    let mut words = vec!["/usr/bin/env".to_owned()];
    words.extend(pass.variables.iter().map(|(name, value)| format!("{name}={value}")));
    words.extend([exe, "healthcheck", "--quiet"].map(str::to_owned));
    let mut quoted = Vec::with_capacity(words.len());
    for word in &words {
        if word.contains(['\n', '\r']) {
            return Err(fail("a path with a line break"));
        }
        quoted.push(shlex::try_quote(word).map_err(|_| fail("a path with a NUL"))?);
    }
    // A bare % ends the command in a crontab, inside quotes too.
    let line = quoted.join(" ").replace('%', "\\%");
    if line.len() > LINE_MAX {
        return Err(fail(&format!("a command of {} bytes", line.len())));
    }
    Ok(line)
}

/// Whether all of `listed` can be written back as it is.
///
/// # Errors
/// 5: Debian's `crontab -l` shows a carriage return as the two characters `\r`; written back, they would be in its place.
pub fn check_listed(listed: &[u8]) -> Result<(), Error> {
    match listed.split(|byte| *byte == b'\n').position(|line| line.ends_with(b"\\r")) {
        None => Ok(()),
        Some(index) => {
            let message = format!(
                "line {} of the crontab ends with a carriage return, which `crontab -l` shows as `\\r`; written back it would be another line",
                index + 1
            );
            Err(Error::new(Code::Refused, "crontab_line_ends", message)
                .hint("take them out: crontab -l | sed 's/\\\\r$//' | crontab -"))
        }
    }
}

/// The block of one guardian home: what to put into a crontab, or what to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    begin: String,
    lines: Vec<String>,
    end: String,
}

impl Block {
    /// The block of `home` that runs `command` at `schedule` and after each boot.
    #[must_use]
    pub fn new(home: &str, schedule: &str, command: &str) -> Self {
        let note = "# Written by `guardian install --cron`, removed by `guardian uninstall --cron`.".to_owned();
        let lines = vec![note, format!("{schedule} {command}"), format!("@reboot {command}")];
        Self { lines, ..Self::of(home) }
    }

    /// The block of `home`, whatever is in it.
    #[must_use]
    pub fn of(home: &str) -> Self {
        let begin = format!("# BEGIN guardian {home}");
        Self { begin, lines: Vec::new(), end: format!("# END guardian {home}") }
    }

    /// Whether it begins somewhere in `crontab`, whatever is in it.
    #[must_use]
    pub fn is_in(&self, crontab: &[u8]) -> bool {
        crontab.split(|byte| *byte == b'\n').any(|line| line == self.begin.as_bytes())
    }

    /// As it stands in a crontab.
    #[must_use]
    pub fn text(&self) -> String {
        self.written(Above::Ended)
    }

    fn written(&self, above: Above) -> String {
        let mut text = format!("{}\n", self.begin);
        if above == Above::Unended {
            text.push_str(&format!("{UNENDED}\n"));
        }
        for line in self.lines.iter().chain([&self.end]) {
            text.push_str(&format!("{line}\n"));
        }
        text
    }

    /// `crontab` with this block: in place of the one that is there, else at the end.
    ///
    /// # Errors
    /// Those of [`Block::removed_from`].
    pub fn put_into(&self, crontab: &[u8]) -> Result<Vec<u8>, Error> {
        let found = self.find(crontab)?;
        let (start, end) = match found.first() {
            Some(first) => (first.start, first.end),
            None => (crontab.len(), crontab.len()),
        };
        let mut new = Vec::with_capacity(crontab.len() + LINE_MAX * 2);
        new.extend(&crontab[..start]);
        let unended = match found.first() {
            Some(first) => first.unended,
            None => new.last().is_some_and(|last| *last != b'\n'),
        };
        if unended && found.is_empty() {
            new.push(b'\n');
        }
        let above = if unended { Above::Unended } else { Above::Ended };
        new.extend(self.written(above).into_bytes());
        // Doubles that an earlier hand left go.
        let rest = found.get(1..).map_or(&[][..], |rest| rest);
        new.extend(without(crontab, end, rest));
        Ok(new)
    }

    /// `crontab` without this block; the same bytes when it is not in there.
    ///
    /// # Errors
    /// 5: a begin without its end, or an end without its begin: nobody can tell what is guardian's.
    pub fn removed_from(&self, crontab: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(without(crontab, 0, &self.find(crontab)?))
    }

    /// Every block of this home.
    fn find(&self, crontab: &[u8]) -> Result<Vec<Found>, Error> {
        let broken = |number: usize, what: &str| {
            let message = format!("line {number} of the crontab is {what}");
            Error::new(Code::Refused, "crontab_marks", message)
                .hint("mend or remove guardian's marked block with `crontab -e`, then say it again")
        };
        let mut found = Vec::new();
        let mut open: Option<Found> = None;
        let mut at = 0;
        for (index, line) in crontab.split_inclusive(|byte| *byte == b'\n').enumerate() {
            // No more than the line's end: a home may end in a blank.
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
            match (&mut open, bare == self.begin.as_bytes(), bare == self.end.as_bytes()) {
                (Some(_), true, _) => return Err(broken(index + 1, "a second begin of guardian's block")),
                (None, _, true) => return Err(broken(index + 1, "an end of guardian's block without its begin")),
                (Some(block), _, true) => {
                    block.end = at + line.len();
                    found.extend(open.take());
                }
                (Some(block), false, false) if bare == UNENDED.as_bytes() => block.unended = true,
                (Some(_), false, false) if bare.starts_with(b"# BEGIN guardian ") => {
                    return Err(broken(index + 1, "a block inside guardian's block"));
                }
                (None, true, _) => open = Some(Found { start: at, end: at, line: index + 1, unended: false }),
                (Some(_) | None, false, false) => {}
            }
            at += line.len();
        }
        match open {
            Some(block) => Err(broken(block.line, "a begin of guardian's block without its end")),
            None => Ok(found),
        }
    }
}

/// Whether what stands above a block ended with a newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Above {
    Ended,
    Unended,
}

/// Where a block stands.
struct Found {
    start: usize,
    end: usize,
    line: usize,
    unended: bool,
}

/// `crontab` from `from` on, with `blocks` cut out.
fn without(crontab: &[u8], from: usize, blocks: &[Found]) -> Vec<u8> {
    let mut left = Vec::with_capacity(crontab.len());
    let mut at = from;
    for block in blocks {
        left.extend(&crontab[at..block.start]);
        at = block.end;
        if block.unended && at == crontab.len() && left.last() == Some(&b'\n') {
            left.pop();
        }
    }
    left.extend(&crontab[at..]);
    left
}

#[cfg(test)]
#[path = "crontab_tests.rs"]
mod tests;
