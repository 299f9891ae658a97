//! Which files of which agent, for the user and for a project.

use std::path::PathBuf;

use super::speak::Template;
use super::{Client, Form, Guardian, Place, Wrong, json};

const SKILL: &str = include_str!("../../../agents/claude/plugins/guardian/skills/guardian/SKILL.md");
const LAW: &str = include_str!("../../../agents/law.md");
const CLAUDE_HOOKS: &str = include_str!("../../../agents/claude/plugins/guardian/hooks/hooks.json");
const SERVERS: &str = include_str!("../../../agents/mcp.json");
const CODEX_HOOKS: &str = include_str!("../../../agents/codex/hooks.json");
const CURSOR_HOOKS: &str = include_str!("../../../agents/cursor/hooks.json");
const GEMINI_EXTENSION: &str = include_str!("../../../agents/gemini/gemini-extension.json");
const GEMINI_HOOKS: &str = include_str!("../../../agents/gemini/hooks.json");
const GEMINI_SETTINGS: &str = include_str!("../../../agents/gemini/settings.json");
const COPILOT_HOOKS: &str = include_str!("../../../agents/copilot/guardian.json");
const COPILOT_SERVERS: &str = include_str!("../../../agents/copilot/mcp.json");
const OPENCODE_PLUGIN: &str = include_str!("../../../agents/opencode/guardian.js");
const OPENCODE_CONFIG: &str = include_str!("../../../agents/opencode/opencode.json");
const OPENCLAW_PLUGIN: &str = include_str!("../../../agents/openclaw/guardian.mjs");
const OPENCLAW_CONFIG: &str = include_str!("../../../agents/openclaw/openclaw.json");

/// Keys that name MCP servers at the top of a configuration.
const OF_SERVERS: [&str; 2] = ["mcpServers", "mcp"];

/// Where configuration lies.
#[derive(Debug, Clone)]
pub struct Roots {
    /// The user's home directory.
    pub home: PathBuf,
    /// The project: where the command is given.
    pub project: PathBuf,
    /// `CLAUDE_CONFIG_DIR`.
    pub claude: Option<PathBuf>,
    /// `CODEX_HOME`.
    pub codex: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config: Option<PathBuf>,
    /// Whether this program has the command `mcp`.
    pub mcp: bool,
}

/// One file, and what is written into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The file.
    pub path: PathBuf,
    /// What is written.
    pub form: Form,
    /// What it is for, one word or two.
    pub what: &'static str,
}

/// The files of an agent.
///
/// # Errors
/// The agent has no configuration of that kind.
pub fn pieces(client: Client, place: Place, roots: &Roots, guardian: &Guardian) -> Result<Vec<Piece>, Wrong> {
    let maker = Maker { roots, guardian, place };
    Ok(match client {
        Client::ClaudeCode => maker.claude(),
        Client::Codex => maker.codex(),
        Client::Cursor => maker.cursor(),
        Client::Gemini => maker.gemini(),
        Client::Opencode => maker.opencode(),
        Client::Copilot => maker.copilot(),
        Client::Openclaw if place == Place::Project => {
            let what = "openclaw reads no configuration of a project";
            return Err(Wrong::new(what, "leave out --project: one gateway serves all that this user does"));
        }
        Client::Openclaw => maker.openclaw()?,
        Client::AgentsMd if place == Place::User => {
            let what = "AGENTS.md belongs to a project";
            return Err(Wrong::new(what, "leave out --user, and give the command in the project's directory"));
        }
        Client::AgentsMd => {
            vec![Piece { path: roots.project.join("AGENTS.md"), form: Form::Block(LAW), what: "the rule" }]
        }
    })
}

struct Maker<'a> {
    roots: &'a Roots,
    guardian: &'a Guardian,
    place: Place,
}

