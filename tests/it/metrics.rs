//! `guardian metrics`: read by promtool and by Prometheus' own Python parser, counted over crashes, written after each pass.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::home::Home;
use crate::procs::{signal, until};

/// Every sample by its name and its labels that are not of the whole file, as the official parser reads them.
type Samples = BTreeMap<String, f64>;

/// Prints one sample a line as JSON; fails where the text is not as the format wants it.
const PARSER: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families
text = sys.stdin.read()
assert text.endswith('\\n')
seen = set()
for family in text_string_to_metric_families(text):
    assert family.documentation, family
    assert family.type in ('gauge', 'counter'), family
    for sample in family.samples:
        assert sample.timestamp is None, sample
        labels = {k: v for k, v in sample.labels.items() if k not in ('user', 'home')}
        assert 'user' in sample.labels and 'home' in sample.labels, sample
        key = (sample.name, tuple(sorted(labels.items())))
        assert key not in seen, key
        seen.add(key)
        print(json.dumps([sample.name + ''.join(' %s=%s' % pair for pair in sorted(labels.items())), sample.value]))
";

/// Feeds `text` to a program, which must find nothing wrong with it; what it prints.
#[track_caller]
fn checked(program: &Path, arguments: &[&str], text: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::from(fs::File::open(file.path()).unwrap()));
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}: scripts/test", program.display()));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?} on\n{text}");
    String::from_utf8(output.stdout).unwrap()
}

/// What both parsers make of it.
#[track_caller]
fn read(text: &str) -> Samples {
    checked(Path::new("promtool"), &["check", "metrics"], text);
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let lines = checked(&python, &["-c", PARSER], text);
    lines.lines().map(|line| serde_json::from_str::<(String, f64)>(line).unwrap()).collect()
}

#[track_caller]
fn samples(home: &Home) -> Samples {
    read(&home.ok(&["metrics"]))
}

#[test]
fn promtool_and_the_official_parser_read_what_it_prints_and_it_is_so() {
    let home = Home::new();
    home.ok(&["healthcheck"]);
    home.up("bot", &["--target", "8h", "--group", "a \"b\\ é"], "echo hello; exec sleep 600");
    home.up("job", &["--target", "exit"], "exit 3");
    home.ok(&["register", "idle", "--", "true"]);
    home.reaches("job", "dead");
    until("its output is there", || home.status("bot")["output"]["bytes"] == 6);
    let seen = samples(&home);
    let is = |name: &str, value: f64| assert_eq!(seen.get(name), Some(&value), "{name} in {seen:#?}");
    is("guardian_process_up name=bot", 1.0);
    is("guardian_process_up name=job", 0.0);
    is("guardian_process_as_desired name=job", 0.0);
    is("guardian_process_as_desired name=idle", 1.0);
    is("guardian_process_state name=bot state=running", 1.0);
    is("guardian_process_state name=bot state=dead", 0.0);
    is("guardian_process_state name=job state=dead", 1.0);
    is("guardian_process_info group=a \"b\\ é name=bot target=8h", 1.0);
    is("guardian_process_target_seconds name=bot", 28800.0);
    is("guardian_process_last_exit_code name=job", 3.0);
    is("guardian_process_runs_total name=job verdict=failed", 1.0);
    is("guardian_process_starts_total name=idle", 0.0);
    is("guardian_process_log_bytes_total name=bot", 6.0);
    is("guardian_registered_processes", 3.0);
    is("guardian_collect_errors", 0.0);
    is(&format!("guardian_build_info version={}", env!("CARGO_PKG_VERSION")), 1.0);
    is("guardian_pass_overdue", 0.0);
    for known in ["guardian_last_pass_timestamp_seconds", "guardian_process_resident_memory_bytes name=bot"] {
        assert!(seen[known] > 0.0, "{known}: {seen:#?}");
    }
    assert!(seen["guardian_process_remaining_seconds name=bot"] <= 28800.0);
    // What is not known is not there, and never 0.
    for unknown in ["last_exit_code name=bot", "target_seconds name=job", "start_time_seconds name=idle"] {
        assert!(!seen.contains_key(&format!("guardian_process_{unknown}")), "{unknown}: {seen:#?}");
    }
    let document = home.json(&["metrics"]);
    let families = document["families"].as_array().unwrap();
    let up = families.iter().find(|family| family["name"] == "guardian_process_up").unwrap();
    assert!(up["type"] == "gauge" && up["samples"][0]["labels"]["name"] == "bot", "{up}");
}

