//! The walk over a command: which shells it opens, what each starts, and what is left when it is done.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is the parser's; most of it is arithmetic and words without code"
)]

use std::collections::BTreeMap;

use rable::{Node, NodeKind};

use super::detail::{self, Source, Unwrapped, raw, unwrap, words_of};
use super::endings::Targets;
use super::jobs::{Shell, Tie};
use super::known::Known;
use super::lists::{chains, given, is_address, prints};
use super::words::{Arg, substitutions, typed, unquote};
use super::{Launch, advice, parse};

/// Texts inside of texts are followed this deep.
const DEEPEST: usize = 8;
/// So many texts inside of a command are read, all together.
const MOST_TEXTS: usize = 256;
/// So many commands that end others are believed: each looks at all that was found.
const MOST_ENDINGS: usize = 64;
/// So many launches are described; of more only the number counts.
const MOST_DESCRIBED: usize = 32;

/// What is known all along the walk.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// What was found; `None`: something that the command itself ends later.
    found: Vec<Option<Launch>>,
    pub(super) functions: BTreeMap<String, Node>,
    pub(super) known: Known,
    /// The functions and aliases that the walk is in.
    pub(super) calling: Vec<String>,
    depth: usize,
    texts: usize,
    endings: usize,
    described: usize,
}

impl Walk {
    /// All that a command would leave running.
    pub(super) fn of(command: &str, nodes: &[Node]) -> Vec<Launch> {
        let mut walk = Self::default();
        let mut shell = Shell::default();
        walk.list(nodes, &mut shell, Source { text: Some(command), top: true });
        walk.close(shell);
        walk.found.into_iter().flatten().collect()
    }

    pub(super) fn push(&mut self, launch: Launch) {
        self.found.push(Some(launch));
    }

    /// Those that were found and are meant are ended by the command itself.
    pub(super) fn end(&mut self, is_meant: impl Fn(&Launch) -> bool) {
        self.endings += 1;
        if self.endings > MOST_ENDINGS {
            return;
        }
        for found in &mut self.found {
            found.take_if(|launch| is_meant(launch));
        }
    }

    fn list(&mut self, nodes: &[Node], shell: &mut Shell, source: Source<'_>) {
        let chains = chains(nodes.iter());
        for (index, chain) in chains.iter().enumerate() {
            if chain.background && !is_address(chain, chains.get(index + 1)) {
                self.job(&chain.commands, shell, source);
            } else {
                for node in &chain.commands {
                    self.node(node, shell, source);
                }
            }
        }
    }

    /// `chain &`.
    fn job(&mut self, chain: &[&Node], shell: &mut Shell, source: Source<'_>) {
        let before = self.found.len();
        let mut own = Shell::default();
        for node in chain {
            self.node(node, &mut own, source);
        }
        self.close(own);
        let inside: Vec<Launch> = self.found.split_off(before).into_iter().flatten().collect();
        if detail::is_guardians(chain) && inside.is_empty() {
            return shell.start(None, Tie::Child);
        }
        // What leaves the job is not brought back by waiting for the job.
        let how = inside.first().map_or("&", |launch| launch.how.as_str());
        let is_plain = matches!(chain, [node] if matches!(node.kind, NodeKind::Command { .. }));
        let tie = match inside.as_slice() {
            [] => Tie::Child,
            [only] if is_plain && only.how == "nohup" => Tie::Kept,
            _ => Tie::None,
        };
        let launch = self.describe(how, chain, source);
        shell.start(Some(launch), tie);
    }

    fn describe(&mut self, how: &str, chain: &[&Node], source: Source<'_>) -> Launch {
        self.described += 1;
        if self.described > MOST_DESCRIBED {
            return Launch { how: how.to_owned(), ..Launch::default() };
        }
        detail::of_chain(how, chain, source)
    }

    /// The end of a shell: its traps run, and what it did not wait for is left.
    fn close(&mut self, mut shell: Shell) {
        for code in std::mem::take(&mut shell.traps) {
            self.text(&code, &mut shell);
        }
        self.found.extend(shell.left().map(Some));
    }

    /// Another shell, for code in the same text.
    fn subshell(&mut self, node: &Node, source: Source<'_>) {
        let mut own = Shell::default();
        self.node(node, &mut own, source);
        self.close(own);
    }

    /// Whether one more text is read.
    pub(super) fn may_read(&mut self) -> bool {
        self.texts += 1;
        self.texts <= MOST_TEXTS
    }

