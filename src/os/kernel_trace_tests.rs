//! What is read from the kernel's record, and what is not taken from it.

use super::*;

const HEAD: &str = "# entries-in-buffer/entries-written: 3/3   #P:2";
const ON: &str = "            bash-90      [000] ..... 100.000000: tracing_mark_write: guardian: on";

fn read(text: &[&str], pid: i32) -> Found {
    let mut reading = Reading::default();
    for line in text {
        reading.take(line, pid, 100_000..=200_000);
    }
    reading.done(|thread| thread == 77)
}

fn kill(comm: &str, thread: i32, at: &str, signal: i32, victim_comm: &str, victim: i32) -> String {
    format!(
        "{comm:>16}-{thread:<7} [001] d..1. {at}: signal_generate: sig={signal} errno=0 code=0 comm={victim_comm} pid={victim} grp=1 res=0"
    )
}

#[test]
fn a_kill_is_read_with_pid_name_and_moment_of_its_sender() {
    let line = kill("sh", 23106, "113.683210", 9, "sleep", 42);
    let found = read(&[HEAD, ON, &line], 42);
    let comm = Some("sh".to_owned());
    let want = Made { signal: 9, boot_ms: 113_683, code: 0, thread: 23106, comm, followed: true };
    assert_eq!((found.signals, found.since_ms), (vec![want], 100_000));
    assert_eq!(read(&[HEAD, ON, &line], 43).signals, [], "it was another one's");
}

#[test]
fn names_that_programs_choose_cannot_make_a_sender_of_somebody_else() {
    let evil = ["a-1 [000] d..1.", "x pid=7 grp=1", ": 1.1: sig=9", "-", "] [", "<...>"];
    for comm in evil {
        let line = kill(comm, 555, "113.683210", 9, "sleep", 42);
        assert_eq!(read(&[HEAD, ON, &line], 42).signals[0].thread, 555, "{comm}");
        let line = kill("sh", 555, "113.683210", 9, comm, 42);
        assert_eq!(read(&[HEAD, ON, &line], 42).signals.len(), 1, "{comm}");
        assert_eq!(read(&[HEAD, ON, &line], 7).signals, [], "{comm}");
    }
    let torn = kill("sh", 555, "113.683210", 9, "a\nb", 42);
    assert_eq!(read(&torn.lines().collect::<Vec<_>>(), 42).signals, [], "half a line says nothing");
}

#[test]
fn a_signal_after_which_a_thread_that_is_gone_got_the_same_is_not_called_the_last() {
    let caught = kill("sh", 555, "113.000000", 15, "bot", 42);
    let to = |thread, signal| kill("sh", 556, "114.000000", signal, "bot", thread).replace("grp=1", "grp=0");
    let followed = |after: &str| read(&[HEAD, ON, &caught, after], 42).signals[0].followed;
    assert!(!followed(&to(43, 15)), "it may have been a thread of it");
    assert!(followed(&to(43, 1)), "another signal");
    assert!(followed(&to(77, 15)), "a thread of another process");
}

#[test]
fn a_name_that_the_kernel_has_forgotten_is_none() {
    let line = kill("<...>", 555, "113.683210", 9, "sleep", 42);
    assert_eq!(read(&[HEAD, ON, &line], 42).signals[0].comm, None);
}

#[test]
fn what_was_made_before_something_was_lost_is_not_called_the_last() {
    let lost = "# entries-in-buffer/entries-written: 3/9   #P:2";
    let early = kill("sh", 555, "113.000000", 15, "sleep", 42);
    let other = "            bash-91      [000] d..1. 120.000000: signal_generate: sig=1 errno=0 code=0 comm=x pid=9 grp=1 res=0";
    let found = read(&[lost, &early, other], 42);
    assert!(!found.signals[0].followed && found.since_ms == 120_000, "{found:?}");
    let late = kill("sh", 555, "130.000000", 15, "sleep", 42);
    assert!(read(&[lost, &early, other, &late], 42).signals[1].followed);
}

#[test]
fn a_record_that_began_later_or_was_emptied_is_complete_only_since_then() {
    let early = kill("sh", 555, "113.000000", 15, "sleep", 42);
    let on = ON.replace("100.000000", "150.000000");
    assert!(!read(&[HEAD, &early, &on], 42).signals[0].followed);
    assert_eq!(read(&["# entries-in-buffer/entries-written: 0/0   #P:2"], 42).since_ms, u64::MAX);
}

#[test]
fn a_victim_of_the_memory_killer_is_known_by_its_pid() {
    let line =
        "          python-91      [000] ..... 120.000000: mark_victim: pid=42 comm=python total-vm=1kB anon-rss=1kB";
    assert!(read(&[HEAD, ON, line], 42).victim);
    assert!(!read(&[HEAD, ON, line], 4).victim);
}

/// An instance of its own, where this machine lets root have one.
struct Own(PathBuf);

impl Own {
    fn new() -> Option<Self> {
        let dir = instance().ok()?.with_file_name(format!("guardian-test-{}", std::process::id()));
        switch_on(&dir).ok().map(|()| Self(dir))
    }

    fn killed(&self) -> Result<Found, Unseen> {
        let from = super::super::clock::boot_ms().unwrap();
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        about_in(&self.0, pid, from, super::super::clock::boot_ms().unwrap())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

#[test]
fn it_may_be_turned_on_twice_and_a_time_at_which_it_was_off_is_unknown() {
    let Some(own) = Own::new() else {
        // Not root, no tracefs, or another namespace: then nothing is known, and that is said.
        assert!(about(1, 0, u64::MAX).is_err());
        return;
    };
    switch_on(&own.0).unwrap();
    let me = nix::unistd::gettid().as_raw();
    let found = own.killed().unwrap();
    assert_eq!(found.signals.iter().map(|made| (made.signal, made.thread)).collect::<Vec<_>>(), [(libc::SIGKILL, me)]);
    put(&own.0, SIGNALS, "0").unwrap();
    assert_eq!(own.killed(), Err(Unseen::Off));
    let before = super::super::clock::boot_ms().unwrap();
    switch_on(&own.0).unwrap();
    assert!(own.killed().unwrap().since_ms >= before, "complete only since it is on again");
}
