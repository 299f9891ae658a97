//! pm2: an ecosystem as JSON, or what `pm2 save` leaves (`dump.pm2`).

use std::collections::BTreeMap;

use jsonc_parser::ast::{Object, Value as Json};

use super::json::{line, members, read as read_json, scalar, shown};
use super::pm2_keys::{key, program};
use super::{Around, Damage, Found, Import, Note, Taking};
use crate::registry::value::{Draft, Value};

const FORM: &str = "an ecosystem {\"apps\": [{\"name\": …, \"script\": …}]} or the dump of `pm2 save`";

/// Copies of one app that are read.
const MOST: u64 = 1000;

/// One app while it is read.
pub(super) struct App {
    pub(super) members: BTreeMap<String, (usize, Option<String>)>,
    pub(super) args: Vec<String>,
    /// `args` as one text, which pm2 splits itself.
    pub(super) runner_args: Vec<String>,
    pub(super) dumped: bool,
}

impl App {
    /// What a key has as a text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(|(_, value)| value.as_deref())
    }
}

/// Reads an ecosystem or a dump of pm2.
///
/// # Errors
/// It is a program of its own, no JSON, or not in that form.
pub fn read(text: &str, around: &Around<'_>) -> Result<Import, Damage> {
    if [".js", ".cjs", ".mjs", ".ts"].iter().any(|ending| around.file.ends_with(ending)) {
        let hint = format!(
            "make JSON of it: node -p 'JSON.stringify(require(\"./{}\"))' > ecosystem.json; or use what `pm2 save` leaves, ~/.pm2/dump.pm2",
            around.file
        );
        return Err(Damage::new(1, "it is a program, and guardian does not execute it", hint));
    }
    if [".yml", ".yaml"].iter().any(|ending| around.file.ends_with(ending)) {
        let hint = "make JSON of it, with `yq -o json` or `python3 -c 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'`";
        return Err(Damage::new(1, "it is YAML", hint));
    }
    let value = read_json(text, FORM)?;
    let bad =
        |value: &Json<'_>, what: &str| Damage::new(line(text, value), what.to_owned(), format!("{FORM} is wanted"));
    let mut import = Import::default();
    let apps = match &value {
        Json::Array(apps) => apps,
        Json::Object(whole) => {
            for (name, at, value) in members(text, whole).into_iter().filter(|(name, _, _)| name != "apps") {
                let (what, why) = (format!("{name} = {}", shown(value)), "guardian deploys nothing".to_owned());
                import.notes.push(Note { line: at, process: None, what, why, instead: String::new() });
            }
            match whole.get("apps").map(|apps| &apps.value) {
                Some(Json::Array(apps)) => apps,
                Some(other) => return Err(bad(other, "`apps` is no list")),
                None if whole.get("script").is_some() => {
                    app(text, whole, around, &mut import)?;
                    return Ok(import);
                }
                None => return Err(bad(&value, "there are no `apps` in it")),
            }
        }
        Json::StringLit(_) | Json::NumberLit(_) | Json::BooleanLit(_) | Json::NullKeyword(_) => {
            return Err(bad(&value, "neither an object nor a list"));
        }
    };
    for value in &apps.elements {
        match value {
            Json::Object(object) => app(text, object, around, &mut import)?,
            Json::Array(_) | Json::StringLit(_) | Json::NumberLit(_) | Json::BooleanLit(_) | Json::NullKeyword(_) => {
                return Err(bad(value, "an app that is no object"));
            }
        }
    }
    Ok(import)
}

