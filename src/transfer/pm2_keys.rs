//! The keys of an app of pm2, and what each is here.

use jsonc_parser::ast::Value as Json;

use super::json::{scalar, shown};
use super::pm2::App;
use super::{Around, Damage, Taking, take};
use crate::registry::value::Value;

/// Which program runs what ends like this, where none is named.
const RUNNERS: [(&str, &str); 9] = [
    (".js", "node"),
    (".cjs", "node"),
    (".mjs", "node"),
    (".ts", "bun"),
    (".py", "python3"),
    (".rb", "ruby"),
    (".php", "php"),
    (".pl", "perl"),
    (".sh", "bash"),
];

/// Keys of a dump that say how it went, not what is wanted, and such that mean what holds here anyway.
const SILENT: [&str; 40] = [
    "name",
    "script",
    "args",
    "cwd",
    "pm_exec_path",
    "pm_cwd",
    "exec_interpreter",
    "interpreter",
    "node_args",
    "interpreter_args",
    "interpreterArgs",
    "cmd",
    "instance_var",
    "pm_id",
    "status",
    "pm_uptime",
    "axm_actions",
    "axm_monitor",
    "axm_options",
    "axm_dynamic",
    "created_at",
    "restart_time",
    "unstable_restarts",
    "started_inside",
    "command",
    "version",
    "node_version",
    "exit_code",
    "prev_restart_delay",
    "vizion_running",
    "versioning",
    "unique_id",
    "km_link",
    "username",
    "windowsHide",
    "treekill",
    "pmx",
    "automation",
    "vizion",
    "instance_id",
];

/// What is executed.
pub(super) fn program(app: &App, around: &Around<'_>) -> Option<Vec<String>> {
    let named = ["pm_exec_path", "script", "cmd", "command"];
    let script = named.iter().find_map(|key| app.get(key))?;
    if script.contains(' ') && !app.dumped {
        return Some(["bash", "-c", script].map(str::to_owned).to_vec()); // as pm2 does, whatever `args` says
    }
    let named = app.get("exec_interpreter").or(app.get("interpreter"));
    let ending = RUNNERS.iter().find(|(ending, _)| script.ends_with(ending)).map(|(_, runner)| *runner);
    let runner = match named {
        Some("none" | "") => None,
        Some(runner) => Some(runner),
        None => ending,
    };
    let mut command: Vec<String> = runner.into_iter().map(str::to_owned).collect();
    command.extend(app.runner_args.iter().cloned());
    // A program that is found by PATH has no directory and no ending.
    let bare = runner.is_none() && !script.contains('/');
    let in_own_directory = app.get("cwd").map_or_else(|| around.dir.to_owned(), |cwd| around.path(cwd));
    command.push(match (bare, script.starts_with('/')) {
        (true, _) | (_, true) => script.to_owned(),
        (false, false) => format!("{in_own_directory}/{}", script.strip_prefix("./").unwrap_or(script)),
    });
    command.extend(app.args.iter().cloned());
    Some(command)
}

