//! JSON with other people's entries and comments: guardian's go in and out, and no other byte moves.

use super::json::{put, take};
use super::speak::{Guardian, Template};

const HOOKS: &str = r#"{"version":1,"hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"type":"command","command":"guardian hook codex","timeout":10}]}]}}"#;
const SERVERS: &str = r#"{"mcpServers":{"guardian":{"command":"guardian","args":["mcp"]}}}"#;

fn template(text: &str, program: &str) -> Template {
    Template::of(text, &Guardian { words: vec![program.to_owned()] })
}

fn hooks() -> Template {
    template(HOOKS, "/opt/guardian")
}

#[test]
fn what_was_there_keeps_its_bytes_and_twice_is_as_once() {
    let cases = [
        ("an empty object", "{}\n"),
        ("comments and a trailing comma", "// mine\n{\n  // theme\n  \"theme\": \"dark\", /* yes */\n}\n"),
        ("tabs", "{\n\t\"theme\": \"dark\"\n}\n"),
        ("no newline at the end", "{\"theme\":\"dark\"}"),
        ("windows", "{\r\n  \"theme\": \"dark\"\r\n}\r\n"),
        (
            "another's hook for the same event",
            "{\n  \"hooks\": {\n    \"PreToolUse\": [\n      // theirs\n      { \"matcher\": \"Bash\", \"hooks\": [{ \"type\": \"command\", \"command\": \"lint\" }] }\n    ]\n  }\n}\n",
        ),
        ("another event", "{\n  \"hooks\": {\n    \"Stop\": [{ \"hooks\": [] }]\n  }\n}\n"),
        ("a byte outside of ASCII", "{\n  \"name\": \"J\u{f6}rg \\u00e9\"\n}\n"),
    ];
    for (claim, old) in cases {
        let once = put(old, hooks().value()).unwrap();
        assert_ne!(once, old, "{claim}");
        assert!(once.contains("/opt/guardian hook codex"), "{claim}: {once}");
        assert_eq!(put(&once, hooks().value()).unwrap(), once, "{claim}");
        for line in old.lines().filter(|line| line.contains("//") || line.contains("theme") || line.contains("lint")) {
            assert!(once.contains(line.trim().trim_end_matches(['}', '{'])), "{claim}: `{line}` in {once}");
        }
        println!("{claim}:\n{once}---\n{:?}", take(&once, hooks().value()));
    }
}
