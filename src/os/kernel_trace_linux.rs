//! The kernel's own record of signals: a small ring buffer of tracefs in which the kernel notes who made which deadly
//! signal for whom. It alone knows the sender of a SIGKILL, and of a signal whose sender lived for a moment only.
//!
//! One private instance for the whole machine, made by whoever starts a run as root and read by shims. Nothing runs for
//! it. What it does not hold is unknown: a part that was lost, or a time at which it was off, never makes a wrong sender.
//! pids in it are those of the initial namespace; in any other one it is not used.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::model::ending::Unseen;

/// Where tracefs is mounted, by custom and before it had a mount point of its own.
const ROOTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// The instance.
const NAME: &str = "instances/guardian";
/// The switch that is turned on last.
const SIGNALS: &str = "events/signal/signal_generate/enable";
/// Which signals: those that end a program by default, without those that programs send all the time (SIGALRM, SIGPIPE,
/// SIGPROF, SIGIO, real-time); and only what the kernel took (result 0), so that of two kills the first one counts.
const FILTER: &str = "result==0 && (sig<=12 || sig==15 || sig==16 || sig==24 || sig==25 || sig==30 || sig==31)";
/// Room for each processor. What is read at the end of a run is no longer than this.
const KIB: &str = "8";
/// Inode of the initial pid namespace, in every kernel.
const INITIAL_NAMESPACE: u64 = 0xEFFF_FFFC;
/// Begins the mark that says: from here on.
const MARK: &str = "guardian: on";
/// Entries from which on it is emptied when nothing has happened for a while: reading costs a microsecond for each.
const MANY: u64 = 64;
/// The unit of start times, in milliseconds: `USER_HZ` is 100 wherever Linux runs.
const TICK_MS: u64 = 10;
/// How long nothing must have happened, in milliseconds: whoever died has been read about.
const QUIET_MS: u64 = 2_000;

/// A signal that the kernel made for the process that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Which one.
    pub signal: i32,
    /// When, in milliseconds on the boot clock.
    pub boot_ms: u64,
    /// `si_code`: who it is from.
    pub code: i32,
    /// The thread that ran when it was made: the sender, where a process is.
    pub thread: i32,
    /// That thread's name; `None`: the kernel has forgotten it.
    pub comm: Option<String>,
    /// Nothing is missing from the record since, as far as can be told, and no thread got the same one later.
    pub followed: bool,
}

impl Made {
    /// Whether a process sent it, by what the kernel says.
    #[must_use]
    pub fn by_a_process(&self) -> bool {
        super::signals::by_a_process(self.code)
    }

    /// Whether it was sent by `kill`, or by the kernel as if the program itself had used that.
    #[must_use]
    pub fn by_kill(&self) -> bool {
        self.code == libc::SI_USER
    }
}

/// What the record holds about one process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Signals made for it, oldest first.
    pub signals: Vec<Made>,
    /// Whether the kernel chose it as a victim when memory ran out.
    pub victim: bool,
    /// Since when the record is complete, in milliseconds on the boot clock.
    pub since_ms: u64,
}

fn instance() -> Result<PathBuf, Unseen> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Unseen::NotRoot);
    }
    let root = ROOTS.iter().find(|root| Path::new(root).join("instances").exists()).ok_or(Unseen::NoRecord)?;
    let namespace = nix::sys::stat::stat("/proc/self/ns/pid").map_err(|_| Unseen::Namespace)?.st_ino;
    if namespace != INITIAL_NAMESPACE {
        return Err(Unseen::Namespace);
    }
    Ok(Path::new(root).join(NAME))
}

/// Whether the switch at `path` is on.
fn is_on(path: &Path) -> bool {
    let mut byte = [0];
    super::read::open(path).and_then(|mut file| file.read(&mut byte)).is_ok_and(|got| got == 1) && byte == *b"1"
}

/// Makes sure that the kernel keeps the record from now on, where it can. Asks two small files when it does already.
/// Where it cannot, [`about`] says why.
pub fn keep() {
    let Ok(dir) = instance() else { return };
    if !is_on(&dir.join(SIGNALS)) || !is_on(&dir.join("tracing_on")) {
        drop(switch_on(&dir));
    }
}

/// Empties the record when there is much in it and all of it is old: whoever reads it reads all of it.
pub fn tidy() {
    let Ok(dir) = instance() else { return };
    // One that cannot be emptied costs whoever reads it some time, no more.
    drop(empty(&dir));
}

fn switch_on(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Setting the clock empties the buffer, so it is left alone where it is right.
    if !fs::read_to_string(dir.join("trace_clock"))?.contains("[boot]") {
        put(dir, "trace_clock", "boot")?;
    }
    put(dir, "buffer_size_kb", KIB)?;
    put(dir, "events/signal/signal_generate/filter", FILTER)?;
    // Older kernels have no such event; signals do without.
    drop(put(dir, "events/oom/mark_victim/enable", "1"));
    put(dir, SIGNALS, "1")?;
    put(dir, "tracing_on", "1")?;
    put(dir, "trace_marker", MARK)
}

