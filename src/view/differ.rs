//! What is different in the surroundings of a run, compared with a run that was well.
//!
//! Only what is known of both is compared: unknown is no difference.

use crate::model::metadata::{CommandLine, FileFact, Git, Metadata};
use crate::model::time::Wall;

use super::words::{cut, strip_control};

/// Characters of a value that is shown.
const VALUE: usize = 60;
/// Characters of a command line that are shown before the place where it differs.
const CONTEXT: usize = 12;
/// Names of variables that are shown.
const NAMES: usize = 6;
/// Characters of a hash or commit that are shown.
const HASH: usize = 8;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which thing.
    pub what: String,
    /// What it was and is, as `old → new`, or in other words.
    pub how: String,
    /// Whether `how` quotes a command line, which does not go into messages.
    pub quotes: bool,
}

impl Difference {
    fn new(what: &str, old: &str, new: &str) -> Self {
        Self { what: what.to_owned(), how: format!("{} → {}", short(old), short(new)), quotes: false }
    }

    /// One short line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.what, self.how)
    }

    /// The same for a message that leaves this machine.
    #[must_use]
    pub fn brief(&self) -> String {
        if self.quotes { format!("another {}", self.what) } else { self.line() }
    }
}

/// What is different in `bad`, the most telling first.
#[must_use]
pub fn differences(good: &Metadata, bad: &Metadata) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut plain = |what: &str, old: &str, new: &str| {
        (old != new).then(|| Difference::new(what, old, new)).into_iter().for_each(|one| found.push(one));
    };
    plain("host", &good.host, &bad.host);
    plain("target", &good.target, &bad.target);
    plain("cwd", &good.cwd, &bad.cwd);
    let mut all: Vec<Difference> = command(&good.command, &bad.command).into_iter().collect();
    all.extend(git(good.git.as_ref(), bad.git.as_ref()));
    all.extend(file("program", good.program.as_ref(), bad.program.as_ref()));
    all.extend(file("file", good.input.as_ref(), bad.input.as_ref()));
    all.extend(environment(good.environment.as_deref(), bad.environment.as_deref()));
    all.append(&mut found);
    all.extend(limits(good, bad));
    all.extend(user(good, bad));
    if good.boot != bad.boot && good.host == bad.host {
        all.push(Difference {
            what: "boot".into(),
            how: "the machine was started anew between them".into(),
            quotes: false,
        });
    }
    if let (Some(old), Some(new)) = (&good.kernel, &bad.kernel)
        && old != new
    {
        all.push(Difference::new("kernel", old, new));
    }
    if good.guardian != bad.guardian {
        all.push(Difference::new("guardian", &good.guardian, &bad.guardian));
    }
    all
}

fn short(text: &str) -> String {
    cut(&strip_control(text), VALUE)
}

fn command(old: &CommandLine, new: &CommandLine) -> Option<Difference> {
    if old == new {
        return None;
    }
    // From a little before the first place that is another one: what stands before it says nothing.
    let (before, after) = (old.argv.join(" "), new.argv.join(" "));
    let same = before.chars().zip(after.chars()).take_while(|(old, new)| old == new).count();
    let fits = before.chars().count().max(after.chars().count()) <= VALUE;
    let skip = if fits { 0 } else { same.saturating_sub(CONTEXT) };
    let shown = |line: &str| {
        let begin = if skip > 0 { "…" } else { "" };
        format!("`{begin}{}`", short(&line.chars().skip(skip).take(VALUE * 2).collect::<String>()))
    };
    let how = match before == after {
        true => "another long command line".to_owned(),
        false => format!("{} → {}", shown(&before), shown(&after)),
    };
    Some(Difference { what: "command".to_owned(), how, quotes: true })
}

fn git(old: Option<&Git>, new: Option<&Git>) -> Vec<Difference> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    let mut found = Vec::new();
    if let (Some(before), Some(after)) = (&old.commit, &new.commit)
        && before != after
    {
        found.push(Difference::new("git commit", &head(before), &head(after)));
    }
    if let (Some(before), Some(after)) = (old.dirty, new.dirty)
        && before != after
    {
        let word = |dirty| if dirty { "changed files" } else { "clean" };
        found.push(Difference::new("git tree", word(before), word(after)));
    }
    found
}

fn head(hash: &str) -> String {
    hash.chars().take(HASH).collect()
}

fn file(what: &str, old: Option<&FileFact>, new: Option<&FileFact>) -> Option<Difference> {
    let (old, new) = (old?, new?);
    if old.path != new.path {
        return Some(Difference::new(what, &old.path, &new.path));
    }
    let (before, after) = (old.file.as_ref()?, new.file.as_ref()?);
    let how = match (&old.sha256, &new.sha256) {
        (Some(before), Some(after)) if before == after => return None,
        (Some(before), Some(after)) => format!("{} → {} (sha256)", head(before), head(after)),
        (_, _) if before == after => return None,
        // Without both hashes: touched, and so perhaps changed.
        (_, _) if before.mtime_ns == after.mtime_ns && before.size == after.size => return None,
        (_, _) => format!("{} bytes → {} bytes", before.size, after.size),
    };
    let changed = Wall(after.mtime_ns / 1_000_000_000 * 1000).to_string().replace(".000Z", "Z");
    let what = format!("{what} {}", short(&new.path));
    Some(Difference { what, how: format!("{how}, modified {changed}"), quotes: false })
}

fn environment(old: Option<&[String]>, new: Option<&[String]>) -> Vec<Difference> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    let missing = |from: &[String], within: &[String]| -> Vec<String> {
        // guardian's own follow from other things that are compared.
        from.iter().filter(|name| !within.contains(name) && !name.starts_with("GUARDIAN_")).cloned().collect()
    };
    let named = |names: &[String]| {
        let shown = names.iter().take(NAMES).map(|name| short(name)).collect::<Vec<_>>().join(", ");
        if names.len() > NAMES { format!("{shown} and {} more", names.len() - NAMES) } else { shown }
    };
    let (added, removed) = (missing(new, old), missing(old, new));
    [("env added", added), ("env removed", removed)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| Difference { what: what.to_owned(), how: named(&names), quotes: false })
        .collect()
}

fn limits(good: &Metadata, bad: &Metadata) -> Vec<Difference> {
    let word = |limit: &[Option<u64>; 2]| match limit {
        [Some(soft), _] => soft.to_string(),
        [None, _] => "unlimited".to_owned(),
    };
    let both = good.rlimits.iter().filter_map(|(name, old)| Some((name, old, bad.rlimits.get(name)?)));
    both.filter(|(_, old, new)| old[0] != new[0])
        .map(|(name, old, new)| Difference::new(&format!("limit {name}"), &word(old), &word(new)))
        .collect()
}

fn user(good: &Metadata, bad: &Metadata) -> Vec<Difference> {
    let mut found = Vec::new();
    let ids = [("user", good.uid, bad.uid), ("group", good.gid, bad.gid)];
    found.extend(
        ids.into_iter()
            .filter(|(_, old, new)| old != new)
            .map(|(what, old, new)| Difference::new(what, &old.to_string(), &new.to_string())),
    );
    if let (Some(old), Some(new)) = (&good.groups, &bad.groups)
        && old != new
    {
        let list = |groups: &[u32]| groups.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        found.push(Difference::new("groups", &list(old), &list(new)));
    }
    if good.umask != bad.umask {
        found.push(Difference::new("umask", &good.umask, &bad.umask));
    }
    found
}

#[cfg(test)]
#[path = "differ_tests.rs"]
mod tests;