#[test]
fn counters_never_go_down_whoever_restarts_what() {
    let home = Home::new();
    home.up("bot", &["--backoff", "0s", "--max-failures", "9"], "exec sleep 600");
    let count = |what: &str| samples(&home)[&format!("guardian_process_{what}")];
    for nth in 1..=2_u32 {
        let pid = home.pid("bot");
        signal(pid, Signal::SIGKILL);
        until("it is back", || home.status("bot")["pid"].as_i64().is_some_and(|now| now != i64::from(pid)));
        assert_eq!(count("restarts_total name=bot"), f64::from(nth));
    }
    home.ok(&["restart", "bot"]);
    assert_eq!(home.status("bot")["restarts"], 0, "that one begins anew");
    assert_eq!(count("restarts_total name=bot"), 2.0);
    assert_eq!(count("runs_total name=bot verdict=premature"), 2.0);
    assert_eq!(count("runs_total name=bot verdict=stopped"), 1.0);
    assert_eq!(count("starts_total name=bot"), 4.0);
    home.ok(&["reset", "bot"]);
    home.ok(&["healthcheck"]);
    assert_eq!(count("runs_total name=bot verdict=premature"), 2.0);
}

#[test]
fn a_pass_writes_the_file_of_the_collector_and_one_that_cannot_says_so_and_serves_all_the_same() {
    let home = Home::new();
    let dir = home.path("collector");
    fs::create_dir(&dir).unwrap();
    home.write_registry(format!(
        "[healthcheck]\ntextfile = '{}'\n[process.bot]\ncommand = ['/bin/sleep', '600']\n",
        dir.display()
    ));
    home.ok(&["start", "bot"]);
    let file = dir.join("guardian.prom");
    assert!(!file.exists(), "a start is no pass");
    home.ok(&["healthcheck"]);
    let first = read(&fs::read_to_string(&file).unwrap());
    assert_eq!(first["guardian_process_up name=bot"], 1.0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    home.ok(&["healthcheck", "--dry-run"]);
    home.ok(&["healthcheck", "bot"]);
    let last = "guardian_last_pass_timestamp_seconds";
    assert_eq!(read(&fs::read_to_string(&file).unwrap())[last], first[last], "only a pass over all writes it");
    home.ok(&["healthcheck"]);
    assert!(read(&fs::read_to_string(&file).unwrap())[last] > first[last], "with the very pass that wrote it");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");

    fs::remove_dir_all(&dir).unwrap();
    signal(home.pid("bot"), Signal::SIGKILL);
    home.run(&["healthcheck"]).expect(74).complains("guardian.prom");
    home.reaches("bot", "running");
    fs::create_dir(&dir).unwrap();
    home.ok(&["metrics", "--textfile", dir.to_str().unwrap()]);
    assert_eq!(read(&fs::read_to_string(&file).unwrap())["guardian_process_up name=bot"], 1.0);
}

#[test]
fn a_state_that_cannot_be_read_is_counted_and_has_no_samples() {
    let home = Home::new();
    home.up("bot", &[], "exec sleep 600");
    home.ok(&["register", "other", "--", "true"]);
    home.ok(&["start", "other"]);
    home.ok(&["stop", "other"]);
    let state = home.state_dir().join("process/other/state.json");
    fs::write(&state, "garbage").unwrap();
    let output = home.run(&["metrics"]).expect(74).complains("damaged");
    let seen = read(&output.stdout);
    assert_eq!(seen["guardian_collect_errors"], 1.0);
    assert_eq!(seen["guardian_process_up name=bot"], 1.0);
    assert!(!seen.keys().any(|key| key.contains("name=other")), "{seen:#?}");
}

#[test]
fn a_relative_directory_in_the_registry_is_a_mistake_with_its_place() {
    let home = Home::new();
    home.write_registry("[healthcheck]\ntextfile = 'metrics'\n");
    let output = home.run(&["config", "check"]).expect(78);
    assert!(format!("{output:?}").contains("2:12"), "{output:?}");
}