    /// Code in a text of its own, run by `shell`.
    pub(super) fn text(&mut self, code: &str, shell: &mut Shell) {
        if self.depth >= DEEPEST || !self.may_read() {
            return;
        }
        // A text that cannot be read is not run either, or is another language.
        if let Ok(nodes) = parse(code) {
            self.depth += 1;
            self.list(&nodes, shell, Source { text: Some(code), top: false });
            self.depth -= 1;
        }
    }

    /// Code in a text of its own, run by another shell.
    pub(super) fn other_text(&mut self, code: &str) {
        let mut own = Shell::default();
        self.text(code, &mut own);
        self.close(own);
    }

    fn all<'a>(&mut self, nodes: impl IntoIterator<Item = &'a Node>, shell: &mut Shell, source: Source<'_>) {
        for node in nodes {
            self.node(node, shell, source);
        }
    }

    pub(super) fn node(&mut self, node: &Node, shell: &mut Shell, source: Source<'_>) {
        match &node.kind {
            NodeKind::List { .. } => self.list(std::slice::from_ref(node), shell, source),
            NodeKind::Command { .. } => self.command(node, None, shell, source),
            NodeKind::Pipeline { commands, .. } => self.pipeline(commands, shell, source),
            NodeKind::If { condition, then_body, else_body, redirects } => {
                self.all([condition.as_ref(), then_body.as_ref()], shell, source);
                self.all(else_body.as_deref().into_iter().chain(redirects), shell, source);
            }
            NodeKind::While { condition, body, redirects } | NodeKind::Until { condition, body, redirects } => {
                shell.loops += 1;
                self.all([condition.as_ref(), body.as_ref()], shell, source);
                shell.loops -= 1;
                self.all(redirects, shell, source);
            }
            NodeKind::For { words, body, redirects, .. } | NodeKind::Select { words, body, redirects, .. } => {
                self.all(words.iter().flatten(), shell, source);
                shell.loops += 1;
                self.node(body, shell, source);
                shell.loops -= 1;
                self.all(redirects, shell, source);
            }
            NodeKind::ForArith { body, redirects, .. } => {
                shell.loops += 1;
                self.node(body, shell, source);
                shell.loops -= 1;
                self.all(redirects, shell, source);
            }
            NodeKind::Case { word, patterns, redirects } => {
                let bodies = patterns.iter().filter_map(|pattern| pattern.body.as_ref());
                self.all([word.as_ref()].into_iter().chain(bodies).chain(redirects), shell, source);
            }
            NodeKind::Function { name, body } => {
                self.functions.insert(name.clone(), body.as_ref().clone());
            }
            NodeKind::Subshell { body, redirects } => {
                self.subshell(body, source);
                self.all(redirects, shell, source);
            }
            NodeKind::BraceGroup { body, redirects } | NodeKind::ConditionalExpr { body, redirects } => {
                self.all([body.as_ref()].into_iter().chain(redirects), shell, source);
            }
            NodeKind::Coproc { command, .. } => {
                let launch = self.describe("coproc", &[command.as_ref()], source);
                shell.start(Some(Launch { place: None, ..launch }), Tie::Child);
                self.subshell(command, source);
            }
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => self.node(pipeline, shell, source),
            NodeKind::Redirect { target, .. } => self.node(target, shell, source),
            NodeKind::HereDoc { content, quoted: false, .. } => self.expansions(content),
            NodeKind::CondTerm { value, .. } => self.expansions(value),
            NodeKind::ParamExpansion { arg: Some(arg), .. } | NodeKind::ParamIndirect { arg: Some(arg), .. } => {
                self.expansions(arg);
            }
            NodeKind::Word { value, parts, .. } => self.word(value, parts, shell),
            NodeKind::Array { elements } => self.all(elements, shell, source),
            NodeKind::CondAnd { left, right }
            | NodeKind::CondOr { left, right }
            | NodeKind::BinaryTest { left, right, .. } => self.all([left.as_ref(), right.as_ref()], shell, source),
            NodeKind::CondNot { operand } | NodeKind::UnaryTest { operand, .. } => self.node(operand, shell, source),
            NodeKind::CondParen { inner } => self.node(inner, shell, source),
            _ => {} // words without code, and arithmetic
        }
    }

    /// What a word has the shell run.
    fn word(&mut self, value: &str, parts: &[Node], shell: &mut Shell) {
        for part in parts {
            match &part.kind {
                NodeKind::CommandSubstitution { command, .. } | NodeKind::ProcessSubstitution { command, .. } => {
                    let before = self.found.len();
                    self.subshell(command, Source { text: None, top: false });
                    // Found without the text that it stands in: once more with it, if that is plain to see.
                    if self.found.len() > before && self.depth < DEEPEST && self.described <= MOST_DESCRIBED {
                        let texts = substitutions(&value.replace("<(", "$(").replace(">(", "$("));
                        let inner =
                            texts.iter().find(|text| parse(text).is_ok_and(|nodes| nodes == [(**command).clone()]));
                        if let Some(inner) = inner {
                            self.found.truncate(before);
                            self.other_text(inner);
                        }
                    }
                }
                NodeKind::WordLiteral { .. } => {}
                _ => self.node(part, shell, Source { text: None, top: false }),
            }
        }
    }

    /// Code in a text that is none itself.
    fn expansions(&mut self, text: &str) {
        if text.contains("$(") || text.contains('`') {
            for code in substitutions(text) {
                self.other_text(&code);
            }
        }
    }

    /// Each command of a pipeline has a shell of its own. What one prints, where that is plain to see, the next one reads.
    fn pipeline(&mut self, commands: &[Node], shell: &mut Shell, source: Source<'_>) {
        let mut printed = None;
        for node in commands {
            // `jobs -p | xargs kill`, `lsof -ti:3000 | xargs kill`: whom it means only the machine knows.
            if words_of(node).is_some_and(|argv| {
                argv.len() > 1
                    && unwrap(&argv).program().first().is_some_and(|name| name.base() == "kill")
                    && argv.first().is_some_and(|name| name.base() == "xargs")
            }) {
                self.end_named(&Targets::Any, shell);
            }
            let mut own = Shell::default();
            match node.kind {
                NodeKind::Command { .. } => self.command(node, printed.clone(), &mut own, source),
                _ => self.node(node, &mut own, source),
            }
            self.close(own);
            printed = prints(node, printed);
        }
    }

    fn command(&mut self, node: &Node, input: Option<String>, shell: &mut Shell, source: Source<'_>) {
        let NodeKind::Command { assignments, words, redirects } = &node.kind else { return };
        self.all(assignments.iter().chain(words).chain(redirects), shell, source);
        for assignment in assignments.iter().chain(words).filter_map(raw) {
            shell.assign(assignment);
            if let Some((name, value)) = assignment.split_once('=') {
                self.known.assign(name, unquote(value));
            }
        }
        self.note_written(node, redirects, input.clone());
        let input = redirects.iter().rev().find_map(given).or(input);
        let argv = words_of(node).unwrap_or_default();
        let unwrapped = unwrap(&argv);
        let Some(how) = unwrapped.how.clone() else { return self.meant(&argv, &unwrapped, input, shell) };
        if unwrapped.program().first().is_some_and(|name| name.base() == "guardian") {
            return;
        }
        let mut launch = self.describe(&how, &[node], source);
        if let (true, Some(line)) = (unwrapped.kept.is_empty(), input) {
            launch.instead = advice::of_line(line.trim(), &[]);
            launch.place = None;
        }
        self.push(launch);
    }

    /// A command that is no launch as it is written: one whose variables say so, or a program of its own.
    fn meant(&mut self, argv: &[Arg], unwrapped: &Unwrapped, input: Option<String>, shell: &mut Shell) {
        if !argv.iter().any(|arg| arg.raw.contains('$')) {
            return self.program(unwrapped.program(), input, shell);
        }
        let meant = unwrap(&self.known.expanded(argv));
        let program = meant.program();
        match &meant.how {
            Some(_) if program.first().is_some_and(|name| name.base() == "guardian") => {}
            Some(how) => self.push(Launch {
                how: how.clone(),
                text: typed(argv),
                program: typed(&meant.kept),
                instead: (!meant.kept.is_empty()).then(|| advice::of_words(&meant.kept, program)),
                ..Launch::default()
            }),
            None if program.first() == unwrapped.program().first() => self.program(unwrapped.program(), input, shell),
            None => self.program(program, input, shell),
        }
    }

    /// `echo TEXT > FILE`, `cat > FILE <<END`, `tee FILE <<END`.
    fn note_written(&mut self, node: &Node, redirects: &[Node], input: Option<String>) {
        let Some(content) = prints(node, input) else { return };
        for redirect in redirects {
            if let NodeKind::Redirect { op, target, .. } = &redirect.kind
                && let (Some(path), ">" | ">>" | ">|") = (raw(target), op.as_str())
            {
                self.known.write(&unquote(path), content.clone(), op == ">>");
            }
        }
        let argv = words_of(node).unwrap_or_default();
        let files = argv.split_first().filter(|(name, _)| name.text == "tee").map_or(&[][..], |(_, files)| files);
        for file in files.iter().filter(|file| !file.text.starts_with('-')) {
            self.known.write(&file.text, content.clone(), false);
        }
    }
}
