//! What guardian keeps on disk: room, owners and modes, states that can be read, logs, what the file system can do.

use crate::model::check::{Check, Grade};
use crate::model::units::human_size;

/// Less room than this on the disk of the state, in bytes, and nothing can be committed for much longer.
const LEAST_BYTES: u64 = 64 << 20;
/// Less room than this is little.
const LITTLE_BYTES: u64 = 1 << 30;
/// Fewer free inodes than this: each run and each notification is a file.
const LEAST_INODES: u64 = 1000;

/// Room on the disk at `path`, as bytes and inodes. `None`: it cannot be asked. 0 inodes: the file system does not count them.
#[must_use]
pub fn disk(found: Option<(u64, u64)>, path: &str) -> Check {
    const NAME: &str = "disk";
    match found {
        None => {
            Check::yellow(NAME, format!("how much room there is at `{path}` cannot be asked"), format!("df {path}"))
        }
        Some((bytes, _)) if bytes < LEAST_BYTES => {
            Check::red(NAME, format!("{} are free for state", human_size(bytes)), format!("make room: df {path}"))
        }
        Some((_, inodes)) if inodes != 0 && inodes < LEAST_INODES => {
            Check::red(NAME, format!("{inodes} inodes are free for state"), format!("remove small files: df -i {path}"))
        }
        Some((bytes, _)) if bytes < LITTLE_BYTES => Check::yellow(
            NAME,
            format!("{} are free for state", human_size(bytes)),
            format!("make room before it is needed: df {path}"),
        ),
        Some((bytes, 0)) => Check::green(NAME, format!("{} are free for state", human_size(bytes))),
        Some((bytes, inodes)) => {
            Check::green(NAME, format!("{} and {inodes} inodes are free for state", human_size(bytes)))
        }
    }
}

/// A file or directory of guardian's, as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where, quoted for a shell.
    pub path: String,
    /// User that owns it.
    pub owner: u32,
    /// Mode bits.
    pub mode: u32,
    /// Who owns the symbolic link by which it is reached; `None`: it is none.
    pub link: Option<u32>,
    /// Whether it is part of the state, which is its user's alone.
    pub state: bool,
}

/// What is wrong with one place: said, and what mends it.
fn wrong(place: &Place, me: u32) -> Option<(Grade, String, String)> {
    let Place { path, owner, mode, link, state } = place;
    if let Some(owner) = link.filter(|owner| *owner != me && *owner != 0) {
        let said = format!("`{path}` is a symbolic link of uid {owner}, who can lead it elsewhere");
        return Some((Grade::Red, said, format!("rm {path}, and put what it leads to there")));
    }
    if *owner != me && (*state || *owner != 0) {
        let said = format!("`{path}` belongs to uid {owner}, not to you (uid {me})");
        return Some((Grade::Red, said, format!("look through it, then: chown -R {me} {path}")));
    }
    if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        let said = format!("others may write `{path}` (mode {mode:04o})");
        return Some((Grade::Red, said, format!("chmod go-w {path}")));
    }
    if *state && mode & 0o077 != 0 {
        let said = format!("others may read `{path}` (mode {mode:04o}), in which secrets may be");
        return Some((Grade::Yellow, said, format!("chmod go-rwx {path}")));
    }
    None
}

/// Owners and modes, and links of others. `unread`: places that could not be looked at, the first by name.
#[must_use]
pub fn permissions(places: &[Place], me: u32, unread: Option<&str>) -> Check {
    const NAME: &str = "permissions";
    let found: Vec<(Grade, String, String)> = places.iter().filter_map(|place| wrong(place, me)).collect();
    // The first of the worst: directories come before what is in them.
    let worst = found.iter().map(|(grade, _, _)| *grade).max();
    let first = found.iter().find(|(grade, _, _)| Some(*grade) == worst);
    match (first, unread) {
        (Some((grade, said, mend)), _) => {
            let more = if found.len() > 1 { format!("; {} more like it", found.len() - 1) } else { String::new() };
            Check { name: NAME, grade: *grade, said: format!("{said}{more}"), mend: Some(mend.clone()) }
        }
        (None, Some(path)) => Check::yellow(
            NAME,
            format!("who owns `{path}` and who may write it cannot be told"),
            format!("ls -ld {path}"),
        ),
        (None, None) => Check::green(
            NAME,
            format!("{} files and directories are yours, and nobody else may write them", places.len()),
        ),
    }
}

/// The first of the directories above guardian's home that somebody else may rename, with all that is in it; each with its owner
/// and mode. What is put in the place of a home must belong to us or root, but it may be an old one.
#[must_use]
pub fn above(dirs: &[(String, u32, u32)], me: u32) -> Option<Check> {
    const UNMAPPED: u32 = 65_534; // of a user namespace: nobody can be that one here
    dirs.iter().find_map(|(path, owner, mode)| {
        let said = |who: &str| format!("{who} may rename what is in `{path}`, and with it guardian's home or state");
        if mode & 0o002 != 0 && mode & 0o1000 == 0 {
            return Some(Check::yellow("permissions", said("everybody"), format!("chmod o-w {path}")));
        }
        let other = *owner != me && *owner != 0 && *owner != UNMAPPED;
        other.then(|| {
            let mend = format!("move the home to a directory of your own: {path} belongs to uid {owner}");
            Check::yellow("permissions", said(&format!("uid {owner}")), mend)
        })
    })
}

