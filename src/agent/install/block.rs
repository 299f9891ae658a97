//! A marked block in a text for people and agents, such as `AGENTS.md`: replaced where it stands, never there twice.

use super::Wrong;

const BEGIN: &str = "<!-- guardian: begin; written by `guardian install --agent agents-md`, which replaces what stands up to the end -->";
/// How any version of guardian begins the line.
const BEGINS: &str = "<!-- guardian: begin";
const END: &str = "<!-- guardian: end -->";

pub(super) fn put(old: &str, text: &str) -> Result<String, Wrong> {
    let newline = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let block = format!("{BEGIN}\n{}\n{END}\n", text.trim_end()).replace('\n', newline);
    if let Some((from, to)) = find(old)? {
        return Ok(format!("{}{block}{}", &old[..from], &old[to..]));
    }
    let gap = match old {
        "" => "",
        text if text.ends_with('\n') => newline,
        _ => return Ok(format!("{old}{newline}{newline}{block}")),
    };
    Ok(format!("{old}{gap}{block}"))
}

pub(super) fn take(old: &str) -> Result<Option<String>, Wrong> {
    let Some((from, to)) = find(old)? else { return Ok(Some(old.to_owned())) };
    let (before, after) = (&old[..from], &old[to..]);
    // The empty line that was put before it goes with it.
    let before = before
        .strip_suffix("\r\n\r\n")
        .map(|text| format!("{text}\r\n"))
        .or_else(|| before.strip_suffix("\n\n").map(|text| format!("{text}\n")))
        .unwrap_or_else(|| before.to_owned());
    let rest = format!("{before}{after}");
    Ok((!rest.trim().is_empty()).then_some(rest))
}

/// Where the block begins, and where the line after it does.
fn find(text: &str) -> Result<Option<(usize, usize)>, Wrong> {
    let lines = || {
        text.split_inclusive('\n').scan(0, |at, line| {
            let from = *at;
            *at += line.len();
            Some((from, *at, line.trim()))
        })
    };
    let mut begins = lines().filter(|(_, _, line)| line.starts_with(BEGINS));
    let mut ends = lines().filter(|(_, _, line)| *line == END);
    let marks = (begins.next(), ends.next());
    if begins.next().is_none() && ends.next().is_none() {
        match marks {
            (None, None) => return Ok(None),
            (Some((from, _, _)), Some((end, to, _))) if from < end => return Ok(Some((from, to))),
            _ => {}
        }
    }
    Err(Wrong::new(
        "has marks of guardian's that do not make one block",
        format!("remove the lines that begin with `{BEGINS}` and `{END}`, and what stands between them"),
    ))
}
