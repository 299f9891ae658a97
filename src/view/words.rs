//! Sentences about ends, causes and senders, shared by alerts, `why` and `status`.
//!
//! They say what the evidence says and no more: who is not known is called unknown. Text that came
//! from outside (names, command lines, output) loses its control characters here.

use std::time::Duration;

use crate::model::ending::{Ancestor, Cause, Part, Sender, SignalRecord, Unseen};
use crate::model::evidence::SpawnStep;
use crate::model::progress::Silence;
use crate::model::units::{format_duration, format_size, human_duration};

/// A signal that came this long before the one that the process raised itself has nothing to do with it, in milliseconds.
const SHORTLY_MS: i64 = 60_000;
/// What the kernel sends a program for what it just did.
const FAULTS: [i32; 6] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// The text without anything that moves a cursor, colours, breaks a line or turns the reading
/// direction: escape sequences go as a whole, a tab becomes a space.
#[must_use]
pub fn strip_control(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => clean.push(' '),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        // CSI: parameters, then one final byte.
        Some('[') => {
            chars.next();
            while chars.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
            chars.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
        }
        // OSC: up to BEL or the string terminator; only within what is plainly its text.
        Some(']') => {
            while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {}
            if chars.next_if(|c| matches!(c, '\u{7}' | '\u{1b}')) == Some('\u{1b}') {
                chars.next_if_eq(&'\\');
            }
        }
        Some(_) | None => {}
    }
}

/// The first `max` characters; where some are missing the last is `…`.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// A sender by name: its own, or the part of guardian that it is; `None`: not known.
fn sender_name(sender: &Sender) -> Option<String> {
    let part = |part: &str| Some(format!("guardian's own {part}"));
    match sender.guardian {
        Some(Part::Pass) => part("pass"),
        Some(Part::Shim) => part("shim"),
        Some(Part::Start) => part("`start`"),
        Some(Part::Stop) => part("`stop`"),
        Some(Part::Restart) => part("`restart`"),
        Some(Part::Deregister) => part("`deregister`"),
        Some(Part::Command) => part("command"),
        None => sender.comm.as_deref().map(|comm| chosen_name(strip_control(comm).trim())),
    }
}

/// A name that the program gave itself: guardian's own are known by other means than their name.
fn chosen_name(name: &str) -> String {
    match name {
        "" => "a process with a blank name".to_owned(),
        name if name.starts_with("guardian") => format!("a process named `{name}`"),
        name => name.to_owned(),
    }
}

/// Senders that need no pid to be known.
fn special_sender(sender: &Sender) -> Option<&'static str> {
    match sender {
        Sender { itself: true, .. } => Some("itself"),
        Sender { pid: 0, .. } => Some("a process outside of this container"),
        Sender { .. } => None,
    }
}

/// A sender in short: `node, pid 99`; its name when it could be read, always its pid.
#[must_use]
pub fn sender_phrase(sender: &Sender) -> String {
    match (special_sender(sender), sender_name(sender)) {
        (Some(special), _) => special.to_owned(),
        (None, Some(name)) => format!("{name}, pid {}", sender.pid),
        (None, None) => format!("pid {}, gone before it could be named", sender.pid),
    }
}

/// A sender in full: name, pid, user id, command line, and the chain of its parents.
#[must_use]
pub fn sender_sentence(sender: &Sender) -> String {
    if let Some(special) = special_sender(sender) {
        return special.to_owned();
    }
    let user = sender.uid.map_or("user not known".to_owned(), |uid| format!("user {uid}"));
    let mut text = match sender_name(sender) {
        Some(name) => format!("{name} (pid {}, {user})", sender.pid),
        None => format!("pid {} ({user}), gone before it could be named", sender.pid),
    };
    if let Some(cmdline) = &sender.cmdline {
        text.push_str(&format!(", command `{}`", strip_control(cmdline)));
    }
    if !sender.parents.is_empty() {
        let chain = sender.parents.iter().map(|Ancestor { pid, comm }| format!("{} {pid}", strip_control(comm)));
        let by = if sender.guardian.is_some() { "asked for by" } else { "started by" };
        text.push_str(&format!(", {by} {}", chain.collect::<Vec<_>>().join(" < ")));
    }
    text
}

/// Why nothing shows who sent a signal.
#[must_use]
pub fn unseen_sentence(why: Unseen) -> &'static str {
    match why {
        Unseen::NotRoot => "only root may ask the kernel's own record of signals",
        Unseen::NoRecord => "this kernel or container offers no record of signals (tracefs)",
        Unseen::Namespace => "the kernel's own record counts pids of another namespace",
        Unseen::Off => "the kernel's own record of signals was off",
        Unseen::Gap => "the kernel's own record of signals began, or lost something, during the run",
        Unseen::NotThere => {
            "the kernel's own record has no such signal to the main process; a thread of it may have got it"
        }
    }
}