fn put(dir: &Path, file: &str, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(dir.join(file))?.write_all(text.as_bytes())
}

fn empty(dir: &Path) -> io::Result<()> {
    let mut head = [0; 160];
    let got = super::read::open(&dir.join("trace"))?.read(&mut head)?;
    let entries = held(&String::from_utf8_lossy(head.get(..got).unwrap_or_default())).map_or(0, |(held, _)| held);
    if entries < MANY {
        return Ok(());
    }
    let mut newest = 0;
    lines(&dir.join("trace"), |line| newest = newest.max(parse(line).map_or(0, |(entry, _)| entry.boot_ms)))?;
    if super::clock::boot_ms()?.saturating_sub(newest) > QUIET_MS {
        OpenOptions::new().write(true).truncate(true).open(dir.join("trace"))?;
        put(dir, "trace_marker", MARK)?;
    }
    Ok(())
}

fn lines(path: &Path, mut each: impl FnMut(&str)) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(4096, super::read::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
        line.clear();
    }
    Ok(())
}

/// What the record says of the process `pid` between two moments, in milliseconds on the boot clock.
///
/// # Errors
/// Why it says nothing.
pub fn about(pid: i32, from_ms: u64, to_ms: u64) -> Result<Found, Unseen> {
    about_in(&instance()?, pid, from_ms, to_ms)
}

fn about_in(dir: &Path, pid: i32, from_ms: u64, to_ms: u64) -> Result<Found, Unseen> {
    let mut reading = Reading::default();
    match lines(&dir.join("trace"), |line| reading.take(line, pid, from_ms..=to_ms)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unseen::Off),
        Err(_) => return Err(Unseen::NoRecord),
        Ok(()) => {}
    }
    let mut found = reading.done(|thread| super::platform::thread_group(thread).is_some_and(|group| group != pid));
    // After a SIGKILL no other signal comes. Else, if it was turned off meanwhile, one may be missing.
    let killed = found.signals.last().is_some_and(|made| made.signal == libc::SIGKILL);
    if !killed && !is_on(&dir.join(SIGNALS)) {
        found.since_ms = u64::MAX;
        found.signals.iter_mut().for_each(|made| made.followed = false);
        if found.signals.is_empty() {
            return Err(Unseen::Off);
        }
    }
    Ok(found)
}

/// Whether the kernel chose `pid` as a victim when memory ran out, between two moments on the boot clock; `None`: the
/// record was off, or may have lost it.
#[must_use]
pub fn was_oom_victim(pid: i32, from_ms: u64, to_ms: u64) -> Option<bool> {
    let dir = instance().ok()?;
    let found = about(pid, from_ms, to_ms).ok()?;
    let complete = found.since_ms <= from_ms && is_on(&dir.join("events/oom/mark_victim/enable"));
    (found.victim || complete).then_some(found.victim)
}

/// What the record had to be asked for, while it is read.
#[derive(Debug, Default)]
struct Reading {
    found: Found,
    lost: bool,
    /// The mark was seen, or entries were lost and it with them.
    begun: bool,
    /// Signals to single threads of who knows which process: thread, signal, moment.
    to_threads: Vec<(i32, i32, u64)>,
    /// The oldest entry of each processor that has one.
    oldest: Vec<(u32, u64)>,
}

impl Reading {
    fn take(&mut self, line: &str, pid: i32, window: std::ops::RangeInclusive<u64>) {
        if let Some((held, written)) = held(line) {
            self.lost = held < written;
            return;
        }
        let Some((entry, cpu)) = parse(line) else { return };
        if !self.oldest.iter().any(|(known, _)| *known == cpu) {
            self.oldest.push((cpu, entry.boot_ms));
        }
        match entry.what {
            What::Mark => {
                self.begun = true;
                self.found.since_ms = self.found.since_ms.max(entry.boot_ms);
            }
            What::Victim(victim) => self.found.victim |= victim == pid && window.contains(&entry.boot_ms),
            What::Signal { signal, code, pid: to, .. } if to == pid && window.contains(&entry.boot_ms) => {
                let Entry { boot_ms, thread, comm, .. } = entry;
                self.found.signals.push(Made { signal, boot_ms, code, thread, comm, followed: false });
            }
            What::Signal { signal, pid: to, to_thread: true, .. } if window.contains(&entry.boot_ms) => {
                self.to_threads.push((to, signal, entry.boot_ms));
            }
            What::Signal { .. } => {}
        }
    }

