//! Options of an agent's command line that a resumed session needs to go on under the terms of the first: its model, its
//! configuration, what its user allowed and forbade. No prompt, no format of output, and nothing that is not listed here.

use crate::model::wake::Harness;

/// What stands behind an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    One,
    /// All words up to the next option.
    Many,
}

use Takes::{Many, Nothing, One};

const CLAUDE: &[(&str, Takes)] = &[
    ("--add-dir", Many),
    ("--agent", One),
    ("--allowed-tools", Many),
    ("--allowedTools", Many),
    ("--append-system-prompt", One),
    ("--bare", Nothing),
    ("--betas", Many),
    ("--dangerously-skip-permissions", Nothing),
    ("--disallowed-tools", Many),
    ("--disallowedTools", Many),
    ("--effort", One),
    ("--fallback-model", One),
    ("--mcp-config", Many),
    ("--model", One),
    ("--permission-mode", One),
    ("--plugin-dir", One),
    ("--restricted", Nothing),
    ("--safe-mode", Nothing),
    ("--setting-sources", One),
    ("--settings", One),
    ("--strict-mcp-config", Nothing),
    ("--system-prompt", One),
    ("--tools", Many),
];
const CODEX: &[(&str, Takes)] = &[
    ("--add-dir", One),
    ("--cd", One),
    ("--config", One),
    ("--dangerously-bypass-approvals-and-sandbox", Nothing),
    ("--dangerously-bypass-hook-trust", Nothing),
    ("--disable", One),
    ("--enable", One),
    ("--ignore-rules", Nothing),
    ("--ignore-user-config", Nothing),
    ("--local-provider", One),
    ("--model", One),
    ("--oss", Nothing),
    ("--profile", One),
    ("--sandbox", One),
    ("--skip-git-repo-check", Nothing),
    ("--strict-config", Nothing),
    ("-C", One),
    ("-c", One),
    ("-m", One),
    ("-p", One),
    ("-s", One),
];
const GEMINI: &[(&str, Takes)] = &[
    ("--approval-mode", One),
    ("--model", One),
    ("--sandbox", Nothing),
    ("--yolo", Nothing),
    ("-m", One),
    ("-s", Nothing),
    ("-y", Nothing),
];
const COPILOT: &[(&str, Takes)] = &[
    ("--add-dir", One),
    ("--allow-all-paths", Nothing),
    ("--allow-all-tools", Nothing),
    ("--allow-tool", One),
    ("--deny-tool", One),
    ("--model", One),
];
const OPENCODE: &[(&str, Takes)] = &[("--agent", One), ("--model", One), ("-m", One)];

/// Those of `arguments`, the first of which is the program, that a resumed session gets; each in one word where it can be, for
/// what stands behind them is not theirs.
#[must_use]
pub fn terms(harness: Harness, arguments: &[String]) -> Vec<String> {
    let known = match harness {
        Harness::Claude => CLAUDE,
        Harness::Codex => CODEX,
        Harness::Gemini => GEMINI,
        Harness::Copilot => COPILOT,
        Harness::Opencode => OPENCODE,
        Harness::Openclaw | Harness::Tmux => &[],
    };
    let mut found = Vec::new();
    let mut words = arguments.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let (name, given) = match word.split_once('=') {
            Some((name, value)) if word.starts_with("--") => (name, Some(value)),
            Some(_) | None => (word.as_str(), None),
        };
        let Some((_, takes)) = known.iter().find(|(option, _)| *option == name) else { continue };
        let most = match (takes, given) {
            (Nothing, _) | (_, Some(_)) => 0,
            (One, None) => 1,
            (Many, None) => usize::MAX,
        };
        if most == 0 {
            found.push(word.clone());
        }
        for _ in 0..most {
            let Some(value) = words.next_if(|word| *takes == One || !word.starts_with('-')) else { break };
            if name.starts_with("--") {
                found.push(format!("{name}={value}"));
            } else {
                found.extend([name.to_owned(), value.clone()]);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_allowed_and_chose_goes_on_and_the_prompt_does_not() {
        for (harness, line, want) in [
            (
                Harness::Claude,
                "claude -p go --allowedTools Bash(ls) Edit --model opus --output-format json --dangerously-skip-permissions",
                "--allowedTools=Bash(ls) --allowedTools=Edit --model=opus --dangerously-skip-permissions",
            ),
            (Harness::Claude, "claude --resume s0 --settings={} go", "--settings={}"),
            (Harness::Claude, "claude -p -- --model opus", ""),
            (
                Harness::Codex,
                "codex exec --skip-git-repo-check -c a.b=\"x\" --json -s workspace-write go -o f",
                "--skip-git-repo-check -c a.b=\"x\" -s workspace-write",
            ),
            (Harness::Codex, "codex --model", ""),
            (Harness::Copilot, "copilot -p go --allow-all-tools", "--allow-all-tools"),
            (Harness::Tmux, "tmux -c x", ""),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(terms(harness, &words).join(" "), want, "{line}");
        }
    }
}