/// The signal that matters for this cause: the one that ended the run, else the last one seen.
#[must_use]
pub fn telling_signal<'s>(cause: &Cause, signals: &'s [SignalRecord]) -> Option<&'s SignalRecord> {
    match cause {
        Cause::Signaled { signal, .. } => {
            signals.iter().rev().find(|record| record.signal == *signal && !record.survived)
        }
        Cause::Exited { .. }
        | Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::PreflightFailed { .. }
        | Cause::NotReady { .. }
        | Cause::Overlap
        | Cause::SpawnFailed { .. }
        | Cause::Reboot
        | Cause::ShimKilled
        | Cause::Unknown { .. } => signals.iter().rev().find(|record| !record.survived),
    }
}

/// Who else sent a signal shortly before the process raised the deadly one itself, or who had sent the same before somebody
/// unknown did: programs often catch a signal, tidy up and raise it again.
#[must_use]
pub fn signal_before<'s>(cause: &Cause, signals: &'s [SignalRecord]) -> Option<&'s SignalRecord> {
    let Cause::Signaled { signal, .. } = cause else { return None };
    let telling = telling_signal(cause, signals);
    let of_another = |record: &&SignalRecord| record.sender.as_ref().is_some_and(|sender| !sender.itself);
    let mut earlier = signals.iter().rev().filter(of_another);
    match telling {
        Some(SignalRecord { sender: Some(Sender { itself: true, .. }), at, .. }) => {
            earlier.find(|record| record.at <= *at && record.at.0.saturating_add(SHORTLY_MS) >= at.0)
        }
        Some(_) => None,
        None => earlier.find(|record| record.signal == *signal),
    }
}

fn from(record: &SignalRecord, sender: fn(&Sender) -> String) -> String {
    match &record.sender {
        Some(who) => format!("{} from {}", record.signal, sender(who)),
        None if FAULTS.contains(&record.signal.0) => format!("{} from the kernel, for a fault in it", record.signal),
        None => format!("{} from the kernel", record.signal),
    }
}

/// A cause for a subject line: `exit 0 after SIGTERM from node, pid 99`.
#[must_use]
pub fn cause_phrase(cause: &Cause, signals: &[SignalRecord]) -> String {
    let record = telling_signal(cause, signals);
    let after = |what: String| match record {
        Some(record) => format!("{what} after {}", from(record, sender_phrase)),
        None => what,
    };
    match cause {
        Cause::Exited { code } => after(format!("exit {code}")),
        Cause::Signaled { signal, .. } => {
            let by = record.map_or_else(|| format!("{signal} from an unknown sender"), |it| from(it, sender_phrase));
            match signal_before(cause, signals) {
                Some(before) if record.is_some() => format!("{by}, after {}", from(before, sender_phrase)),
                Some(before) => format!("{by}; earlier {}", from(before, sender_phrase)),
                None => by,
            }
        }
        Cause::OomKilled { limit_bytes: Some(limit) } => {
            format!("out of memory at its limit of {}", format_size(*limit))
        }
        Cause::OomKilled { limit_bytes: None } => "killed by the kernel, out of memory".to_owned(),
        Cause::Hung { silent_s, silence } => format!("{} for {}", missing(*silence), seconds(*silent_s)),
        Cause::TimeLimit { limit_s } => format!("time limit of {}", seconds(*limit_s)),
        Cause::MemoryLimit { limit_bytes } => format!("memory limit of {}", format_size(*limit_bytes)),
        Cause::CpuLimit { limit_s } => format!("CPU time limit of {}", seconds(*limit_s)),
        Cause::FileSizeLimit { limit_bytes } => format!("file size limit of {}", format_size(*limit_bytes)),
        Cause::PreflightFailed { what, .. } => format!("preflight failed: {}", strip_control(what)),
        Cause::NotReady { after_s } => format!("not ready within {}", seconds(*after_s)),
        Cause::Overlap => "still running when its next run was due".to_owned(),
        Cause::SpawnFailed { errno, what, step } => {
            format!("cannot start: {}{}", strip_control(what), spawn_error(*errno, *step))
        }
        Cause::Reboot => "reboot".to_owned(),
        Cause::ShimKilled => after("process and shim both gone, no record of the end".to_owned()),
        Cause::Unknown { .. } => after("cause unknown".to_owned()),
    }
}

/// The same of an end that `by` had asked for: where nobody saw its signal, that is what is known of it.
#[must_use]
pub fn end_phrase(cause: &Cause, signals: &[SignalRecord], by: Option<&Sender>) -> String {
    match (cause, telling_signal(cause, signals), by) {
        (Cause::Signaled { signal, .. }, None, Some(by)) => format!("{signal}, asked for by {}", sender_phrase(by)),
        (_, _, _) => cause_phrase(cause, signals),
    }
}