/// One key with its value.
pub(super) fn key(
    taking: &mut Taking<'_>,
    app: &App,
    (name, line): (&str, usize),
    value: &Json<'_>,
) -> Result<(), Damage> {
    if SILENT.contains(&name) || matches!(value, Json::NullKeyword(_)) {
        return Ok(());
    }
    let what = format!("{name} = {}", shown(value));
    let text = scalar(value).unwrap_or_default();
    let bad = |wanted: &str| Damage::new(line, format!("`{what}`"), format!("{wanted} is wanted"));
    let off = take::switch(&text) == Some(false);
    match name {
        "autorestart" if off => {
            taking.text("target", "exit");
            taking.text("restart", "never");
        }
        "autorestart" | "force" => {}
        "autostart" if off => taking.text("on_boot", "never"),
        "autostart" => {}
        "max_memory_restart" => {
            let size = text.parse().ok().filter(|bytes: &u64| *bytes > 0);
            let size = size.map(|bytes| Value::Text(crate::model::units::format_size(bytes)));
            taking.set("memory", size.or_else(|| take::some_size(&text)).ok_or_else(|| bad("a size"))?);
        }
        "min_uptime" => taking.set("healthy_after", moment(&text).ok_or_else(|| bad("a time"))?),
        "max_restarts" => {
            let most: i64 =
                text.parse().ok().filter(|most| (0..1_000_000).contains(most)).ok_or_else(|| bad("a number"))?;
            taking.set("max_failures", Value::Number(most.max(1)));
        }
        "instances" if app.dumped || text.parse::<i64>().is_ok_and(|count| count > 0) => {}
        "restart_delay" if text == "0" => {}
        "restart_delay" => {
            let delay = millis(&text).ok_or_else(|| bad("a time"))?;
            taking.set("backoff", delay.clone());
            taking.set("backoff_max", delay);
        }
        "exp_backoff_restart_delay" if text == "0" => {}
        "exp_backoff_restart_delay" => {
            taking.set("backoff", millis(&text).ok_or_else(|| bad("a time"))?);
            taking.text("backoff_max", "15s");
        }
        "kill_timeout" => taking.set("grace", millis(&text).ok_or_else(|| bad("a time"))?),
        "listen_timeout" if app.get("wait_ready").and_then(take::switch) == Some(true) => {
            taking.set("ready_timeout", millis(&text).ok_or_else(|| bad("a time"))?);
        }
        "cron_restart" if !off && !text.is_empty() => {
            let instead = "`schedule` starts a job at such times; a service is restarted by `0 5 * * * guardian restart NAME` in a crontab";
            taking.note(line, what, "guardian restarts nothing that is well", instead);
        }
        "namespace" if text == "default" => {}
        "namespace" => taking.text("group", text),
        "stop_exit_codes" => {
            let codes = match value.as_array() {
                Some(codes) => codes.elements.iter().filter_map(scalar).collect(),
                None => text.split(',').map(|code| code.trim().to_owned()).collect::<Vec<_>>(),
            };
            taking.set("never_restart", Value::Words(codes));
        }
        _ if (off || text == "0") && name != "instances"
            || matches!(value, Json::Array(items) if items.elements.is_empty()) => {}
        _ => other(taking, app, name, line, what),
    }
    Ok(())
}

/// Keys that have no equal.
fn other(taking: &mut Taking<'_>, app: &App, name: &str, line: usize, what: String) {
    let log = "`guardian logs NAME` reads the log, `guardian status --json` has its path";
    let (why, instead) = match name {
        "exec_mode" if app.get("exec_mode").is_some_and(|mode| !mode.starts_with("cluster")) => return,
        "exec_mode" => (
            "a port cannot be shared by copies of a program here",
            "let the program fork its own workers, or put a proxy before several",
        ),
        "watch" | "ignore_watch" | "watch_delay" | "watch_options" => {
            ("guardian restarts nothing because a file changed", "`watchexec -- guardian restart NAME` does")
        }
        "wait_ready" => (
            "`process.send('ready')` goes to pm2 alone",
            "`ready = \"tcp:PORT\"`, `\"http:URL\"` or `\"output:RE\"` shows that it is ready",
        ),
        "listen_timeout" => ("it is for `wait_ready` and reloads", "`ready_timeout` is the time to get ready"),
        "out_file" | "error_file" | "log_file" | "output" | "error" | "pm_out_log_path" | "pm_err_log_path"
        | "pm_log_path" | "merge_logs" | "combine_logs" | "log_date_format" | "log_type" | "time" | "disable_logs" => {
            ("guardian keeps one log for each process in its own place, as the program wrote it", log)
        }
        "pid_file" | "pm_pid_path" => {
            ("the pid stands elsewhere", "STATE/sentinel/NAME.pid has it; `guardian status NAME --json` too")
        }
        "uid" | "gid" | "user" => ("who it runs as was not taken over", "`user` says it, where guardian runs as root"),
        "shutdown_with_message" => {
            ("there is no channel to send a message on", "`stop_signal` says how it is asked to end")
        }
        "instances" => (
            "as many as there are processors is no number: it is one here",
            "write how many, and import it with --replace",
        ),
        _ if name.starts_with("env_") => {
            ("there is one environment for each process", "put what it needs into `env` or `env_file`")
        }
        _ => ("there is no equal", ""),
    };
    taking.note(line, what, why, instead);
}

/// A time of pm2: milliseconds, or with a unit.
fn moment(text: &str) -> Option<Value> {
    millis(text).or_else(|| crate::model::units::parse_duration(text).ok().map(take::duration))
}

fn millis(text: &str) -> Option<Value> {
    take::millis(text)
}
