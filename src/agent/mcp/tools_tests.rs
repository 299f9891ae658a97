//! Which command a call becomes.

use serde_json::json;

use super::*;

fn line(tool: &str, arguments: Value) -> Result<String, String> {
    let arguments = arguments.as_object().cloned().unwrap();
    find(tool).unwrap().command_line(&arguments).map(|line| line.join(" "))
}

#[test]
fn a_call_becomes_the_command_of_its_name() {
    for (tool, arguments, want) in [
        ("status", json!({}), "status --json"),
        ("status", json!({"names": ["a", "b"]}), "status --json -- a b"),
        ("list", json!({}), "status --json"),
        ("stop", json!({"names": ["a"]}), "stop --json -- a"),
        ("logs", json!({"name": "a"}), "logs --json --max-bytes=8000B --lines=50 -- a"),
        ("logs", json!({"name": "a", "cursor": "7", "max_bytes": 9}), "logs --json --cursor=7 --max-bytes=9B -- a"),
        ("wait", json!({"names": ["a"], "any": true, "timeout_s": 5}), "wait --json --any --timeout=5s -- a"),
        ("wait", json!({"group": "g", "any": false}), "wait --json --group=g --timeout=100s"),
        ("why", json!({"name": "a", "run": 3}), "why --json --run=3 -- a"),
        ("send", json!({"name": "a", "text": "hello there", "eof": null}), "send --json -- a hello there"),
        (
            "run",
            json!({"command": ["make", "-j"], "yield_s": 2, "env": {"A": "1 2"}, "notify": ["x", "y"]}),
            "run --json --yield=2s --env=A=1 2 --notify=x --notify=y -- make -j",
        ),
    ] {
        assert_eq!(line(tool, arguments.clone()).as_deref(), Ok(want), "{tool} {arguments}");
    }
}

#[test]
fn nothing_that_is_given_becomes_an_option_of_its_own() {
    assert_eq!(line("stop", json!({"names": ["--all"]})).unwrap(), "stop --json -- --all");
    assert_eq!(line("run", json!({"command": ["--yield=0s"]})).unwrap(), "run --json -- --yield=0s");
    assert_eq!(line("why", json!({"name": "--home=/x"})).unwrap(), "why --json -- --home=/x");
}

#[test]
fn what_is_missing_unknown_or_of_another_kind_is_said() {
    for (tool, arguments, want) in [
        ("stop", json!({}), "`stop` needs `names`"),
        ("stop", json!({"names": []}), "`names` must be a list of texts, at least one"),
        ("stop", json!({"names": [1]}), "`names` must be a list of texts"),
        ("stop", json!({"name": "a"}), "`stop` takes no argument `name`; it takes names"),
        ("why", json!({"name": ["a"]}), "`name` must be text"),
        ("why", json!({"name": "a\0b"}), "`name` must be text"),
        ("why", json!({"name": "a", "run": -1}), "`run` must be a whole number"),
        ("wait", json!({"names": ["a"], "any": "yes"}), "`any` must be true or false"),
        ("run", json!({"command": ["a"], "env": ["A=1"]}), "`env` must be an object of texts"),
    ] {
        let said = line(tool, arguments.clone()).unwrap_err();
        assert!(said.contains(want), "{tool} {arguments}: {said}");
    }
}

#[test]
fn each_tool_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    assert_eq!(names.len(), TOOLS.len());
    assert!(find("rm").is_none());
}