impl Maker<'_> {
    /// A path below the user's home or the project.
    fn below(&self, user: &str, project: &str) -> PathBuf {
        match self.place {
            Place::User => self.roots.home.join(user),
            Place::Project => self.roots.project.join(project),
        }
    }

    fn template(&self, text: &str) -> Template {
        let template = Template::of(text, self.guardian);
        if self.roots.mcp { template } else { template.without(&OF_SERVERS) }
    }

    fn hooks(&self, path: PathBuf, text: &str) -> Piece {
        Piece { path, form: Form::Json(self.template(text)), what: "hooks" }
    }

    fn skill(path: PathBuf) -> Piece {
        Piece { path: path.join("guardian/SKILL.md"), form: Form::Whole(SKILL.to_owned()), what: "skill" }
    }

    /// A file that holds nothing but MCP servers of ours and others'.
    fn servers(&self, path: PathBuf, text: &str) -> Option<Piece> {
        self.roots.mcp.then(|| Piece { path, form: Form::Json(self.template(text)), what: "MCP server" })
    }

    fn claude(&self) -> Vec<Piece> {
        let home = &self.roots.home;
        let dir = match (self.place, &self.roots.claude) {
            (Place::User, Some(dir)) => dir.clone(),
            (Place::User, None) => home.join(".claude"),
            (Place::Project, _) => self.roots.project.join(".claude"),
        };
        let servers = match (self.place, &self.roots.claude) {
            (Place::User, Some(dir)) => dir.join(".claude.json"),
            (Place::User, None) => home.join(".claude.json"),
            (Place::Project, _) => self.roots.project.join(".mcp.json"),
        };
        let mut pieces = vec![self.hooks(dir.join("settings.json"), CLAUDE_HOOKS)];
        pieces.extend(self.servers(servers, SERVERS));
        pieces.push(Self::skill(dir.join("skills")));
        pieces
    }

    fn codex(&self) -> Vec<Piece> {
        let dir = match (self.place, &self.roots.codex) {
            (Place::User, Some(dir)) => dir.clone(),
            (Place::User, None) => self.roots.home.join(".codex"),
            (Place::Project, _) => self.roots.project.join(".codex"),
        };
        let mut pieces = vec![self.hooks(dir.join("hooks.json"), CODEX_HOOKS)];
        if self.roots.mcp {
            let form = Form::Toml(self.guardian.command(&["mcp"]));
            pieces.push(Piece { path: dir.join("config.toml"), form, what: "MCP server" });
        }
        pieces.push(Self::skill(self.below(".agents/skills", ".agents/skills")));
        pieces
    }

    fn cursor(&self) -> Vec<Piece> {
        let mut pieces = vec![self.hooks(self.below(".cursor/hooks.json", ".cursor/hooks.json"), CURSOR_HOOKS)];
        pieces.extend(self.servers(self.below(".cursor/mcp.json", ".cursor/mcp.json"), SERVERS));
        pieces
    }

    fn gemini(&self) -> Vec<Piece> {
        match self.place {
            Place::User => {
                let dir = self.roots.home.join(".gemini/extensions/guardian");
                // A template of ours is an object, so there is nothing that could be wrong with it.
                let extension = json::put("", self.template(GEMINI_EXTENSION).value()).unwrap_or_default();
                let path = dir.join("gemini-extension.json");
                vec![
                    Piece { path, form: Form::Whole(extension), what: "extension" },
                    self.hooks(dir.join("hooks/hooks.json"), GEMINI_HOOKS),
                    Self::skill(dir.join("skills")),
                ]
            }
            Place::Project => {
                let dir = self.roots.project.join(".gemini");
                vec![self.hooks(dir.join("settings.json"), GEMINI_SETTINGS), Self::skill(dir.join("skills"))]
            }
        }
    }

    fn opencode(&self) -> Vec<Piece> {
        let dir = match (self.place, &self.roots.config) {
            (Place::User, Some(dir)) => dir.join("opencode"),
            (Place::User, None) => self.roots.home.join(".config/opencode"),
            (Place::Project, _) => self.roots.project.join(".opencode"),
        };
        let config = match self.place {
            Place::User => dir.join("opencode.json"),
            Place::Project => self.roots.project.join("opencode.json"),
        };
        let plugin = Form::Whole(self.guardian.script(OPENCODE_PLUGIN));
        let mut pieces = vec![Piece { path: dir.join("plugin/guardian.js"), form: plugin, what: "plugin" }];
        pieces.extend(self.servers(config, OPENCODE_CONFIG));
        pieces.push(Self::skill(dir.join("skills")));
        pieces
    }

    fn copilot(&self) -> Vec<Piece> {
        let hooks = self.below(".copilot/hooks/guardian.json", ".github/hooks/guardian.json");
        let mut pieces = vec![self.hooks(hooks, COPILOT_HOOKS)];
        pieces.extend(self.servers(self.below(".copilot/mcp-config.json", ".github/mcp.json"), COPILOT_SERVERS));
        pieces.push(Self::skill(self.below(".copilot/skills", ".github/skills")));
        pieces
    }

    fn openclaw(&self) -> Result<Vec<Piece>, Wrong> {
        let dir = self.roots.home.join(".openclaw");
        let plugin = dir.join("guardian/guardian.mjs");
        let path = plugin.to_str().ok_or_else(|| {
            Wrong::new(format!("`{}` is not UTF-8, which JSON cannot hold", plugin.display()), "use another home")
        })?;
        let config = OPENCLAW_CONFIG.replace(r#""guardian.mjs""#, &serde_json::Value::from(path).to_string());
        Ok(vec![
            Piece { path: plugin.clone(), form: Form::Whole(self.guardian.script(OPENCLAW_PLUGIN)), what: "plugin" },
            Piece { path: dir.join("openclaw.json"), form: Form::Json(self.template(&config)), what: "configuration" },
            Self::skill(dir.join("skills")),
        ])
    }
}
