//! `install --agent` on files: what agents have of their own is kept, nothing is written by halves, and the hook answers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::home::{Home, Output, finish};

const AGENTS: [&str; 8] = ["claude-code", "codex", "cursor", "gemini", "opencode", "copilot", "openclaw", "agents-md"];

/// A project, and the user's own directory of a home.
struct Rig {
    home: Home,
    project: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let mut home = Home::new();
        let project = home.path("project");
        fs::create_dir(&project).unwrap();
        // What a project's files call is found on PATH.
        let bin = home.path("bin");
        fs::create_dir(&bin).unwrap();
        symlink(home.program(), bin.join("guardian")).unwrap();
        home.set_env("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
        Self { home, project }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.home.command(arguments);
        command.current_dir(&self.project);
        finish(command)
    }

    fn own(&self, path: &str) -> PathBuf {
        self.home.path("home").join(path)
    }

    /// Everything below the user's directory and the project: path → content.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut left = vec![self.home.path("home"), self.project.clone()];
        let mut found = BTreeMap::new();
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
        found
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// `install --agent NAME [PLACE]`, or another command about it.
fn about<'a>(command: &'a str, agent: &'a str, place: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![command, "--agent", agent];
    arguments.extend((!place.is_empty()).then_some(place));
    arguments.extend(more);
    arguments
}

#[test]
fn into_an_empty_home_and_out_again_leaves_nothing_and_twice_is_as_once() {
    let rig = Rig::new();
    for agent in AGENTS {
        for place in ["", "--project"] {
            if (agent, place) == ("openclaw", "--project") {
                rig.run(&about("install", agent, place, &[])).expect(2).complains("leave out --project");
                continue;
            }
            rig.run(&about("install", agent, place, &["--check"])).expect(1);
            let dry = rig.run(&about("install", agent, place, &["--dry-run"])).expect(0);
            assert!(dry.stdout.contains("\n+"), "{agent}: {}", dry.stdout);
            assert_eq!(rig.files(), BTreeMap::new(), "{agent} {place}: a dry run writes nothing");

            let said = rig.run(&about("install", agent, place, &[])).expect(0);
            assert!(!said.stderr.contains("did not refuse"), "{agent} {place}: {}", said.stderr);
            let once = rig.files();
            assert!(!once.is_empty());
            rig.run(&about("install", agent, place, &["--check"])).expect(0);
            let said = rig.run(&about("install", agent, place, &["--json"])).expect(0);
            let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!(said["changed"], false, "{said}");
            assert_eq!(said["files"].as_array().unwrap().len(), once.len());
            assert!(agent == "agents-md" || said["hook"]["refused"] == true, "{said}");
            assert_eq!(rig.files(), once, "{agent} {place}: twice is as once");

            rig.run(&about("uninstall", agent, place, &["--dry-run"])).expect(0);
            assert_eq!(rig.files(), once);
            rig.run(&about("uninstall", agent, place, &[])).expect(0);
            assert_eq!(rig.files(), BTreeMap::new(), "{agent} {place}: nothing is left");
            for dir in [rig.home.path("home"), rig.project.clone()] {
                assert_eq!(dir.read_dir().unwrap().count(), 0, "{agent} {place}: no directory is left");
            }
        }
    }
}

