//! `guardian report`: the page as a parser reads it, what it says of deaths, gaps and what is not known, and how large it gets.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::home::{Home, PYTHON};
use crate::pings::last_pass_was;
use crate::procs::{signal, until};

/// Reads a page strictly: every tag is closed in its turn, nothing runs, nothing is fetched, every link leads to a place in it.
/// Prints its text.
const PARSER: &str = r##"
import sys
from html.parser import HTMLParser
class Page(HTMLParser):
    open, ids, links, words = [], [], [], []
    def handle_starttag(self, tag, attributes):
        assert tag in {"html","head","meta","title","style","body","header","p","h1","h2","h3","ul","li","section","article","div",
            "svg","defs","path","use","span","i","b","a","small","table","tr","th","td","details","summary","pre","footer"}, tag
        for name, value in attributes:
            assert not name.startswith("on") and name not in {"src", "srcset", "action", "background"}, (tag, name)
            if name == "id": self.ids.append(value)
            if name == "href":
                assert value.startswith("#"), value
                self.links.append(value[1:])
        if tag != "meta": self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())
    def handle_data(self, text):
        if not self.open or self.open[-1] != "style": self.words.append(text)
        else: assert "url(" not in text and "@import" not in text, text
page = Page(convert_charrefs=True)
page.feed(open(sys.argv[1], encoding="utf-8").read())
page.close()
assert not page.open, page.open
assert len(set(page.ids)) == len(page.ids), "an id twice"
assert set(page.links) <= set(page.ids), set(page.links) - set(page.ids)
print(" ".join(" ".join(page.words).split()))
"##;

