//! Which files of which agent, and the forms that are no JSON.

use std::path::PathBuf;

use super::{Client, Form, Guardian, Piece, Place, Roots, pieces};

fn roots() -> Roots {
    let path = |text: &str| PathBuf::from(text);
    Roots { home: path("/h"), project: path("/p"), claude: None, codex: None, config: None, mcp: true }
}

fn guardian() -> Guardian {
    Guardian { words: vec!["/opt/my tools/guardian".to_owned(), "--home".to_owned(), "/h/g".to_owned()] }
}

fn all() -> Vec<Piece> {
    let mut found = Vec::new();
    for client in Client::ALL {
        for place in [Place::User, Place::Project] {
            found.extend(pieces(client, place, &roots(), &guardian()).unwrap_or_default());
        }
    }
    found
}

#[test]
fn every_agent_has_a_place_and_every_piece_goes_in_once_and_out_again() {
    for client in Client::ALL {
        assert!(!pieces(client, client.usual_place(), &roots(), &guardian()).unwrap().is_empty(), "{client:?}");
        assert_eq!(Client::of(client.word()), Some(client));
    }
    assert_eq!(all().len(), 37);
    for piece in all() {
        let once = piece.form.put(None).unwrap();
        assert_eq!(piece.form.put(Some(&once)).unwrap(), once, "{}", piece.path.display());
        assert_eq!(piece.form.take(&once).unwrap(), None, "{}", piece.path.display());
        assert!(once.ends_with('\n'), "{}", piece.path.display());
        let speaks = !matches!(piece.form, Form::Block(_)) && !piece.path.ends_with("SKILL.md");
        assert_eq!(once.contains("/opt/my tools/guardian"), speaks, "{}: {once}", piece.path.display());
    }
}

#[test]
fn without_the_mcp_server_nothing_names_it() {
    for client in Client::ALL {
        let roots = Roots { mcp: false, ..roots() };
        for piece in pieces(client, client.usual_place(), &roots, &guardian()).unwrap() {
            let text = piece.form.put(None).unwrap();
            assert!(!text.contains("\"mcp\""), "{}: {text}", piece.path.display());
        }
    }
}

#[test]
fn directories_of_the_agents_own_are_obeyed_for_the_user_only() {
    let dir = |name: &str| Some(PathBuf::from(name));
    let roots = Roots { claude: dir("/c"), codex: dir("/x"), config: dir("/o"), ..roots() };
    let first = |client, place| pieces(client, place, &roots, &guardian()).unwrap()[0].path.display().to_string();
    assert_eq!(first(Client::ClaudeCode, Place::User), "/c/settings.json");
    assert_eq!(first(Client::ClaudeCode, Place::Project), "/p/.claude/settings.json");
    assert_eq!(first(Client::Codex, Place::User), "/x/hooks.json");
    assert_eq!(first(Client::Codex, Place::Project), "/p/.codex/hooks.json");
    assert_eq!(first(Client::Opencode, Place::User), "/o/opencode/plugin/guardian.js");
}

#[test]
fn a_table_of_toml_goes_in_beside_others_and_out_again() {
    let form = Form::Toml(guardian().command(&["mcp"]));
    for old in [
        "# mine\nmodel = \"gpt\" # the big one\n",
        "[mcp_servers.files] # theirs\ncommand = \"files\"\n\n[profiles.x]\na = 1\n",
        "model = 'x'\n\n[tui]\ntheme = \"dark\"",
    ] {
        let once = form.put(Some(old)).unwrap();
        assert!(once.contains("[mcp_servers.guardian]\ncommand = \"/opt/my tools/guardian\"\n"), "{once}");
        for line in old.lines() {
            assert!(once.lines().any(|found| found == line), "`{line}` in {once}");
        }
        assert_eq!(form.put(Some(&once)).unwrap(), once);
        let rest = form.take(&once).unwrap().unwrap();
        assert_eq!(rest.trim_end(), old.trim_end());
    }
    let mine = "[mcp_servers.guardian]\ncommand = \"/old/guardian\"\nargs = [\"mcp\"]\ntool_timeout_sec = 600 # mine\n";
    let now = form.put(Some(mine)).unwrap();
    assert!(now.contains("tool_timeout_sec = 600 # mine") && now.contains("/opt/my tools/guardian"), "{now}");
    for (text, says) in [
        ("model = ", "is not valid TOML: line 1"),
        ("a = 1\nb b\n", "is not valid TOML: line 2"),
        ("mcp_servers = 3\n", "`mcp_servers` that is no table"),
        ("[mcp_servers.guardian]\ncommand = \"npx\"\n", "another server as `mcp_servers.guardian`"),
    ] {
        assert!(form.put(Some(text)).unwrap_err().what.contains(says), "{text}");
    }
}

#[test]
fn a_marked_block_is_replaced_where_it_stands_and_never_there_twice() {
    let form = Form::Block("## Rule\n\nNew.\n");
    for old in ["# Mine\n\nText.\n", "# Mine\r\n\r\nText.\r\n", "one line\n"] {
        let once = form.put(Some(old)).unwrap();
        assert!(once.starts_with(old) && once.contains("New."), "{once}");
        assert_eq!(form.put(Some(&once)).unwrap(), once);
        assert_eq!(form.take(&once).unwrap().as_deref(), Some(old));
        let more = format!("{once}\nMore.\n");
        let other = Form::Block("## Rule\n\nNewer.\n").put(Some(&more)).unwrap();
        assert!(other.ends_with("\nMore.\n") && other.contains("Newer.") && !other.contains("New.\n"), "{other}");
        assert_eq!(other.matches("guardian: begin").count(), 1);
    }
    let once = form.put(Some("no newline")).unwrap();
    assert_eq!(form.take(&once).unwrap().as_deref(), Some("no newline\n"));
    let half = form.put(None).unwrap().replace("<!-- guardian: end -->", "");
    let twice = form.put(None).unwrap().repeat(2);
    for text in [half, twice] {
        assert!(form.put(Some(&text)).unwrap_err().what.contains("do not make one block"));
        assert!(form.take(&text).is_err());
    }
}

#[test]
fn a_file_of_somebody_elses_is_not_overwritten() {
    let form = Form::Whole("// Written by `guardian install --agent`\nnew\n".to_owned());
    assert!(form.put(Some("export const Guardian = 1;\n")).is_err());
    assert!(form.take("export const Guardian = 1;\n").is_err());
    assert!(form.put(Some("// Written by `guardian install --agent`\nold\n")).is_ok());
}

#[test]
fn the_skill_keeps_the_rules_of_skills() {
    let skill =
        all().into_iter().find(|piece| piece.path.ends_with("guardian/SKILL.md")).unwrap().form.put(None).unwrap();
    let (head, body) = skill.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(field("name:"), "guardian");
    assert!((1..=1024).contains(&field("description:").chars().count()));
    assert!(field("compatibility:").chars().count() <= 500);
    assert!(body.lines().count() < 100);
    for command in ["guardian run", "guardian wait", "guardian logs", "guardian why"] {
        assert!(body.contains(command), "{command}");
    }
}

#[test]
fn what_is_shipped_has_the_version_of_the_program() {
    for text in [
        include_str!("../../../agents/claude/plugins/guardian/.claude-plugin/plugin.json"),
        include_str!("../../../agents/gemini/gemini-extension.json"),
    ] {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
    }
}