#[test]
fn for_the_user_the_very_program_and_home_are_named_and_for_a_project_no_path() {
    let rig = Rig::new();
    rig.run(&["install", "--agent", "claude-code"]).expect(0);
    rig.run(&["install", "--agent", "claude-code", "--project"]).expect(0);
    let settings = fs::read_to_string(rig.own(".claude/settings.json")).unwrap();
    assert!(settings.contains(rig.home.program().to_str().unwrap()), "{settings}");
    assert!(settings.contains(rig.home.root().to_str().unwrap()), "{settings}");
    let shared = fs::read_to_string(rig.project.join(".claude/settings.json")).unwrap();
    assert!(shared.contains("\"command\": \"guardian\"") && !shared.contains("--home"), "{shared}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(rig.own(".claude.json")), 0o600, "an agent may keep secrets there later");
}

#[test]
fn what_was_there_is_kept_to_the_byte() {
    let rig = Rig::new();
    let files = [
        (
            ".claude/settings.json",
            "{\n  \"model\": \"opus\",\n  \"hooks\": {\n    \"PreToolUse\": [\n      { \"matcher\": \"Bash\", \"hooks\": [{ \"type\": \"command\", \"command\": \"lint\" }] }\n    ]\n  }\n}\n",
        ),
        (
            ".claude.json",
            "{\n  \"numStartups\": 7,\n  \"mcpServers\": {\n    \"files\": { \"command\": \"files\" }\n  }\n}\n",
        ),
        (".codex/config.toml", "# mine\nmodel = \"gpt\" # big\n\n[mcp_servers.files]\ncommand = \"files\"\n"),
        (
            ".cursor/hooks.json",
            "{\n  \"version\": 1,\n  \"hooks\": {\n    \"stop\": [\n      { \"command\": \"say done\" }\n    ]\n  }\n}\n",
        ),
        (".config/opencode/opencode.json", "{\n  // mine\n  \"theme\": \"dark\",\n}\n"),
        (
            ".openclaw/openclaw.json",
            "// mine\n{\n  plugins: {\n    load: { paths: ['~/mine'] }, // one\n  },\n  gateway: { port: 18789 },\n}\n",
        ),
    ];
    for (path, text) in files {
        write(&rig.own(path), text);
        fs::set_permissions(rig.own(path), fs::Permissions::from_mode(0o640)).unwrap();
    }
    write(&rig.project.join("AGENTS.md"), "# Rules\n\n1. Test.\n");
    let before = rig.files();
    for agent in AGENTS {
        rig.run(&["install", "--agent", agent]).expect(0);
        rig.run(&["install", "--agent", agent, "--check"]).expect(0);
    }
    for (path, text) in files {
        let now = fs::read_to_string(rig.own(path)).unwrap();
        assert_ne!(now, text, "{path}");
        assert_eq!(fs::metadata(rig.own(path)).unwrap().permissions().mode() & 0o777, 0o640, "{path}");
    }
    for agent in AGENTS {
        rig.run(&["uninstall", "--agent", agent]).expect(0);
    }
    let text = |files: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeMap<PathBuf, String> {
        files.iter().map(|(path, bytes)| (path.clone(), String::from_utf8_lossy(bytes).into_owned())).collect()
    };
    assert_eq!(text(&rig.files()), text(&before));
}

#[test]
fn whatever_form_a_file_has_it_is_given_back_to_the_byte_unless_somebody_changed_it_since() {
    let rig = Rig::new();
    for text in [
        "",
        "\n",
        "{}",
        "{ }\n",
        "{\"a\":1,\"hooks\":{\"Stop\":[]},\"mcpServers\":{}}",
        "// mine\n{\n  \"hooks\": {}, /* none */\n}\n",
        "{\r\n  \"a\": [1,2,],\r\n  \"hooks\": {\"PreToolUse\": []}\r\n}\r\n",
        "\u{feff}{\n\t\"a\": 1e400\n}\n",
    ] {
        for (agent, path) in [
            ("claude-code", ".claude/settings.json"),
            ("cursor", ".cursor/mcp.json"),
            ("copilot", ".copilot/hooks/guardian.json"),
        ] {
            write(&rig.own(path), text);
            let before = rig.files();
            for _ in 0..2 {
                rig.run(&["install", "--agent", agent]).expect(0);
            }
            assert!(fs::read_to_string(rig.own(path)).unwrap().contains("guardian"), "{agent} {text:?}");
            rig.run(&["uninstall", "--agent", agent]).expect(0);
            assert_eq!(rig.files(), before, "{agent} {text:?}");
            fs::remove_file(rig.own(path)).unwrap();
        }
    }
    for text in ["\u{feff}model = \"x\"", "# mine\r\nmodel = \"x\"\r\n\r\n[mcp_servers.a]\r\ncommand=\"b\"\r\n"] {
        write(&rig.own(".codex/config.toml"), text);
        rig.run(&["install", "--agent", "codex"]).expect(0);
        let now = fs::read_to_string(rig.own(".codex/config.toml")).unwrap();
        assert!(now.starts_with(text.trim_end()), "{now:?}");
        rig.run(&["uninstall", "--agent", "codex"]).expect(0);
        assert_eq!(fs::read_to_string(rig.own(".codex/config.toml")).unwrap(), text);
    }
    let settings = rig.own(".claude/settings.json");
    write(&settings, "{}");
    rig.run(&["install", "--agent", "claude-code"]).expect(0);
    let now = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, now.replacen('{', "{\n  \"mine\": 1,", 1)).unwrap();
    rig.run(&["uninstall", "--agent", "claude-code"]).expect(0);
    let left = fs::read_to_string(&settings).unwrap();
    assert!(left.contains("\"mine\": 1") && !left.contains("guardian"), "{left}");
}