/// A cause as a whole sentence without its period, with everything known of who sent the signal.
#[must_use]
pub fn cause_sentence(cause: &Cause, signals: &[SignalRecord]) -> String {
    let record = telling_signal(cause, signals);
    let after = |what: String| match record {
        Some(record) => format!("{what}, after {}", from(record, sender_sentence)),
        None => what,
    };
    match cause {
        Cause::Exited { code } => after(format!("it exited with code {code}")),
        Cause::Signaled { signal, core_dumped } => {
            let core = if *core_dumped { ", core dumped" } else { "" };
            let by = match record {
                Some(record) => format!("it was ended by {}{core}", from(record, sender_sentence)),
                None => format!("it was ended by {signal}{core}; nothing shows who sent it"),
            };
            match signal_before(cause, signals) {
                Some(before) if record.is_some() => format!("{by}, after {}", from(before, sender_sentence)),
                Some(before) => format!("{by}; earlier it was sent {}", from(before, sender_sentence)),
                None => by,
            }
        }
        Cause::OomKilled { limit_bytes: Some(limit) } => {
            format!("the kernel killed it: its control group had used up its limit of {}", format_size(*limit))
        }
        Cause::OomKilled { limit_bytes: None } => "the kernel killed it because memory had run out".to_owned(),
        Cause::Hung { silent_s, silence } => {
            let sign = match silence {
                Some(Silence::Probe) => "its probe had failed",
                Some(Silence::Watchdog) => "sent no `WATCHDOG=1`",
                Some(Silence::All | Silence::Output | Silence::Heartbeat) | None => "showed no progress",
            };
            format!("guardian ended it: it lived, but {sign} for {}", seconds(*silent_s))
        }
        Cause::TimeLimit { limit_s } => format!("guardian ended it at its time limit of {}", seconds(*limit_s)),
        Cause::MemoryLimit { limit_bytes } => {
            format!("guardian ended it: its processes used more than {} of memory", format_size(*limit_bytes))
        }
        Cause::CpuLimit { limit_s } => {
            format!("the kernel ended it: it had used up its {} of CPU time (RLIMIT_CPU)", seconds(*limit_s))
        }
        Cause::FileSizeLimit { limit_bytes } => {
            format!("the kernel ended it: it wrote a file beyond {} (RLIMIT_FSIZE)", format_size(*limit_bytes))
        }
        Cause::PreflightFailed { what, .. } => format!("it was not started: {}", strip_control(what)),
        Cause::NotReady { after_s } => format!("guardian ended it: it was not ready within {}", seconds(*after_s)),
        Cause::Overlap => "guardian ended it: its schedule started the next run, and `overlap` is `kill`".to_owned(),
        Cause::SpawnFailed { errno, what, step } => {
            format!("it could not be started: {}{} (error {errno})", strip_control(what), spawn_error(*errno, *step))
        }
        Cause::Reboot => "the machine went down under it".to_owned(),
        Cause::ShimKilled => {
            after("its shim was killed, the process is gone too, and nothing recorded how it ended".to_owned())
        }
        Cause::Unknown { why } => after(format!("how it ended is not known: {}", strip_control(why))),
    }
}

/// Which sign a hung program did not give, in a word or two.
fn missing(silence: Option<Silence>) -> &'static str {
    match silence {
        Some(Silence::Probe) => "probe failed",
        Some(Silence::Watchdog) => "no `WATCHDOG=1`",
        Some(Silence::All | Silence::Output | Silence::Heartbeat) | None => "no progress",
    }
}

/// What the kernel said, where the step that failed is all that was said.
fn spawn_error(errno: i32, step: Option<SpawnStep>) -> String {
    match step {
        // A line of it is no variable.
        Some(SpawnStep::EnvFile) if errno == libc::EINVAL => ": a line is not `NAME=value`".to_owned(),
        Some(SpawnStep::User | SpawnStep::Cwd | SpawnStep::Exec | SpawnStep::EnvFile) => {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            format!(": {}", text.to_lowercase())
        }
        Some(SpawnStep::Fork | SpawnStep::Isolate | SpawnStep::Shim) | None => String::new(),
    }
}

fn seconds(secs: u64) -> String {
    format_duration(Duration::from_secs(secs))
}

/// `3s of 8h`, `1h 02m`, `an unknown time of 8h`: how long a run lived, against its target where
/// that is a duration.
#[must_use]
pub fn lived_of_target(ran_s: Option<f64>, target_s: Option<u64>) -> String {
    let ran = match ran_s.and_then(|ran| Duration::try_from_secs_f64(ran).ok()) {
        Some(ran) => human_duration(ran),
        None => "an unknown time".to_owned(),
    };
    match target_s {
        Some(target) => format!("{ran} of {}", seconds(target)),
        None => ran,
    }
}

/// The share of its target that a run lived, in whole percent; `None`: one of them is not known.
#[must_use]
pub fn percent_of_target(ran_s: Option<f64>, target_s: Option<u64>) -> Option<u64> {
    let ran = Duration::try_from_secs_f64(ran_s?).ok()?;
    ran.as_secs().saturating_mul(100).checked_div(target_s?)
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
