//! The registry of process-guardian: one JSON object, a member for each process.

use jsonc_parser::ast::Value as Json;

use super::json::{line, members, read, scalar, shown};
use super::{Around, Damage, Found, Import, Note, Taking, take};
use crate::registry::value::{Draft, Value};

const FORM: &str = "a registry of process-guardian: {\"NAME\": {\"command\": \"…\", \"duration_min\": 480}}";

/// Reads the registry of process-guardian.
///
/// # Errors
/// It is no JSON, or not in that form.
pub fn read_registry(text: &str, around: &Around<'_>) -> Result<Import, Damage> {
    let value = read(text, FORM)?;
    let Json::Object(object) = &value else {
        return Err(Damage::new(line(text, &value), "not an object of processes", format!("{FORM} is wanted")));
    };
    let mut import = Import::default();
    for (name, at, value) in members(text, object) {
        let Json::Object(process) = value else {
            let what = format!("{name:?} is {}, not a process", shown(value));
            return Err(Damage::new(at, what, format!("{FORM} is wanted")));
        };
        let mut taking = Taking { name: name.clone(), draft: Draft::default(), notes: &mut import.notes };
        let mut command = None;
        let mut forever = true;
        for (key, at, value) in members(text, process) {
            let bad = |wanted: &str| {
                Damage::new(at, format!("{name:?}: `{key}` is {}", shown(value)), format!("{wanted} is wanted"))
            };
            match (key.as_str(), scalar(value)) {
                ("command", Some(line)) => command = Some(line),
                ("duration_min", Some(minutes)) => {
                    let minutes: f64 = minutes.parse().map_err(|_| bad("a number of minutes"))?;
                    forever = minutes <= 0.0;
                    let target = take::seconds(&(minutes * 60.0).to_string()).filter(|_| !forever);
                    target.into_iter().for_each(|target| taking.set("target", target));
                }
                ("auto_restart", Some(text)) => match take::switch(&text).ok_or_else(|| bad("true or false"))? {
                    true => {}
                    false => taking.text("restart", "never"),
                },
                ("max_restarts", Some(text)) => {
                    let most: u32 = text.parse().map_err(|_| bad("a number"))?;
                    taking.set("max_restarts", Value::Number(i64::from(most)));
                    let why = "process-guardian wrote it down and never kept it; guardian does: so many within 24 h open the breaker";
                    taking.note(at, format!("{key} = {text}"), why, "`max_restarts = 0` is without a limit");
                }
                ("restart_cooldown", Some(text)) => {
                    let delay = take::seconds(&text).ok_or_else(|| bad("a number of seconds"))?;
                    taking.set("backoff", delay);
                    let why = "process-guardian wrote it down and never kept it; guardian does: it is the first delay before a restart";
                    taking.note(at, format!("{key} = {text}"), why, "`backoff = \"1s\"` is what others get");
                }
                (_, _) => taking.note(at, format!("{key} = {}", shown(value)), "process-guardian has no such key", ""),
            }
        }
        let Some(command) = command.filter(|command| !command.trim().is_empty()) else {
            return Err(Damage::new(at, format!("{name:?} has no `command`"), format!("{FORM} is wanted")));
        };
        let Taking { mut draft, .. } = taking;
        // It was evaluated by bash.
        let words = take::plain_words(&command).unwrap_or_else(|| vec!["bash".to_owned(), "-c".to_owned(), command]);
        draft.set("command", Value::Texts(words));
        draft.set("cwd", Value::Text(around.dir.to_owned()));
        if forever {
            draft.set("target", Value::Text("forever".to_owned()));
        }
        import.found.push(Found { name, line: at, draft });
    }
    if !import.found.is_empty() {
        let (why, instead) = (
            "process-guardian ran everything in a directory that is written into its script",
            format!("`cwd` is the one of this file, {}: change it where that is wrong", around.dir),
        );
        import.notes.push(Note { line: 1, process: None, what: "cwd".into(), why: why.into(), instead });
    }
    Ok(import)
}
