//! The background jobs of one shell, and which of them it waits for or ends itself.
//!
//! Whoever waits under a condition is believed: the job is meant to end with the command.

use std::collections::BTreeMap;

use super::Launch;
use super::words::Arg;

/// One job.
#[derive(Debug)]
struct Job {
    launch: Option<Launch>,
    /// Whether it leaves the shell, so that waiting does not bring it back.
    leaves: bool,
    ended: bool,
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
    pub(super) fn start(&mut self, launch: Option<Launch>, leaves: bool) {
        self.jobs.push(Job { launch, leaves, ended: false });
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
            if let Some(job) = self.jobs.iter_mut().find(|job| !job.ended) {
                job.ended = true;
            }
        } else if operands.is_empty() {
            self.end(0..self.jobs.len());
        }
        for operand in operands {
            self.end(self.meant(&operand.text));
        }
    }

    /// `kill ARGS`; asking whether one lives ends nobody.
    pub(super) fn kill(&mut self, args: &[Arg]) {
        let mut args = args.iter().map(|arg| arg.text.as_str());
        while let Some(arg) = args.next() {
            match arg {
                "-0" | "-l" | "-L" => return,
                "-s" | "-n" => drop(args.next()),
                "0" => self.end(0..self.jobs.len()),
                group if group.starts_with("-$") || group.starts_with("-%") => {
                    self.end(self.meant(group.strip_prefix('-').unwrap_or(group)));
                }
                other if other.starts_with('-') => {}
                other => self.end(self.meant(other)),
            }
        }
    }

    /// `pkill WORD`, `killall NAME`: those whose command has that word. `fuser -k` and `kill-port` go by something else.
    pub(super) fn kill_named(&mut self, base: &str, args: &[Arg]) {
        let options: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).filter(|arg| arg.starts_with('-')).collect();
        let by_word = matches!(base, "pkill" | "killall");
        if !by_word && (base != "fuser" || options.iter().any(|option| option.starts_with("-k") || *option == "--kill"))
        {
            return self.end_all();
        }
        if !by_word || options.contains(&"-0") {
            return;
        }
        if options.iter().any(|option| option.starts_with("-P")) {
            return self.end_all(); // its own children
        }
        let words: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).filter(|arg| !arg.starts_with('-')).collect();
        for job in &mut self.jobs {
            let command = job.launch.as_ref().map_or("", |launch| launch.text.as_str());
            // `[n]ode` is how one keeps from finding oneself.
            let meant =
                |word: &str| word.contains(['$', '`']) || command.contains(&word.replace(['[', ']', '^', '$'], ""));
            job.ended |= words.iter().any(|word| meant(word));
        }
    }

    /// All may be meant.
    pub(super) fn end_all(&mut self) {
        self.end(0..self.jobs.len());
    }

    /// `fg`: the last job is in the foreground again.
    pub(super) fn foreground(&mut self) {
        self.end(self.meant("%%"));
    }

    /// `disown ARGS`: these are nobody's jobs any more.
    pub(super) fn disown(&mut self, args: &[Arg]) {
        let all = args.iter().any(|arg| matches!(arg.text.as_str(), "-a" | "-r" | "-ar"));
        let named = args.iter().find(|arg| !arg.text.starts_with('-')).map(|arg| self.meant(&arg.text));
        let range = if all { 0..self.jobs.len() } else { named.unwrap_or_else(|| self.meant("%%")) };
        for job in self.jobs.get_mut(range).unwrap_or_default() {
            job.leaves = true;
            if let Some(launch) = &mut job.launch {
                "disown".clone_into(&mut launch.how);
            }
        }
    }

    fn end(&mut self, range: std::ops::Range<usize>) {
        for job in self.jobs.get_mut(range).unwrap_or_default() {
            job.ended = true;
        }
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
        self.jobs.into_iter().filter(|job| job.leaves || !job.ended).filter_map(|job| job.launch)
    }
}