#[test]
fn a_file_that_is_read_only_stops_all_of_it_and_changes_nothing() {
    let rig = Rig::new();
    write(&rig.own(".claude.json"), "{}");
    fs::set_permissions(rig.own(".claude.json"), fs::Permissions::from_mode(0o444)).unwrap();
    let before = rig.files();
    rig.run(&["install", "--agent", "claude-code"]).expect(78).complains("is read-only");
    assert_eq!(rig.files(), before);
}

#[test]
fn a_file_that_cannot_be_read_stops_all_of_it_and_changes_nothing() {
    let rig = Rig::new();
    for (agent, path, garbage, says) in [
        ("claude-code", ".claude.json", "{ \"mcpServers\": ", "is not valid JSON"),
        ("claude-code", ".claude/settings.json", "[]", "is not a JSON object"),
        ("claude-code", ".claude/skills/guardian/SKILL.md", "my own skill", "was not written by guardian"),
        ("codex", ".codex/config.toml", "model = \n", "is not valid TOML: line 1"),
        ("cursor", ".cursor/hooks.json", "{\"hooks\": {\"stop\": 3}}", "`hooks.stop` that is not a list"),
        (
            "opencode",
            ".config/opencode/opencode.json",
            "{\"mcp\":{\"guardian\":{\"command\":[\"x\"]}}}",
            "another server",
        ),
    ] {
        write(&rig.own(path), garbage);
        let before = rig.files();
        let said = rig.run(&["install", "--agent", agent]).expect(78).complains(says).complains(path);
        assert!(said.stderr.contains("hint: ") && said.stderr.contains("nothing was changed"), "{}", said.stderr);
        assert_eq!(rig.files(), before, "{agent} {path}");
        fs::remove_file(rig.own(path)).unwrap();
    }
    fs::write(rig.own(".claude.json"), b"\xff\xfe{}").unwrap();
    rig.run(&["install", "--agent", "claude-code"]).expect(78).complains("is not UTF-8");
    assert_eq!(fs::read(rig.own(".claude.json")).unwrap(), b"\xff\xfe{}");
    fs::remove_file(rig.own(".claude.json")).unwrap();
    fs::create_dir(rig.own(".claude.json")).unwrap();
    rig.run(&["install", "--agent", "claude-code"]).expect(74).complains(".claude.json");
    assert!(!rig.own(".claude/settings.json").exists());
}

#[test]
fn a_symbolic_link_stays_one_and_one_that_leads_nowhere_is_an_error() {
    let rig = Rig::new();
    let real = rig.home.path("dotfiles/settings.json");
    write(&real, "{\n  \"model\": \"opus\"\n}\n");
    fs::create_dir(rig.own(".claude")).unwrap();
    let link = rig.own(".claude/settings.json");
    symlink(&real, &link).unwrap();
    rig.run(&["install", "--agent", "claude-code"]).expect(0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("PreToolUse"));
    assert_eq!(real.parent().unwrap().read_dir().unwrap().count(), 1, "no temporary file is left");
    rig.run(&["uninstall", "--agent", "claude-code"]).expect(0);
    assert_eq!(fs::read_to_string(&real).unwrap(), "{\n  \"model\": \"opus\"\n}\n");
    fs::remove_file(&real).unwrap();
    rig.run(&["install", "--agent", "claude-code"]).expect(74).complains("symbolic link");
}

#[test]
fn wrong_usage_is_said_and_a_directory_of_the_agents_own_is_obeyed() {
    let mut rig = Rig::new();
    rig.run(&["install", "--agent", "emacs"]).expect(2).complains("claude-code");
    rig.run(&["install", "--agent", "codex", "--user", "--project"]).expect(2);
    rig.run(&["install", "--agent", "codex", "--cron", "--dry-run"]).expect(2);
    // Where nothing may be written, should it be taken for a trigger after all.
    rig.run(&["install", "--cron", "--project", "--dry-run"]).expect(2);
    rig.run(&["uninstall", "--cron", "--user", "--dry-run"]).expect(2);
    rig.run(&["install", "--systemd", "--check", "--dry-run"]).expect(2);
    rig.run(&["install", "--agent", "codex", "--every", "5m"]).expect(2);
    rig.run(&["install", "--agent", "agents-md", "--user"]).expect(2).complains("leave out --user");
    let dir = rig.home.path("codex home");
    rig.home.set_env("CODEX_HOME", dir.to_str().unwrap());
    let said = rig.run(&["install", "--agent", "codex"]).expect(0);
    assert!(said.stdout.contains("/hooks"), "{}", said.stdout);
    assert!(dir.join("hooks.json").exists() && !rig.own(".codex").exists());
}

