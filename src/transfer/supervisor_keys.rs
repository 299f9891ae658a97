//! The keys of a `[program:x]`, and what each is here.

use super::ini::{Key, Section};
use super::{Around, Damage, Taking, take};
use crate::model::signal::Signal;
use crate::registry::value::Value;

/// One key with its value filled in.
pub(super) fn key(taking: &mut Taking<'_>, key: &Key, value: &str, around: &Around<'_>) -> Result<(), Damage> {
    let line = key.line;
    let bad = |wanted: &str| Damage::new(line, format!("`{}` is {value:?}", key.name), format!("{wanted} is wanted"));
    let what = format!("{} = {}", key.name, key.value);
    match key.name.as_str() {
        // Read before: they decide what the process is.
        "command" | "process_name" | "numprocs" | "numprocs_start" | "environment" => {}
        "directory" => taking.text("cwd", around.path(value)),
        "user" => taking.user(value, around),
        "autostart" => match take::switch(value).ok_or_else(|| bad("true or false"))? {
            true => {}
            false => taking.text("on_boot", "never"),
        },
        "autorestart" => autorestart(taking, value, bad("true, false or unexpected"))?,
        "exitcodes" => {
            let codes = value.split(',').map(|code| code.trim().parse().ok().filter(|code| (0..256).contains(code)));
            let codes = codes.collect::<Option<Vec<i64>>>().ok_or_else(|| bad("a list of exit codes"))?;
            taking.set("success_codes", Value::Codes(codes));
        }
        // It is up at once, however soon it ends: so it is here.
        "startsecs" if value.trim() == "0" => {}
        "startsecs" => taking.set("healthy_after", take::seconds(value).ok_or_else(|| bad("a number of seconds"))?),
        "startretries" => {
            // The first start and so many more.
            let tries: i64 =
                value.parse().ok().filter(|tries| (0..1_000_000).contains(tries)).ok_or_else(|| bad("a number"))?;
            taking.set("max_failures", Value::Number(tries + 1));
        }
        "stopsignal" => {
            value.parse::<Signal>().map_err(|_| bad("a signal"))?;
            taking.text("stop_signal", value.trim_start_matches("SIG"));
        }
        "stopwaitsecs" => taking.set("grace", take::seconds(value).ok_or_else(|| bad("a number of seconds"))?),
        "stopasgroup" | "killasgroup" => {
            if !take::switch(value).ok_or_else(|| bad("true or false"))? {
                taking.note(
                    line,
                    what,
                    "`stop` ends the whole tree, children included",
                    "`leftover = \"keep\"` leaves those that outlive the main process",
                );
            }
        }
        "redirect_stderr" => {
            if !take::switch(value).ok_or_else(|| bad("true or false"))? {
                taking.note(
                    line,
                    what,
                    "one log holds both outputs",
                    "send one of them elsewhere in the command (`2>>FILE`)",
                );
            }
        }
        "stdout_logfile_maxbytes" => match take::size(value).ok_or_else(|| bad("a size"))? {
            0 => taking.text("log_max", "0"),
            _ => take::some_size(value).into_iter().for_each(|size| taking.set("log_max", size)),
        },
        "stdout_logfile_backups" => {
            let keep: i64 =
                value.parse().ok().filter(|keep| (0..1_000_000).contains(keep)).ok_or_else(|| bad("a number"))?;
            taking.set("log_keep", Value::Number(keep));
        }
        _ => other(taking, key, what),
    }
    Ok(())
}

/// Keys that have no equal.
fn other(taking: &mut Taking<'_>, key: &Key, what: String) {
    let log = "`guardian logs NAME` reads the log, `guardian status --json` has its path";
    let (why, instead) = match key.name.as_str() {
        "priority" => ("processes have no order of their own", "`depends_on` says what must be there first"),
        "umask" => ("a process has the umask of who registered it", "put `umask NNN;` before the command in `shell`"),
        "stdout_logfile" | "stderr_logfile" => ("guardian keeps one log for each process in its own place", log),
        "stderr_logfile_maxbytes" | "stderr_logfile_backups" => {
            ("one log holds both outputs", "`log_max` and `log_keep` are for both")
        }
        "stdout_capture_maxbytes" | "stderr_capture_maxbytes" | "stdout_events_enabled" | "stderr_events_enabled" => {
            ("output makes no events", "`ready = \"output:RE\"` and `guardian wait --until output:RE` look for a line")
        }
        "stdout_syslog" | "stderr_syslog" => {
            ("output goes to the log alone", "pipe it: `shell = \"exec PROGRAM | logger\"`")
        }
        "serverurl" => ("there is no server", ""),
        _ => ("supervisord has no such key, or one of a plugin", ""),
    };
    taking.note(key.line, what, why, instead);
}

/// When it is started again. supervisord knows no ends after which that would be in vain.
fn autorestart(taking: &mut Taking<'_>, value: &str, bad: Damage) -> Result<(), Damage> {
    match (value.trim().to_ascii_lowercase().as_str(), take::switch(value)) {
        ("unexpected", _) => unexpected(taking),
        (_, Some(true)) => {
            taking.text("target", "forever");
            taking.set("never_restart", Value::Words(Vec::new()));
        }
        // A job that ends badly stays down, and so does whatever ends.
        (_, Some(false)) => taking.text("target", "exit"),
        (_, None) => return Err(bad),
    }
    Ok(())
}

fn unexpected(taking: &mut Taking<'_>) {
    taking.text("target", "exit");
    taking.text("restart", "on-failure");
    taking.set("never_restart", Value::Words(Vec::new()));
}

/// What holds where nothing is said.
pub(super) fn unset(taking: &mut Taking<'_>, section: &Section, directory: Option<&str>) {
    if section.get("autorestart").is_none() {
        unexpected(taking);
    }
    if section.get("directory").is_none() {
        taking.text("cwd", directory.unwrap_or("/"));
        if directory.is_none() {
            let why = "not set: supervisord ran it wherever it was started itself";
            taking.note(section.line, "directory", why, "`cwd` is `/`: change it where that is wrong");
        }
    }
}
