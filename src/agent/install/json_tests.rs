//! JSON with other people's entries and comments: guardian's go in and out, and nothing else moves.

use expect_test::expect;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::CstRootNode;
use serde_json::Value;

use super::json::{put, take};
use super::speak::{Guardian, Template};

const HOOKS: &str = r#"{"hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"type":"command","command":"guardian hook codex","timeout":10}]}]}}"#;
const SERVERS: &str = r#"{"mcpServers":{"guardian":{"command":"guardian","args":["mcp"]}}}"#;

fn template(text: &str, program: &str) -> Template {
    Template::of(text, &Guardian { words: vec![program.to_owned()] })
}

fn hooks() -> Template {
    template(HOOKS, "/opt/guardian")
}

fn servers() -> Template {
    template(SERVERS, "/opt/guardian")
}

fn value(text: &str) -> Value {
    CstRootNode::parse(text, &ParseOptions::default()).unwrap().to_serde_value().unwrap()
}

/// Files as people and agents write them.
const FILES: [(&str, &str); 8] = [
    ("comments and a trailing comma", "// mine\n{\n  // theme\n  \"theme\": \"dark\", /* yes */\n}\n"),
    ("tabs", "{\n\t\"theme\": \"dark\"\n}\n"),
    ("no newline at the end", "{\n  \"theme\": \"dark\"\n}"),
    ("lines of Windows", "{\r\n  \"theme\": \"dark\"\r\n}\r\n"),
    (
        "another's hook for the same event",
        "{\n  \"hooks\": {\n    \"PreToolUse\": [\n      // theirs\n      { \"matcher\": \"Bash\", \"hooks\": [{ \"type\": \"command\", \"command\": \"lint\" }] }\n    ]\n  }\n}\n",
    ),
    ("another event", "{\n  \"hooks\": {\n    \"Stop\": [{ \"hooks\": [{ \"command\": \"say done\" }] }]\n  }\n}\n"),
    ("letters outside of ASCII", "{\n  \"name\": \"J\u{f6}rg \\u00e9\"\n}\n"),
    ("another server", "{\n  \"mcpServers\": {\n    \"files\": { \"command\": \"files\", \"args\": [] }\n  }\n}\n"),
];

#[test]
fn what_goes_in_comes_out_again_and_leaves_every_byte_as_it_was() {
    for (claim, old) in FILES {
        for template in [hooks(), servers()] {
            let once = put(old, template.value()).unwrap();
            assert!(once.contains("/opt/guardian"), "{claim}: {once}");
            assert_eq!(put(&once, template.value()).unwrap(), once, "{claim}: twice is as once");
            assert_eq!(take(&once, template.value()).unwrap().as_deref(), Some(old), "{claim}");
            assert_eq!(take(old, template.value()).unwrap().as_deref(), Some(old), "{claim}: nothing there to take");
            value(&once);
        }
    }
}

#[test]
fn an_object_on_one_line_may_be_broken_into_lines_but_says_the_same() {
    let old = r#"{"theme":"dark","hooks":{"Stop":[]}}"#;
    let once = put(old, servers().value()).unwrap();
    let rest = take(&once, servers().value()).unwrap().unwrap();
    assert_eq!(value(&rest), value(old));
    let old = "{\n  \"hooks\": {\n    \"PreToolUse\": [{ \"hooks\": [] }] // theirs\n  }\n}\n";
    let rest = take(&put(old, hooks().value()).unwrap(), hooks().value()).unwrap().unwrap();
    assert_eq!(value(&rest), value(old));
    assert!(rest.contains("// theirs"));
}

#[test]
fn a_file_that_was_not_there_is_gone_again() {
    for old in ["", "\n", "{}"] {
        let once = put(old, hooks().value()).unwrap();
        assert_eq!(take(&once, hooks().value()).unwrap(), None, "{old:?}");
    }
}

#[test]
fn entries_stand_beside_others() {
    let old = "{\n  \"hooks\": {\n    \"PreToolUse\": [\n      { \"hooks\": [{ \"command\": \"lint\" }] } // theirs\n    ]\n  }\n}\n";
    expect![[r#"
        {
          "hooks": {
            "PreToolUse": [
              { "hooks": [{ "command": "lint" }] }, // theirs
              {
                "matcher": "Bash",
                "hooks": [
                  {
                    "type": "command",
                    "command": "/opt/guardian hook codex",
                    "timeout": 10
                  }
                ]
              }
            ]
          }
        }
    "#]]
    .assert_eq(&put(old, hooks().value()).unwrap());
}

#[test]
fn a_guardian_that_moved_takes_the_place_of_the_old_one() {
    for (text, template) in [(HOOKS, hooks()), (SERVERS, servers())] {
        let earlier = put("", self::template(text, "/old place/guardian").value()).unwrap();
        let now = put(&earlier, template.value()).unwrap();
        assert_eq!(now, put("", template.value()).unwrap());
    }
}

#[test]
fn a_person_may_add_to_guardians_server_and_to_its_group_of_hooks() {
    let old = r#"{"mcpServers":{"guardian":{"command":"/old/guardian","args":["mcp"],"env":{"A":"1"}}}}"#;
    let now = value(&put(old, servers().value()).unwrap());
    assert_eq!(now["mcpServers"]["guardian"]["env"]["A"], "1");
    assert_eq!(now["mcpServers"]["guardian"]["command"], "/opt/guardian");
    let mixed = r#"{"hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"command":"guardian hook codex"},{"command":"lint"}]}]}}"#;
    let rest = take(mixed, hooks().value()).unwrap().unwrap();
    assert_eq!(value(&rest)["hooks"]["PreToolUse"][0]["hooks"], value(r#"[{"command":"lint"}]"#));
    let now = value(&put(mixed, hooks().value()).unwrap());
    assert_eq!(now["hooks"]["PreToolUse"].as_array().unwrap().len(), 2);
}

#[test]
fn programs_that_only_sound_like_guardian_are_not_guardian() {
    for command in ["guardian-of-tests hook", "echo guardian hook", "guardian status", "run 'guardian hook'"] {
        let old = format!("{{\"hooks\":{{\"PreToolUse\":[{{\"hooks\":[{{\"command\":{command:?}}}]}}]}}}}");
        assert_eq!(take(&old, hooks().value()).unwrap().as_deref(), Some(old.as_str()), "{command}");
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    for (text, says) in [
        ("{", "is not valid JSON"),
        ("garbage", "is not valid JSON"),
        ("{\"a\": 1 \"b\": 2}", "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ("\"text\"", "is not a JSON object"),
        ("{\"hooks\": []}", "`hooks` that is not an object"),
        ("{\"hooks\": {\"PreToolUse\": {}}}", "`hooks.PreToolUse` that is not a list"),
    ] {
        assert!(put(text, hooks().value()).unwrap_err().what.contains(says), "{text}");
    }
    let other = r#"{"mcpServers":{"guardian":{"command":"npx","args":["guardian"]}}}"#;
    assert!(put(other, servers().value()).unwrap_err().what.contains("another server as `mcpServers.guardian`"));
    assert_eq!(take(other, servers().value()).unwrap().as_deref(), Some(other));
}
