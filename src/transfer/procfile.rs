//! A Procfile: `NAME: COMMAND` on each line.

use super::{Around, Damage, Found, Import, Note};
use crate::registry::value::{Draft, Value};

/// What foreman gives the first process where `.env` names no other, and how much more each that follows.
const PORTS: (u64, u64) = (5000, 100);

/// The port that a line of `.env` names.
fn port(line: &str) -> Option<u64> {
    let (name, value) = line.trim().split_once('=')?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    (name == "PORT").then(|| value.trim().trim_matches(['"', '\'']).parse().ok())?
}

/// Reads a Procfile.
///
/// # Errors
/// A line that is neither empty, nor a comment, nor `NAME: COMMAND`.
pub fn read(text: &str, around: &Around<'_>) -> Result<Import, Damage> {
    let mut import = Import::default();
    let first = around.dotenv.and_then(|text| text.lines().find_map(port)).unwrap_or(PORTS.0);
    for (index, line) in text.lines().enumerate() {
        let (at, trimmed) = (index + 1, line.trim());
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let name = |name: &str| {
            let good = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
            !name.is_empty() && name.chars().all(good)
        };
        let entry = trimmed.split_once(':').map(|(name, command)| (name.trim(), command.trim()));
        let Some((name, command)) = entry.filter(|(word, command)| name(word) && !command.is_empty()) else {
            let what = format!("{:?} is not `NAME: COMMAND`", trimmed.chars().take(60).collect::<String>());
            return Err(Damage::new(at, what, "each line of a Procfile names one process and its command"));
        };
        let mut draft = Draft::default();
        draft.set("shell", Value::Text(command.to_owned()));
        draft.set("cwd", Value::Text(around.dir.to_owned()));
        if around.dotenv.is_some() {
            draft.set("env_file", Value::Text(around.path(".env")));
        }
        // A program may read it without being given it by name.
        let port = first + PORTS.1 * u64::try_from(import.found.len()).unwrap_or(0);
        draft.set("env", Value::Pairs([("PORT".to_owned(), port.to_string())].into()));
        let (process, what) = (Some(name.to_owned()), "$PORT".to_owned());
        let why = format!("whoever runs a Procfile chooses it; it is {port} here, as foreman has it");
        let instead = "change it in `env`".to_owned();
        import.notes.push(Note { line: at, process, what, why, instead });
        import.found.push(Found { name: name.to_owned(), line: at, draft });
    }
    if import.found.is_empty() {
        return Err(Damage::new(1, "no process is in it", "each line is `NAME: COMMAND`"));
    }
    Ok(import)
}