/// The states of processes, as read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Those that are whole.
    pub whole: usize,
    /// Those that a newer guardian wrote.
    pub newer: usize,
    /// What cannot be read otherwise, the first one's words and hint, and how many.
    pub damaged: Option<(String, String, usize)>,
}

/// Whether all that is remembered can be read.
#[must_use]
pub fn state(found: &State) -> Check {
    const NAME: &str = "state";
    match (&found.damaged, found.newer) {
        (_, newer @ 1..) => Check::red(
            NAME,
            format!("a newer guardian wrote the state of {newer} processes: this one does nothing about them"),
            "use that newer guardian: guardian --version, and the path in the crontab or the timer",
        ),
        (Some((said, hint, count)), 0) => {
            let more = if *count > 1 { format!("; {} more like it", count - 1) } else { String::new() };
            let hint = if hint.is_empty() { "guardian status" } else { hint };
            Check::red(NAME, format!("{said}{more}"), hint)
        }
        (None, 0) => {
            Check::green(NAME, format!("of {} processes something is remembered, all of it whole", found.whole))
        }
    }
}

/// What is left of processes that are in the registry no more. `None`: it cannot be told.
#[must_use]
pub fn removed(names: Option<&[String]>) -> Check {
    const NAME: &str = "removed";
    match names {
        None => Check::yellow(NAME, "what is left of removed processes cannot be told", "guardian config check"),
        Some([]) => Check::green(NAME, "nothing is left of processes that were removed"),
        Some(names) => {
            let shown = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if names.len() > 3 { ", …" } else { "" };
            let said = format!("logs or history of {} removed processes are left: {shown}{more}", names.len());
            Check::yellow(NAME, said, "guardian prune")
        }
    }
}

/// The logs, as found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logs {
    /// What they take on the disk.
    pub bytes: u64,
    /// What they may come to by `log_max` and `log_keep`.
    pub most: u64,
    /// Processes without `log_max`, with the size of each.
    pub endless: Vec<(String, u64)>,
    /// Processes whose log is more than twice `log_max`, which rotation should have cut.
    pub over: Vec<String>,
    /// They could not be looked at, for this reason.
    pub unread: Option<String>,
}

/// Whether logs stay within their limits, and these within the disk. `free`: room for them.
#[must_use]
pub fn logs(found: &Logs, free: Option<u64>) -> Check {
    const NAME: &str = "logs";
    if let Some(why) = &found.unread {
        return Check::yellow(NAME, format!("how large logs are cannot be told: {why}"), "du -sh on the log directory");
    }
    if let Some(name) = found.over.first() {
        let said = format!("{} logs are more than twice `log_max`, such as that of `{name}`", found.over.len());
        return Check::yellow(NAME, said, "guardian healthcheck, which rotates; see what it says");
    }
    let size = human_size(found.bytes);
    if let Some((name, bytes)) = found.endless.iter().find(|(_, bytes)| *bytes > LITTLE_BYTES) {
        let said = format!("the log of `{name}` has no limit and takes {}", human_size(*bytes));
        return Check::yellow(NAME, said, format!("give `{name}` a log_max"));
    }
    match free {
        None => Check::yellow(NAME, format!("they take {size}; how much room is left cannot be asked"), "df"),
        Some(free) if found.most.saturating_sub(found.bytes) > free => {
            let most = human_size(found.most);
            let said = format!("they take {size} and may grow to {most}; {} are free", human_size(free));
            Check::yellow(NAME, said, "lower log_max or log_keep, or make room")
        }
        Some(_) => Check::green(NAME, format!("they take {size} and may grow to {}", human_size(found.most))),
    }
}

/// What the file system of the logs can do for rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The beginning of a file can be taken out.
    TakesOut,
    /// It can be made a hole.
    Holes,
    /// Neither.
    Neither,
    /// It could not be tried, for this reason.
    Unknown(String),
}

/// Whether logs can be rotated without loss.
#[must_use]
pub fn rotation(found: &Rotation) -> Check {
    const NAME: &str = "rotation";
    match found {
        Rotation::TakesOut => Check::green(NAME, "the file system takes out the beginning of a log: nothing is lost"),
        Rotation::Holes => Check::green(
            NAME,
            "the file system makes the beginning of a log a hole: nothing is lost, and sizes by `ls` only grow",
        ),
        Rotation::Neither => Check::yellow(
            NAME,
            "the file system can do neither holes nor more: what is written while a log is emptied is lost",
            "put the state on ext4, xfs, btrfs or tmpfs",
        ),
        Rotation::Unknown(why) => Check::yellow(
            NAME,
            format!("what the file system can do for rotation could not be tried: {why}"),
            "see df and mount on the log directory",
        ),
    }
}

