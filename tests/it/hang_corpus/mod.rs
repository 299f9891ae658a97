//! Hung and not hung: one row for each program, played by the real guardian, and what it must make of it.
//!
//! `hung` and `well` are the whole table; `docs/hangs.md` is written from it by `scripts/hangs`. No error either way: who
//! does nothing is called hung and it is said on what it is blocked; who works is not, whatever it looks like.

mod doc;
mod hung;
mod row;
mod well;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::home::{Home, finish};
use crate::procs::{eventually, now_ms, until};
use hung::HUNG;
use row::{Row, Sign, WELL_MS, Want};
use well::WELL;

/// `stuck.c`, compiled.
fn compiled(home: &Home) -> PathBuf {
    let (source, program) = (concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/hang_corpus/stuck.c"), home.path("stuck"));
    let mut gcc = std::process::Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", source, "-o"]).arg(&program);
    finish(gcc).expect(0);
    program
}

/// The rows to play: those named in `GUARDIAN_HANGS_ONLY`, else all.
fn rows(all: &'static [Row]) -> Vec<&'static Row> {
    let only = std::env::var("GUARDIAN_HANGS_ONLY").ok();
    all.iter().filter(|row| only.as_ref().is_none_or(|only| only.split(',').any(|name| name == row.name))).collect()
}

/// Whether `text` is `pattern`, in which `…` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What is wrong with what is said of a program that hangs; empty: nothing.
fn faults(home: &Home, row: &Row, says: &str, call: &str) -> Option<String> {
    let mut status = Value::Null;
    let limit = now_ms() + 20_000;
    while status["state"] != "hung" {
        status = home.status(row.name);
        if now_ms() > limit {
            return Some(format!("not called hung: {status}"));
        }
    }
    let (hang, pid) = (&status["hang"], &status["pid"]);
    let said = hang["blocked_on"].as_str().unwrap_or("");
    // Who wakes again and again may be met awake: what is then said is true as well.
    let wakes = matches!(row.name, "impatient" | "polls" | "naps" | "ticks" | "node");
    let awake = wakes && said.contains(" runs, state R, ");
    if (!fits(says, said) && !awake) || hang["silence"] != "all" {
        return Some(format!("\n  says: {said}\n  want: {says}"));
    }
    let event = eventually("its hang is in the history", || {
        home.events(row.name).into_iter().find(|event| event["kind"] == "hung")
    });
    if !event["detail"].as_str().unwrap().contains(said) || event["severity"] != "warning" {
        return Some(format!("the event does not tell it: {event}"));
    }
    let kept = home.state_dir().join(format!("process/{}/run/1.hang", row.name));
    let snapshot = fs::read_to_string(kept).unwrap();
    let named = snapshot.contains(&format!("process {pid} ")) && snapshot.len() <= 8192;
    let waits = (wakes && snapshot.contains(": runs"))
        || snapshot.lines().any(|line| match call {
            "T" => line.contains(": is stopped (SIGSTOP)"),
            _ => line.contains(&format!(" in {call}")),
        });
    (!named || !waits).then(|| format!("its snapshot does not name {pid} and {call}:\n{snapshot}"))
}

#[test]
fn each_program_that_does_nothing_is_called_hung_and_it_is_said_on_what_it_is_blocked() {
    let home = Home::new();
    let stuck = compiled(&home);
    let rows = rows(HUNG);
    rows.iter().for_each(|row| row.start(&home, &stuck));
    let mut wrong = Vec::new();
    for row in rows {
        let Want::Hung { says, call } = row.want else { panic!("{} is no hung one", row.name) };
        wrong.extend(faults(&home, row, says, call).map(|fault| format!("{} ({}): {fault}", row.name, row.does)));
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    home.run(&["healthcheck"]).expect(1);
    home.run(&["status"]).expect(1);
}

#[test]
fn no_program_that_works_is_ever_called_hung_and_the_sign_that_shows_it_is_seen() {
    let home = Home::new();
    let stuck = compiled(&home);
    let rows = rows(WELL);
    rows.iter().for_each(|row| row.start(&home, &stuck));
    let begun = now_ms();
    until("each was looked at through three limits", || now_ms() > begun + 3 * WELL_MS + 1000);
    let mut wrong = Vec::new();
    for row in rows {
        let Want::Well(sign) = row.want else { panic!("{} is no one that works", row.name) };
        let fault = if let Some(hung) = home.events(row.name).into_iter().find(|event| event["kind"] == "hung") {
            Some(format!("called hung: {hung}"))
        } else if home.state(row.name) != "running" {
            Some(format!("is {}", home.state(row.name)))
        } else {
            unseen(&home, row.name, sign)
        };
        wrong.extend(fault.map(|fault| format!("{} ({}): {fault}", row.name, row.does)));
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    home.run(&["healthcheck"]).expect(0);
}

/// That the sign which shows that it works was not seen within the limit, if so.
fn unseen(home: &Home, name: &str, sign: Sign) -> Option<String> {
    let text = fs::read_to_string(home.state_dir().join(format!("process/{name}/state.json"))).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    let watch = &state["phase"]["open"]["watch"];
    let Some(field) = sign.field() else {
        return (!watch.is_null()).then(|| format!("it is looked at: {watch}"));
    };
    let at = |value: &Value| value.as_u64().unwrap_or(0);
    let silent = at(&watch["sample"]["awake_ms"]) - at(&watch["signs"][field]);
    (at(&watch["signs"][field]) == 0 || silent >= WELL_MS).then(|| format!("{field} is silent: {watch}"))
}
