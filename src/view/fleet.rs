//! `fleet status`: many hosts as JSON for programs, and for people only what is not well. What hosts say is shown without
//! control characters, and cut.

use serde_json::{Value, json};

use crate::model::event::SCHEMA;
use crate::model::time::Wall;
use crate::policy::fleet::{Heard, is_well};

use super::table::align;
use super::words::{cut, strip_control};

/// Most lines about one host.
const LINES: usize = 10;
/// Most characters of what a host says.
const WIDTH: usize = 160;

/// A host, what is known of it, and how long that took, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// As it was named.
    pub name: String,
    /// What is known of it.
    pub heard: Heard,
    /// Milliseconds until then.
    pub took_ms: u64,
}

/// The whole as JSON; each `status` is what the guardian there said.
#[must_use]
pub fn document(hosts: &[Host], at: Wall) -> Value {
    let host = |host: &Host| {
        let (error, code, status) = match &host.heard {
            Heard::Status { code, document } => (None, Some(code), Some(document)),
            Heard::Error(why) => (Some(shown(why)), None, None),
        };
        json!({"host": host.name, "well": host.heard.is_well(), "error": error, "exit_code": code,
               "took_ms": host.took_ms, "status": status})
    };
    let counts = Counts::of(hosts);
    json!({
        "schema": SCHEMA, "at": at.to_string(),
        "counts": {"hosts": hosts.len(), "well": counts.well, "unreachable": counts.unreachable,
                   "processes": counts.processes, "processes_well": counts.processes_well},
        "hosts": hosts.iter().map(host).collect::<Vec<_>>(),
    })
}

/// One line for each process that is not well and each host of which nothing is known, then the counts.
#[must_use]
pub fn text(hosts: &[Host]) -> String {
    let head = ["HOST", "PROCESS", "STATE", ""].map(str::to_owned);
    let rows: Vec<[String; 4]> = hosts.iter().filter(|host| !host.heard.is_well()).flat_map(rows).collect();
    let table = if rows.is_empty() { String::new() } else { align(&[vec![head], rows].concat()) + "\n" };
    let Counts { well, unreachable, processes, processes_well } = Counts::of(hosts);
    let lost = if unreachable == 0 { String::new() } else { format!(", {unreachable} gave no answer") };
    let all = hosts.len();
    format!("{table}{well} of {all} hosts well{lost}; {processes_well} of {processes} processes well\n")
}

struct Counts {
    well: usize,
    unreachable: usize,
    processes: usize,
    processes_well: usize,
}

impl Counts {
    fn of(hosts: &[Host]) -> Self {
        let processes = || hosts.iter().flat_map(|host| host.heard.processes());
        Self {
            well: hosts.iter().filter(|host| host.heard.is_well()).count(),
            unreachable: hosts.iter().filter(|host| matches!(host.heard, Heard::Error(_))).count(),
            processes: processes().count(),
            processes_well: processes().filter(|process| is_well(process)).count(),
        }
    }
}

/// What is wrong on one host, at most [`LINES`] of it.
fn rows(host: &Host) -> Vec<[String; 4]> {
    let line = |process: &str, state: &str, why: &str| [host.name.clone(), shown(process), shown(state), shown(why)];
    let (code, document) = match &host.heard {
        Heard::Error(why) => return vec![line("-", "no answer", why)],
        Heard::Status { code, document } => (code, document),
    };
    let bad = host.heard.processes().iter().filter(|process| !is_well(process));
    let mut rows: Vec<_> =
        bad.map(|process| line(word(process, "name"), word(process, "state"), &last_exit(process))).collect();
    let watches = document["watches"].as_array().into_iter().flatten().filter(|watch| watch["state"] != "ok");
    rows.extend(watches.map(|watch| line(word(watch, "name"), word(watch, "state"), word(watch, "reason"))));
    let alerts = &document["alerts"];
    if ["dead", "stuck"].iter().any(|key| alerts[*key].as_u64().is_some_and(|count| count > 0)) {
        rows.push(line("-", "alerts stuck", word(alerts, "last_error")));
    }
    if document["healthcheck"]["overdue"] == true {
        rows.push(line("-", "pass overdue", "guardian install there, or see why cron does not run"));
    }
    let errors = document["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    rows.extend(errors.map(|error| line("-", "error", error)));
    if rows.is_empty() {
        rows.push(line("-", "not well", &format!("`guardian status` there ended with {code}")));
    }
    let more = rows.len().saturating_sub(LINES);
    if more > 0 {
        rows.truncate(LINES - 1);
        rows.push(line("…", "", &format!("and {} more: guardian status there", more + 1)));
    }
    rows
}

fn word<'v>(of: &'v Value, key: &str) -> &'v str {
    of[key].as_str().unwrap_or("-")
}