#[test]
fn a_dry_run_shows_no_lines_of_others() {
    let rig = Rig::new();
    write(&rig.own(".claude.json"), "{\n  \"token\": \"s3cret\",\n  \"mcpServers\": {}\n}\n");
    let said = rig.run(&["install", "--agent", "claude-code", "--dry-run"]).expect(0);
    assert!(said.stdout.contains("+      \"command\""), "{}", said.stdout);
    assert!(!said.stdout.contains("s3cret"), "{}", said.stdout);
}

#[test]
fn a_hook_that_does_not_refuse_is_said() {
    let rig = Rig::new();
    rig.home.write_registry("[hook]\nmode = \"warn\"\n");
    rig.run(&["install", "--agent", "gemini"]).expect(0).complains("did not refuse");
    rig.run(&["install", "--agent", "gemini", "--check"]).expect(1).complains("did not refuse");
}

#[test]
fn doctor_asks_the_hook_of_each_agent_that_was_set_up() {
    let rig = Rig::new();
    let agents = |more: &[&str]| -> Vec<(String, String)> {
        let said = rig.run(&[&["doctor", "--json"], more].concat());
        let said: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let checks = said["checks"].as_array().unwrap().iter().filter(|check| check["name"] == "agent");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        checks.map(|check| (text(&check["grade"]), text(&check["said"]))).collect()
    };
    assert_eq!(agents(&[]), []);
    rig.run(&["install", "--agent", "codex"]).expect(0);
    rig.run(&["install", "--agent", "agents-md"]).expect(0);
    let found = agents(&["--agent"]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].0 == "green" && found[0].1.starts_with("codex (user): its hook refuses"), "{found:?}");
    assert!(found[1].0 == "green" && found[1].1.starts_with("agents-md (project)"), "{found:?}");
    fs::remove_file(rig.own(".codex/config.toml")).unwrap();
    assert!(agents(&[])[0].1.contains("not as this guardian would write it"));
    rig.home.write_registry("[hook]\nmode = \"warn\"\n");
    let found = agents(&["--agent"]);
    assert!(found[0].0 == "red" && found[0].1.contains("did not refuse"), "{found:?}");
}

#[test]
fn the_plugins_of_opencode_and_openclaw_refuse_what_runs_past_guardian() {
    let rig = Rig::new();
    for agent in ["opencode", "openclaw"] {
        rig.run(&["install", "--agent", agent]).expect(0);
    }
    let opencode = rig.own(".config/opencode/plugin/guardian.mjs");
    fs::copy(rig.own(".config/opencode/plugin/guardian.js"), &opencode).unwrap();
    let script = rig.home.path("play.mjs");
    let openclaw = rig.own(".openclaw/guardian/guardian.mjs");
    let text = r#"
        const { Guardian } = await import(process.argv[2]);
        const hook = (await Guardian({}))["tool.execute.before"];
        const asked = async (command) => {
            try { await hook({ tool: "bash", sessionID: "s" }, { args: { command } }); return "passes"; }
            catch (error) { return error.message; }
        };
        console.log(await asked("ls"));
        console.log((await asked("nohup python3 bot.py &")).includes("guardian run"));
        const shell = { env: {} };
        await (await Guardian({}))["shell.env"]({ cwd: "/", sessionID: "s" }, shell);
        console.log(shell.env.OPENCODE_SESSION_ID);
        const plugin = (await import(process.argv[3])).default;
        let before;
        plugin.register({ on: (event, handler) => { if (event === "before_tool_call") before = handler; } });
        console.log(before({ toolName: "exec", params: { command: "ls" } }));
        console.log(before({ toolName: "read", params: { path: "x" } }));
        const refused = before({ toolName: "exec", params: { command: "nohup python3 bot.py &" } });
        console.log(refused.block, refused.blockReason.includes("guardian run"));
    "#;
    write(&script, text);
    let mut node = rig.home.other_command(Path::new("/usr/bin/env"));
    node.arg("node").args([&script, &opencode, &openclaw]);
    let said = finish(node).expect(0).stdout;
    assert_eq!(said, "passes\ntrue\ns\nundefined\nundefined\ntrue true\n");
}