/// Whether a lock keeps others out there, on which all of guardian rests.
#[must_use]
pub fn locks(found: Result<bool, &str>) -> Check {
    const NAME: &str = "locks";
    match found {
        Ok(true) => Check::green(NAME, "a lock in the state directory keeps others out"),
        Ok(false) => Check::red(
            NAME,
            "a lock in the state directory keeps nobody out: a process could be started twice",
            "put the state on a local file system (GUARDIAN_HOME, or XDG_STATE_HOME)",
        ),
        Err(why) => Check::yellow(NAME, format!("locks could not be tried: {why}"), "see df and mount on the state"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::graded;
    use super::*;

    #[test]
    fn room_is_as_found_and_unknown_is_not_well() {
        let disk = |found| disk(found, "/state");
        graded(&[
            ("full", disk(Some((1 << 20, 1 << 20))), Grade::Red),
            ("no inodes", disk(Some((1 << 40, 12))), Grade::Red),
            ("not counted", disk(Some((1 << 40, 0))), Grade::Green),
            ("little", disk(Some((1 << 29, 1 << 20))), Grade::Yellow),
            ("unknown", disk(None), Grade::Yellow),
        ]);
    }

    #[test]
    fn what_others_own_or_may_write_is_red_and_what_they_may_read_of_the_state_is_not_well() {
        let place = |owner, mode, link, state| Place { path: "/p".to_owned(), owner, mode, link, state };
        let of = |place| permissions(&[place], 7, None);
        graded(&[
            ("mine", of(place(7, 0o700, None, true)), Grade::Green),
            ("my link", of(place(7, 0o700, Some(7), true)), Grade::Green),
            ("root's registry", of(place(0, 0o644, None, false)), Grade::Green),
            ("root's state", of(place(0, 0o700, None, true)), Grade::Red),
            ("another's", of(place(8, 0o600, None, false)), Grade::Red),
            ("another's link", of(place(7, 0o700, Some(8), true)), Grade::Red),
            ("all may write", of(place(7, 0o666, None, false)), Grade::Red),
            ("a shared directory with the sticky bit", of(place(0, 0o1777, None, false)), Grade::Green),
            ("all may read", of(place(7, 0o755, None, true)), Grade::Yellow),
            ("not seen", permissions(&[], 7, Some("/p")), Grade::Yellow),
        ]);
        let two = [place(7, 0o755, None, true), place(8, 0o700, None, true)];
        let check = permissions(&two, 7, None);
        assert!(
            check.grade == Grade::Red && check.said.contains("uid 8") && check.said.contains("1 more"),
            "{check:?}"
        );
    }

    #[test]
    fn a_state_that_cannot_be_read_is_red() {
        let damaged = Some(("state `x` is damaged".to_owned(), String::new(), 2));
        graded(&[
            ("none", state(&State::default()), Grade::Green),
            ("newer", state(&State { newer: 1, ..State::default() }), Grade::Red),
            ("damaged", state(&State { damaged, ..State::default() }), Grade::Red),
        ]);
    }

    #[test]
    fn what_removed_processes_left_is_named() {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let check = removed(Some(&names));
        assert!(check.said.contains("4 removed") && check.said.ends_with("a, b, c, …"), "{check:?}");
        graded(&[
            ("nothing", removed(Some(&[])), Grade::Green),
            ("something", check, Grade::Yellow),
            ("unknown", removed(None), Grade::Yellow),
        ]);
    }

    #[test]
    fn logs_are_well_within_their_limits_and_the_disk() {
        let found = Logs { bytes: 1 << 20, most: 1 << 30, ..Logs::default() };
        graded(&[
            ("room", logs(&found, Some(1 << 40)), Grade::Green),
            ("no room", logs(&found, Some(1 << 20)), Grade::Yellow),
            ("unknown room", logs(&found, None), Grade::Yellow),
            (
                "endless",
                logs(&Logs { endless: vec![("x".to_owned(), 2 << 30)], ..found.clone() }, Some(1 << 40)),
                Grade::Yellow,
            ),
            (
                "endless and small",
                logs(&Logs { endless: vec![("x".to_owned(), 9)], ..found.clone() }, Some(1 << 40)),
                Grade::Green,
            ),
            ("over", logs(&Logs { over: vec!["x".to_owned()], ..found.clone() }, Some(1 << 40)), Grade::Yellow),
            ("unread", logs(&Logs { unread: Some("no".to_owned()), ..found }, Some(1 << 40)), Grade::Yellow),
        ]);
    }

    #[test]
    fn what_the_file_system_can_do_is_as_tried() {
        graded(&[
            ("ext4", rotation(&Rotation::TakesOut), Grade::Green),
            ("tmpfs", rotation(&Rotation::Holes), Grade::Green),
            ("vfat", rotation(&Rotation::Neither), Grade::Yellow),
            ("full", rotation(&Rotation::Unknown("no space left".to_owned())), Grade::Yellow),
            ("locks", locks(Ok(true)), Grade::Green),
            ("no locks", locks(Ok(false)), Grade::Red),
            ("untried", locks(Err("read-only")), Grade::Yellow),
        ]);
    }
}