fn app(text: &str, object: &Object<'_>, around: &Around<'_>, import: &mut Import) -> Result<(), Damage> {
    let at = line(text, object);
    let all = members(text, object);
    let list = |names: &[&str]| -> Vec<String> {
        let value = all.iter().find(|(name, _, _)| names.contains(&name.as_str())).map(|(_, _, value)| *value);
        match value {
            Some(Json::Array(items)) => items.elements.iter().filter_map(scalar).collect(),
            Some(other) => scalar(other).and_then(|line| shlex::split(&line)).unwrap_or_default(),
            None => Vec::new(),
        }
    };
    let app = App {
        members: all.iter().map(|(name, at, value)| (name.clone(), (*at, scalar(value)))).collect(),
        args: list(&["args"]),
        runner_args: list(&["node_args", "interpreter_args", "interpreterArgs"]),
        dumped: all.iter().any(|(name, _, _)| name == "pm_exec_path"),
    };
    let command =
        program(&app, around).ok_or_else(|| Damage::new(at, "an app without `script`", format!("{FORM} is wanted")))?;
    let by_python = command.first().is_some_and(|program| program.contains("python"));
    let name = app.get("name").map_or_else(|| crate::policy::job_name::job_name(&command), str::to_owned);
    let count = match app.get("instances") {
        Some(text) if !app.dumped => {
            text.parse::<i64>().map_or(1, |count| u64::try_from(count).unwrap_or(1).clamp(1, MOST))
        }
        Some(_) | None => 1,
    };
    for index in 0..count {
        let mut again = Vec::new();
        let notes = if index == 0 { &mut import.notes } else { &mut again };
        let own = if count > 1 { format!("{name}-{index}") } else { name.clone() };
        let mut taking = Taking { name: own.clone(), draft: Draft::default(), notes };
        taking.set("command", Value::Texts(command.clone()));
        let cwd = app.get("pm_cwd").or(app.get("cwd")).map_or_else(|| around.dir.to_owned(), |cwd| around.path(cwd));
        taking.text("cwd", cwd);
        // pm2 brings back whatever ends, however it ended.
        taking.text("target", "forever");
        let mut variables = BTreeMap::new();
        for (name, at, value) in &all {
            match (name.as_str(), value) {
                ("env", Json::Object(env)) => {
                    variables.extend(environment(text, env, &app, around));
                    no_texts(&mut taking, text, env);
                }
                _ => key(&mut taking, &app, (name, *at), value)?,
            }
        }
        if by_python {
            variables.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        }
        if count > 1 {
            variables.insert(app.get("instance_var").unwrap_or("NODE_APP_INSTANCE").to_owned(), index.to_string());
            taking.text("group", name.clone());
        }
        if !variables.is_empty() {
            taking.set("env", Value::Pairs(variables));
        }
        let Taking { draft, .. } = taking;
        import.found.push(Found { name: own, line: at, draft });
    }
    Ok(())
}

/// Variables whose values are no texts.
fn no_texts(taking: &mut Taking<'_>, text: &str, env: &Object<'_>) {
    for (name, at, value) in members(text, env).into_iter().filter(|(_, _, value)| scalar(value).is_none()) {
        let why = "the value of a variable is a text";
        taking.note(at, format!("env {name} = {}", shown(value)), why, "write it as one into `env`");
    }
}

/// The variables of an app. A dump has the whole environment of whoever started pm2: what is the same here is taken down
/// with the process anyway, and what pm2 put there is its own.
fn environment(text: &str, env: &Object<'_>, app: &App, around: &Around<'_>) -> Vec<(String, String)> {
    let own = |name: &str| {
        app.members.contains_key(name)
            || name.starts_with("PM2_")
            || name.starts_with("pm_")
            || [
                "unique_id",
                "km_link",
                "vizion_running",
                "exit_code",
                "created_at",
                "NODE_APP_INSTANCE",
                "_",
                "PWD",
                "OLDPWD",
                "SHLVL",
            ]
            .contains(&name)
    };
    let pairs = members(text, env).into_iter().filter_map(|(name, _, value)| Some((name, scalar(value)?)));
    let wanted =
        |(name, value): &(String, String)| !app.dumped || !(own(name) || around.variable(name) == Some(value.as_str()));
    pairs.filter(wanted).collect()
}
