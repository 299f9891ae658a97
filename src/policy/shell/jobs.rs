//! The background jobs of one shell, and which of them it waits for or ends itself.
//!
//! Whoever waits under a condition is believed: the job is meant to end with the command.

use std::collections::BTreeMap;

use super::Launch;
use super::endings::Targets;
use super::words::Arg;

/// What a shell can still do with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// Wait for it, and end it.
    Child,
    /// End it; `nohup` and `disown` say that nobody is to wait for it.
    Kept,
    /// Nothing: what goes on is another process than the job.
    None,
}

/// One job.
#[derive(Debug)]
struct Job {
    launch: Option<Launch>,
    tie: Tie,
    waited: bool,
    killed: bool,
}

/// One shell: what it started, and how it names it.
#[derive(Debug, Default)]
pub(super) struct Shell {
    jobs: Vec<Job>,
    /// Variables that hold `$!` of a job.
    pids: BTreeMap<String, usize>,
    /// Code for the end of the shell.
    pub(super) traps: Vec<String>,
    /// How many loops the walk is in.
    pub(super) loops: usize,
}

impl Shell {
    /// A new job; `None`: one that may stay.
    pub(super) fn start(&mut self, launch: Option<Launch>, tie: Tie) {
        self.jobs.push(Job { launch, tie, waited: false, killed: false });
    }

    /// `NAME=$!`, remembered.
    pub(super) fn assign(&mut self, assignment: &str) {
        let Some((name, value)) = assignment.split_once('=') else { return };
        let value = value.trim_matches('"');
        if let (true, Some(last)) = (matches!(value, "$!" | "${!}"), self.jobs.len().checked_sub(1)) {
            self.pids.insert(name.to_owned(), last);
        }
    }

    /// `wait ARGS`.
    pub(super) fn wait(&mut self, args: &[Arg]) {
        let next = args.iter().any(|arg| arg.text == "-n");
        let operands: Vec<&Arg> = args.iter().filter(|arg| !arg.text.starts_with('-')).collect();
        if operands.is_empty() && next && self.loops == 0 {
            if let Some(job) = self.jobs.iter_mut().find(|job| !job.waited) {
                job.waited = true;
            }
        } else if operands.is_empty() {
            self.waited(0..self.jobs.len());
        }
        for operand in operands {
            self.waited(self.meant(&operand.text));
        }
    }

    /// `kill ARGS`; asking whether one lives ends nobody. Whether it may mean more than this shell's jobs.
    pub(super) fn kill(&mut self, args: &[Arg]) -> bool {
        let mut more = false;
        let mut args = args.iter().map(|arg| arg.text.as_str());
        while let Some(arg) = args.next() {
            match arg {
                "-0" | "-l" | "-L" => return false,
                "-s" | "-n" => drop(args.next()),
                "0" => self.killed(0..self.jobs.len()),
                group if group.starts_with("-$") || group.starts_with("-%") => {
                    self.killed(self.meant(group.strip_prefix('-').unwrap_or(group)));
                }
                other if other.starts_with('-') => {}
                other => {
                    more |= other.contains(['$', '`']) && !self.is_known(other);
                    self.killed(self.meant(other));
                }
            }
        }
        more
    }

    /// `pkill WORD`, `killall NAME` and their like.
    pub(super) fn kill_named(&mut self, targets: &Targets<'_>) {
        for job in &mut self.jobs {
            job.killed |= job.launch.as_ref().is_some_and(|launch| targets.mean(launch));
        }
    }

    /// `fg`: the last job is in the foreground again.
    pub(super) fn foreground(&mut self) {
        self.waited(self.meant("%%"));
    }

    /// `disown ARGS`: these are nobody's jobs any more.
    pub(super) fn disown(&mut self, args: &[Arg]) {
        let all = args.iter().any(|arg| matches!(arg.text.as_str(), "-a" | "-r" | "-ar"));
        let named = args.iter().find(|arg| !arg.text.starts_with('-')).map(|arg| self.meant(&arg.text));
        let range = if all { 0..self.jobs.len() } else { named.unwrap_or_else(|| self.meant("%%")) };
        for job in self.jobs.get_mut(range).unwrap_or_default() {
            if job.tie == Tie::Child {
                job.tie = Tie::Kept;
            }
            if let Some(launch) = &mut job.launch {
                "disown".clone_into(&mut launch.how);
            }
        }
    }

    fn waited(&mut self, range: std::ops::Range<usize>) {
        for job in self.jobs.get_mut(range).unwrap_or_default() {
            job.waited = true;
        }
    }

    fn killed(&mut self, range: std::ops::Range<usize>) {
        for job in self.jobs.get_mut(range).unwrap_or_default() {
            job.killed |= job.tie != Tie::None;
        }
    }

    /// Whether a word names one job of this shell.
    fn is_known(&self, word: &str) -> bool {
        let name = word.trim_start_matches("${").trim_start_matches('$').trim_end_matches('}');
        matches!(word, "$!" | "${!}" | "$$") || self.pids.contains_key(name)
    }

    /// The jobs that a word of `wait` or `kill` means; what cannot be known may be any.
    fn meant(&self, word: &str) -> std::ops::Range<usize> {
        let count = self.jobs.len();
        let one = |index: usize| index..(index + 1).min(count);
        let variable =
            word.strip_prefix("${").and_then(|name| name.strip_suffix('}')).or_else(|| word.strip_prefix('$'));
        match (word, variable) {
            ("$!" | "${!}" | "%" | "%%" | "%+", _) => one(count.saturating_sub(1)),
            ("%-", _) => one(count.saturating_sub(2)),
            (_, Some(name)) => self.pids.get(name).map_or(0..count, |index| one(*index)),
            (word, None) => match word.strip_prefix('%').map(str::parse::<usize>) {
                Some(Ok(number)) => one(number.saturating_sub(1).min(count)),
                Some(Err(_)) => 0..count,
                None if word.contains(['$', '`']) => 0..count,
                None => 0..0,
            },
        }
    }

    /// What is left when the shell is done.
    pub(super) fn left(self) -> impl Iterator<Item = Launch> {
        self.jobs
            .into_iter()
            .filter(|job| !job.killed && (job.tie != Tie::Child || !job.waited))
            .filter_map(|job| job.launch)
    }
}
