//! What a launch that was found is called, and what to write instead of it.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is the parser's; most of it is arithmetic and words without code"
)]

use rable::{Node, NodeKind};

use super::words::{Arg, typed};
use super::{Launch, advice, launchers, wrappers};

/// The text that a node comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// `None`: not known, only the nodes are.
    pub(super) text: Option<&'a str>,
    /// Whether it is the command itself, and not a text inside of it.
    pub(super) top: bool,
}

impl<'a> Source<'a> {
    /// The text from one node to another.
    fn slice(self, first: &Node, last: &Node) -> Option<&'a str> {
        let text = self.text?;
        let byte = |at: usize| text.char_indices().map(|(byte, _)| byte).chain([text.len()]).nth(at);
        text.get(byte(first.span.start)?..byte(last.span.end)?)
    }
}

/// Shell commands that prepare what comes after them in the same shell.
const SETUP: [&str; 9] = ["cd", "pushd", "source", ".", "export", "set", "mkdir", "touch", "umask"];
/// Wrappers that only a shell knows.
const OF_SHELL: [&str; 6] = ["exec", "command", "builtin", "time", "noglob", "nocorrect"];
/// More wrappers around each other than anybody writes.
const MOST_WRAPPERS: usize = 32;

/// A command without its wrappers.
#[derive(Debug, Default)]
pub(super) struct Unwrapped {
    /// What gave it away as a launch.
    pub(super) how: Option<String>,
    /// What would run in the foreground: wrappers that are not launchers, then the program.
    pub(super) kept: Vec<Arg>,
    /// Where in `kept` the program stands.
    pub(super) program: usize,
}

impl Unwrapped {
    /// The program with its arguments.
    pub(super) fn program(&self) -> &[Arg] {
        self.kept.get(self.program..).unwrap_or_default()
    }
}

/// Takes launchers off a command, and finds its program below all wrappers.
pub(super) fn unwrap(argv: &[Arg]) -> Unwrapped {
    let mut unwrapped = Unwrapped::default();
    let mut rest = argv.to_vec();
    for _ in 0..MOST_WRAPPERS {
        if rest.first().is_none_or(|name| name.base() == "guardian") {
            break;
        }
        if let Some(left) = launchers::sudo(&rest).or_else(|| launchers::left(&rest)) {
            unwrapped.how.get_or_insert(left.how.clone());
            rest = left.argv;
            if !left.inner && left.how != "sudo -b" {
                break;
            }
        } else if let Some(split) = wrappers::split(&rest) {
            rest = split;
        } else if let Some(length) = wrappers::length(&rest) {
            let own = rest.drain(..length).collect::<Vec<_>>();
            if !OF_SHELL.contains(&own.first().map_or("", Arg::base)) {
                unwrapped.kept.extend(own);
            }
        } else {
            break;
        }
    }
    unwrapped.program = unwrapped.kept.len();
    unwrapped.kept.extend(rest);
    unwrapped
}

/// The words of a simple command.
pub(super) fn words_of(node: &Node) -> Option<Vec<Arg>> {
    let NodeKind::Command { words, .. } = &node.kind else { return None };
    Some(words.iter().filter_map(raw).map(Arg::new).collect())
}

/// A word as it was written.
pub(super) fn raw(word: &Node) -> Option<&str> {
    if let NodeKind::Word { value, .. } = &word.kind { Some(value) } else { None }
}

/// Whether a chain asks nothing but guardian.
pub(super) fn is_guardians(chain: &[&Node]) -> bool {
    let programs: Vec<_> = chain.iter().map(|node| words_of(node).map(|argv| unwrap(&argv))).collect();
    let name = |unwrapped: &Option<Unwrapped>| {
        unwrapped.as_ref().and_then(|unwrapped| unwrapped.program().first()).map(|name| name.base().to_owned())
    };
    let names: Vec<_> = programs.iter().map(name).collect();
    let fits = |name: &Option<String>| name.as_deref().is_some_and(|name| name == "guardian" || SETUP.contains(&name));
    names.iter().all(fits) && names.iter().flatten().any(|name| name == "guardian")
}