    /// `is_other`: whether a thread is known to be one of another process.
    fn done(mut self, is_other: impl Fn(i32) -> bool) -> Found {
        if self.lost {
            // A processor lost what was before its oldest entry; so the whole is complete since the latest of these.
            let latest = self.oldest.iter().map(|(_, oldest)| *oldest).max().unwrap_or(u64::MAX);
            self.found.since_ms = self.found.since_ms.max(latest);
        } else if !self.begun {
            self.found.since_ms = u64::MAX; // somebody emptied it
        }
        for made in &mut self.found.signals {
            // A later one of the same kind to a thread that is gone: it may have been one of this process.
            let outdone = made.signal != libc::SIGKILL
                && self.to_threads.iter().any(|(thread, signal, at_ms)| {
                    *signal == made.signal && *at_ms >= made.boot_ms && !is_other(*thread)
                });
            made.followed = made.boot_ms >= self.found.since_ms && !outdone;
        }
        self.found
    }
}

/// One entry of the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    comm: Option<String>,
    thread: i32,
    boot_ms: u64,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Mark,
    Victim(i32),
    Signal { signal: i32, code: i32, pid: i32, to_thread: bool },
}

/// `# entries-in-buffer/entries-written: 12/340   #P:2`: entries that are held, and all that were ever written.
fn held(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once("# entries-in-buffer/entries-written: ")?;
    let (held, rest) = rest.split_once('/')?;
    Some((held.parse().ok()?, rest.split_ascii_whitespace().next()?.parse().ok()?))
}

/// An entry and its processor.
///
/// `COMM-PID [CPU] FLAGS SECONDS.MICROS: EVENT: FIELDS`. Both names in it are chosen by programs and may hold anything,
/// so that what is in front of the event is read from its end, and its fields as well. The words that separate the two
/// halves are longer than any such name.
fn parse(line: &str) -> Option<(Entry, u32)> {
    let events = [": signal_generate: ", ": mark_victim: ", ": tracing_mark_write: "];
    let (event, (front, fields)) = events.iter().find_map(|event| Some((*event, line.split_once(event)?)))?;
    let (front, stamp) = front.rsplit_once(' ')?;
    let (seconds, micros) = stamp.split_once('.')?;
    let boot_ms = seconds.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(micros.parse::<u64>().ok()? / 1000)?;
    let (front, rest) = front.rsplit_once('[')?;
    let cpu = rest.split_once(']')?.0.parse().ok()?;
    let (comm, thread) = front.trim_end().rsplit_once('-')?;
    let comm = Some(comm.trim_start()).filter(|comm| !comm.is_empty() && *comm != "<...>").map(str::to_owned);
    let what = match event {
        ": signal_generate: " => signal(fields)?,
        ": mark_victim: " => What::Victim(field(fields.split_ascii_whitespace().next()?, "pid=")?),
        _ => fields.starts_with(MARK).then_some(What::Mark)?,
    };
    Some((Entry { comm, thread: thread.parse().ok()?, boot_ms, what }, cpu))
}

/// `sig=9 errno=0 code=0 comm=NAME pid=7 grp=1 res=0`
fn signal(fields: &str) -> Option<What> {
    let mut front = fields.splitn(4, ' ');
    let (signal, _, code) = (front.next()?, front.next()?, front.next()?);
    let mut back = fields.rsplitn(4, ' ');
    let (_, group, pid) = (back.next()?, back.next()?, back.next()?);
    let to_thread = field(group, "grp=")? == 0;
    let (signal, code, pid) = (field(signal, "sig=")?, field(code, "code=")?, field(pid, "pid=")?);
    Some(What::Signal { signal, code, pid, to_thread })
}

fn field(text: &str, name: &str) -> Option<i32> {
    text.strip_prefix(name)?.parse().ok()
}

/// The process that the thread of a [`Made`] belongs to, when it lives and is the one that was meant.
#[must_use]
pub fn process_of(made: &Made) -> Option<i32> {
    let process = super::platform::look(made.thread).ok().flatten()?;
    // Begun after the signal: somebody else has that pid now.
    (process.started.saturating_mul(TICK_MS) <= made.boot_ms).then_some(())?;
    super::platform::thread_group(made.thread)
}

/// When the process `pid` was made, in milliseconds on the boot clock, at most a tick too early; now, if it cannot be
/// told: what is older is then not asked for.
#[must_use]
pub fn started_ms(pid: i32) -> u64 {
    match super::platform::look(pid) {
        Ok(Some(process)) => process.started.saturating_mul(TICK_MS),
        Ok(None) | Err(_) => super::clock::boot_ms().unwrap_or(u64::MAX), // no clock: nothing is asked for
    }
}

#[cfg(test)]
#[path = "kernel_trace_tests.rs"]
mod tests;