/// How its last run ended, in few words; empty: it is not said.
fn last_exit(process: &Value) -> String {
    let last = &process["last_exit"];
    let (Some(verdict), Some(cause)) = (last["verdict"].as_str(), last["cause"]["kind"].as_str()) else {
        return String::new();
    };
    let cause_of = &last["cause"];
    let detail = cause_of["code"].as_i64().map(|code| format!(" {code}"));
    let detail = detail.or_else(|| cause_of["signal"].as_str().map(|signal| format!(" by {signal}")));
    format!("last run {verdict}: {cause}{}", detail.unwrap_or_default())
}

fn shown(said: &str) -> String {
    cut(&strip_control(said), WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, code: i32, document: Value) -> Host {
        Host { name: name.to_owned(), heard: Heard::Status { code, document }, took_ms: 7 }
    }

    #[test]
    fn people_see_what_is_not_well_and_how_much_is() {
        let well = host("a", 0, json!({"schema": 1, "processes": [{"name": "x", "state": "running"}]}));
        let dead = json!({"name": "bot", "state": "dead", "last_exit": {"verdict": "failed", "cause": {"kind": "exited", "code": 3}}});
        let bad = host("b", 1, json!({"schema": 1, "processes": [{"name": "y", "state": "stopped"}, dead]}));
        let lost =
            Host { name: "c".to_owned(), heard: Heard::Error("ssh failed: \u{1b}[31mno".to_owned()), took_ms: 7 };
        let text = text(&[well, bad, lost]);
        expect_test::expect![[r"
            HOST  PROCESS  STATE
            b     bot      dead       last run failed: exited 3
            c     -        no answer  ssh failed: no

            1 of 3 hosts well, 1 gave no answer; 2 of 3 processes well
        "]]
        .assert_eq(&text);
    }

    #[test]
    fn a_host_with_a_thousand_dead_takes_few_lines_and_all_stand_in_the_json() {
        let many: Vec<Value> = (0..1000).map(|nth| json!({"name": format!("p{nth}"), "state": "dead"})).collect();
        let hosts = [host("a", 1, json!({"schema": 1, "processes": many}))];
        let text = text(&hosts);
        assert!(text.lines().count() <= LINES + 3 && text.contains("and 991 more"), "{text}");
        let document = document(&hosts, Wall(0));
        assert_eq!(document["hosts"][0]["status"]["processes"].as_array().unwrap().len(), 1000);
        assert_eq!(document["counts"]["processes"], 1000);
    }

    #[test]
    fn what_else_makes_a_host_unwell_is_named() {
        let cases = [
            (json!({"healthcheck": {"overdue": true}}), "pass overdue"),
            (json!({"alerts": {"dead": 0, "stuck": 2, "last_error": "HTTP 500"}}), "HTTP 500"),
            (json!({"watches": [{"name": "disk", "state": "bad", "reason": "full"}]}), "full"),
            (json!({"errors": ["state is damaged"]}), "state is damaged"),
            (json!({}), "ended with 1"),
        ];
        for (mut said, want) in cases {
            said["processes"] = json!([]);
            let text = text(&[host("a", 1, said)]);
            assert!(text.contains(want), "{text}");
        }
    }
}