/// The launch that `chain` (commands joined by `&&` and `||`) is.
pub(super) fn of_chain(how: &str, chain: &[&Node], source: Source<'_>) -> Launch {
    let mut launch = Launch { how: how.to_owned(), ..Launch::default() };
    let (Some(first), Some((last, setup))) = (chain.first(), chain.split_last()) else { return launch };
    let text = source.slice(first, last);
    text.unwrap_or_default().clone_into(&mut launch.text);
    launch.place = (source.top && text.is_some()).then_some((first.span.start, last.span.end));
    let prepares =
        |node: &&Node| words_of(node).is_some_and(|w| w.first().is_some_and(|w| SETUP.contains(&w.text.as_str())));
    let before = setup.first().zip(setup.last()).and_then(|(first, last)| source.slice(first, last));
    let line = match &last.kind {
        NodeKind::Subshell { body, .. } | NodeKind::BraceGroup { body, .. } if setup.is_empty() => {
            source.slice(body, body)
        }
        _ => text,
    };
    if let NodeKind::Command { redirects, assignments, .. } = &last.kind {
        let unwrapped = unwrap(&words_of(last).unwrap_or_default());
        launch.program = typed(&unwrapped.kept);
        launch.redirected = redirects.iter().any(is_output);
        let plain = redirects.iter().all(|redirect| is_output(redirect) || is_nothing(redirect));
        if plain && setup.iter().all(prepares) && (setup.is_empty() || before.is_some()) && !unwrapped.kept.is_empty() {
            let assigned = assignments.iter().filter_map(raw).map(Arg::new);
            let env = (!assignments.is_empty()).then(|| Arg::plain("env"));
            let argv: Vec<Arg> = env.into_iter().chain(assigned).chain(unwrapped.kept.iter().cloned()).collect();
            let run = advice::of_words(&argv, unwrapped.program());
            launch.instead = Some(before.map_or(run.clone(), |before| format!("{before} && {run}")));
            return launch;
        }
    }
    let named = words_of(last).or_else(|| first_words(last)).unwrap_or_default();
    let line = line.map(|line| line.trim().trim_end_matches([';', '&']).trim_end());
    let whole = line.filter(|line| !line.is_empty() && !line.contains("<<") && chain_needs_no_launcher(last));
    launch.instead = whole.and_then(|line| advice::of_line(line, unwrap(&named).program()));
    launch
}

/// Whether a line may be handed on as it is: what it launches itself has been taken off already, or is not there.
fn chain_needs_no_launcher(last: &Node) -> bool {
    words_of(last).is_none_or(|words| unwrap(&words).how.is_none())
}

/// The words of the first simple command in a compound one that does more than prepare.
fn first_words(node: &Node) -> Option<Vec<Arg>> {
    match &node.kind {
        NodeKind::Subshell { body, .. }
        | NodeKind::BraceGroup { body, .. }
        | NodeKind::While { body, .. }
        | NodeKind::Until { body, .. }
        | NodeKind::For { body, .. }
        | NodeKind::Time { pipeline: body, .. } => first_words(body),
        NodeKind::Pipeline { commands, .. } => commands.first().and_then(first_words),
        NodeKind::List { items } => items.iter().find_map(|item| {
            first_words(&item.command).filter(|words| !words.first().is_some_and(|w| SETUP.contains(&w.text.as_str())))
        }),
        _ => words_of(node).filter(|words| !words.is_empty()),
    }
}

/// `> file`, `2>&1`.
fn is_output(redirect: &Node) -> bool {
    let NodeKind::Redirect { op, .. } = &redirect.kind else { return false };
    matches!(op.as_str(), ">" | ">>" | ">|" | ">&" | "&>" | "&>>")
}

/// `< /dev/null`, `<&-`.
fn is_nothing(redirect: &Node) -> bool {
    let NodeKind::Redirect { op, target, .. } = &redirect.kind else { return false };
    let target = raw(target).unwrap_or_default();
    (op == "<" && target == "/dev/null") || (op.starts_with("<&") && target.trim_end_matches('-').is_empty())
}