/// The text of a page that is well-formed and harmless.
#[track_caller]
fn text_of(path: &Path) -> String {
    let output = Command::new(PYTHON).args(["-c", PARSER]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes a report into a file; its text.
#[track_caller]
fn page(home: &Home, options: &[&str], code: i32) -> String {
    let path = home.path("report.html");
    let mut arguments = vec!["report", "-q", "-o", path.to_str().unwrap()];
    arguments.extend(options);
    home.run(&arguments).expect(code);
    text_of(&path)
}

fn process<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["processes"].as_array().unwrap();
    all.iter().find(|process| process["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn a_page_says_how_all_stands_and_shows_each_death_with_its_certificate_and_no_secret() {
    let mut home = Home::new();
    home.set_env("API_TOKEN", "canary-canary-canary");
    home.ok(&["healthcheck"]);
    let line = "echo '</pre></td><script>alert(1)</script>'; echo $API_TOKEN; exec sleep 600";
    home.up("bot", &["--backoff", "0s", "--target", "8h", "--group", "</small><script>"], line);
    home.up("job", &["--target", "exit"], "exit 3");
    home.ok(&["register", "idle", "--", "true"]);
    home.reaches("job", "dead");
    until("it has spoken", || home.ok(&["logs", "bot"]).contains("canary-canary-canary"));
    let pid = home.pid("bot");
    signal(pid, Signal::SIGKILL);
    until("it is back", || home.status("bot")["pid"].as_i64().is_some_and(|now| now != i64::from(pid)));

    let text = page(&home, &[], 0);
    for said in [
        "2 of 3 as desired; 1 dead",
        "Deaths 2 in 1d 0h",
        "bot run 1",
        "premature after",
        "SIGKILL",
        "last output </pre></td><script>alert(1)</script> ****",
        "failed after",
        "exit 3",
        "guardian logs job --run 1, then guardian start job",
        "There was no gap between them",
    ] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }
    assert!(!text.contains("canary") && !text.contains("sleep 600"), "{text}");
    assert_eq!(fs::metadata(home.path("report.html")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read(home.path("report.html")).unwrap()[..15], *b"<!DOCTYPE html>");

    let report = home.json(&["report", "--since", "1h"]);
    assert!(!report.to_string().contains("canary"), "{report:#}");
    assert_eq!(report["verdict"], "2 of 3 as desired; 1 dead");
    let [bot, job] = [process(&report, "bot"), process(&report, "job")];
    assert_eq!((bot["deaths"].as_i64(), bot["restarts"].as_i64()), (Some(1), Some(1)));
    assert!(bot["available"].as_f64().is_some_and(|share| share > 0.0 && share <= 1.0), "{bot:#}");
    assert_eq!((&job["available"], &process(&report, "idle")["available"]), (&Value::Null, &Value::Null));
    let states: Vec<&str> =
        bot["timeline"].as_array().unwrap().iter().map(|span| span["state"].as_str().unwrap()).collect();
    assert_eq!((states[0], states[1], states.last()), ("unwanted", "up", Some(&"up")), "{bot:#}");
    let death = report["deaths"].as_array().unwrap().iter().find(|death| death["process"] == "bot").unwrap();
    assert_eq!((&death["certificate"]["cause"]["kind"], &death["at_is_exact"]), (&"signaled".into(), &true.into()));

    let one = home.json(&["report", "job"]);
    assert_eq!((one["processes"].as_array().unwrap().len(), &one["about"]), (1, &"job".into()));
    assert!(one["deaths"].as_array().unwrap().iter().all(|death| death["process"] == "job"), "{one:#}");
}

#[test]
fn a_thousand_processes_with_ten_thousand_hostile_events_are_some_megabytes_and_what_is_left_out_is_said() {
    let home = Home::new();
    let now = chrono::DateTime::from_timestamp_millis(guardian::os::clock::wall().unwrap().0).unwrap();
    let mut registry = String::new();
    for nth in 0..1000 {
        writeln!(registry, "[process.p{nth}]\ncommand = ['/bin/true']\ngroup = '</td><script>alert(1)</script>'")
            .unwrap();
        let mut lines = String::new();
        for run in 1..=3_i32 {
            let cause = serde_json::json!({"kind": "preflight_failed", "code": 1, "what": "\"'</td></tr><script>&amp;".repeat(40)});
            for (kind, later) in [("restarted", 0), ("exited", 60), ("premature", 60)] {
                let at = now - chrono::Duration::seconds(80_000 / i64::from(run) - later);
                let event = serde_json::json!({"schema": 1, "id": format!("p{nth}.a.{run}.{kind}"), "at": at.to_rfc3339(),
                    "process": format!("p{nth}"), "run": run, "kind": kind, "severity": "info", "cause": cause, "ran_s": 60.0});
                writeln!(lines, "{event}").unwrap();
            }
        }
        let dir = home.state_dir().join(format!("process/p{nth}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("events.jsonl"), lines).unwrap();
    }
    fs::set_permissions(home.state_dir(), fs::Permissions::from_mode(0o700)).unwrap();
    home.write_registry(registry);
    let text = page(&home, &[], 0);
    assert!(text.contains("1000 of 1000 as desired") && text.contains("3000 in 1d 0h"), "{}", &text[..500]);
    assert!(text.contains("2500 more are not shown: guardian events --since"), "what is left out is said");
    let size = fs::metadata(home.path("report.html")).unwrap().len();
    let document = home.ok(&["report", "--json"]);
    assert!(size < 6_000_000 && document.len() < 6_000_000, "{size} and {}", document.len());
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["left_out"]["deaths"], 2500);
    let shown: BTreeSet<&str> =
        document["deaths"].as_array().unwrap().iter().map(|death| death["process"].as_str().unwrap()).collect();
    assert_eq!(shown.len(), 500, "each one's newest death comes before any one's second");
}

#[test]
fn what_is_not_known_is_not_called_up_and_a_time_without_passes_is_named() {
    let home = Home::new();
    home.ok(&["healthcheck"]);
    home.up("bot", &[], "exec sleep 600");
    home.up("other", &[], "exec sleep 600");
    last_pass_was(&home, 400_000);
    home.ok(&["healthcheck"]);
    let gaps = home.json(&["report"])["passes"]["gaps"].clone();
    assert_eq!((gaps[0]["missed"].as_i64(), gaps[0]["rebooted"].as_bool()), (Some(6), Some(false)), "{gaps}");
    assert!(page(&home, &[], 0).contains("6 passes were missed"));

    // Its history is lost, and its state of another.
    fs::write(home.state_dir().join("process/bot/events.jsonl"), "garbage\n").unwrap();
    fs::write(home.state_dir().join("process/other/state.json"), "garbage").unwrap();
    let output = home.run(&["report", "--json"]).expect(74).complains("damaged");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let bot = process(&report, "bot");
    let states: Vec<&str> =
        bot["timeline"].as_array().unwrap().iter().map(|span| span["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["unknown", "up"], "up since its record says so: {bot:#}");
    assert!(bot["unknown_s"].as_i64().unwrap() > 80_000, "{bot:#}");
    assert_eq!((report["processes"].as_array().unwrap().len(), report["errors"].as_array().unwrap().len()), (1, 1));
    assert!(page(&home, &[], 74).contains("1 of 1 as desired; 1 thing could not be read"));
}

#[test]
fn what_cannot_be_made_is_refused_and_a_registry_with_a_mistake_is_reported() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "true"]);
    let cases: [(&[&str], i32, &str); 5] = [
        (&["nobody"], 4, "nobody"),
        (&["--since", "0s"], 2, "is not before now"),
        (&["--since", "yesterday-ish"], 2, "18:30"),
        (&["-o", "/dev/null"], 2, "is not a file"),
        (&["-o", "no/such/dir/report.html"], 74, "a directory that is there"),
    ];
    for (arguments, code, says) in cases {
        let output = home.run(&[&["report"], arguments].concat()).expect(code).complains(says);
        assert_eq!(output.stdout, "", "{arguments:?}");
    }
    home.write_registry(home.registry() + "[process.bad]\ncommand = 3\n");
    assert!(page(&home, &[], 78).contains("1 of 1 as desired; 1 thing could not be read"));
}
