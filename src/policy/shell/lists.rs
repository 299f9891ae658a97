//! Lists of commands as chains, and what a single command plainly reads and prints.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is the parser's; most of it is arithmetic and words without code"
)]

use base64::Engine;
use rable::{ListOperator, Node, NodeKind};

use super::detail::{raw, words_of};
use super::parse;
use super::words::unquote;

/// Commands joined by `&&` and `||`.
pub(super) struct Chain<'a> {
    pub(super) commands: Vec<&'a Node>,
    /// Whether `&` ends it.
    pub(super) background: bool,
}

/// The chains of a list; lists in lists, as the parser builds them, are one.
pub(super) fn chains<'a>(nodes: impl DoubleEndedIterator<Item = &'a Node>) -> Vec<Chain<'a>> {
    let mut found = Vec::new();
    let mut open: Vec<&Node> = Vec::new();
    let mut left: Vec<(&Node, Option<ListOperator>)> =
        nodes.rev().map(|node| (node, Some(ListOperator::Semi))).collect();
    while let Some((node, after)) = left.pop() {
        if let NodeKind::List { items } = &node.kind {
            for (index, item) in items.iter().enumerate().rev() {
                let own = if index + 1 == items.len() { item.operator.or(after) } else { item.operator };
                left.push((&item.command, own));
            }
            continue;
        }
        if !matches!(node.kind, NodeKind::Empty | NodeKind::Comment { .. }) {
            open.push(node);
        }
        match after {
            Some(ListOperator::And | ListOperator::Or) => {}
            Some(ListOperator::Semi | ListOperator::Background) | None => {
                let background = after == Some(ListOperator::Background);
                let commands = std::mem::take(&mut open);
                if !commands.is_empty() {
                    found.push(Chain { commands, background });
                }
            }
        }
    }
    if !open.is_empty() {
        found.push(Chain { commands: open, background: false });
    }
    found
}

/// Whether the `&` is one of an address that nobody quoted: `curl http://host/?a=1&b=2`.
pub(super) fn is_address(chain: &Chain<'_>, next: Option<&Chain<'_>>) -> bool {
    let last = chain.commands.last().and_then(|node| words_of(node)).and_then(|words| words.last().cloned());
    let asks = |word: &str| {
        word.split_once('?').is_some_and(|(before, after)| before.contains(['.', ':', '/']) && after.contains('='))
    };
    let address =
        last.is_some_and(|word| word.raw.starts_with("http://") || word.raw.starts_with("https://") || asks(&word.raw));
    let next = next.and_then(|next| next.commands.first()).map(|next| match &next.kind {
        NodeKind::Pipeline { commands, .. } => commands.first().unwrap_or(next),
        _ => next,
    });
    let assigns = next.is_some_and(|node| {
        matches!(&node.kind, NodeKind::Command { assignments, .. } if !assignments.is_empty())
            && chain.commands.last().is_some_and(|last| last.span.end + 1 == node.span.start)
    });
    address && assigns
}

/// The text that a redirection gives to a command.
pub(super) fn given(redirect: &Node) -> Option<String> {
    match &redirect.kind {
        NodeKind::HereDoc { content, .. } => Some(content.clone()),
        NodeKind::Redirect { op, target, .. } if op == "<<<" => raw(target).map(unquote),
        _ => None,
    }
}

/// What a command prints, where that is plain to see; `input` is what it reads.
pub(super) fn prints(node: &Node, input: Option<String>) -> Option<String> {
    let NodeKind::Command { redirects, .. } = &node.kind else { return None };
    let argv = words_of(node)?;
    let (name, args) = argv.split_first()?;
    let read = || redirects.iter().find_map(given).or(input);
    match name.text.as_str() {
        "printf" if args.first().is_some_and(|format| format.text == "%s\\n") => {
            Some(args.iter().skip(1).map(|arg| arg.text.as_str()).collect::<Vec<_>>().join("\n"))
        }
        "echo" | "printf" => {
            let words =
                args.iter().skip_while(|arg| matches!(arg.text.as_str(), "-e" | "-n" | "-ne" | "--" | "%s\\n" | "%s"));
            Some(words.map(|arg| arg.text.replace("\\n", "\n")).collect::<Vec<_>>().join(" "))
        }
        "cat" if args.is_empty() => read(),
        "tee" => read(),
        "base64" if args.iter().all(|arg| matches!(arg.text.as_str(), "-d" | "-D" | "-di" | "--decode")) => {
            let text: String = read()?.chars().filter(|letter| !letter.is_whitespace()).collect();
            let decoded = base64::engine::general_purpose::STANDARD.decode(text).ok().filter(|_| !args.is_empty())?;
            String::from_utf8(decoded).ok()
        }
        _ => None,
    }
}

/// What a text that is nothing but `$(…)` or `<(…)` stands for, where that is plain to see.
pub(super) fn printed(text: &str) -> Option<String> {
    let inner = text.strip_prefix("$(").or_else(|| text.strip_prefix("<("))?.strip_suffix(')')?;
    let nodes = parse(inner).ok()?;
    let [node] = nodes.as_slice() else { return None };
    match &node.kind {
        NodeKind::Pipeline { commands, .. } => commands.iter().fold(None, |input, node| prints(node, input)),
        _ => prints(node, None),
    }
}
