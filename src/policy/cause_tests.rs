//! Which evidence makes which cause.

use super::*;
use crate::model::ending::{Arrived, Sender, Unseen};
use crate::model::evidence::Oom;
use crate::model::time::{BootId, Stamp, Wall};

const KILL: WaitStatus = WaitStatus::Signal(Signal(libc::SIGKILL), false);
const XCPU: WaitStatus = WaitStatus::Signal(Signal(libc::SIGXCPU), true);
const XFSZ: WaitStatus = WaitStatus::Signal(Signal(libc::SIGXFSZ), false);

fn end(status: WaitStatus, limits: Option<Limits>, oom: Option<Oom>) -> End {
    let at = Stamp { wall: Wall(0), boot_ms: 0, boot: BootId::new("b").unwrap() };
    End {
        status,
        at,
        user_ms: Some(900_000), // with the children's
        system_ms: Some(0),
        max_rss_kib: Some(0),
        leftover: false,
        left: None,
        log_bytes: None,
        limits,
        oom,
        memory_peak_bytes: None,
        core: None,
    }
}

fn limits(cpu_s: Option<u64>, cpu_hard_s: Option<u64>, file_bytes: Option<u64>, used_ms: u64) -> Option<Limits> {
    Some(Limits { cpu_s, cpu_hard_s, file_bytes, used_ms: Some(used_ms) })
}

fn oom(named: Option<bool>, own_group: Option<u64>) -> Option<Oom> {
    Some(Oom { named, own_group, limit_bytes: Some(64) })
}

#[test]
fn the_evidence_beside_the_wait_status_decides_and_without_it_the_status_stands() {
    let signaled = |status: WaitStatus| status.cause();
    let cpu = Cause::CpuLimit { limit_s: 5 };
    let out_of_memory = Cause::OomKilled { limit_bytes: Some(64) };
    let cases = [
        ("SIGXCPU at its limit", XCPU, limits(Some(6), None, None, 5_010), None, cpu.clone()),
        ("the kernel measures less than it sampled", XCPU, limits(Some(6), Some(9), None, 4_800), None, cpu.clone()),
        ("SIGXCPU by hand, long before", XCPU, limits(Some(5), None, None, 2_000), None, signaled(XCPU)),
        ("SIGXCPU by hand, under the least limit", XCPU, limits(Some(1), None, None, 2), None, signaled(XCPU)),
        ("SIGXCPU by hand, unlimited", XCPU, limits(None, None, None, 900_000), None, signaled(XCPU)),
        ("SIGXCPU, limits not known", XCPU, None, None, signaled(XCPU)),
        ("SIGKILL at the hard limit", KILL, limits(Some(1), Some(5), None, 5_000), None, cpu.clone()),
        ("SIGKILL beyond the soft limit only", KILL, limits(Some(1), Some(9), None, 5_000), None, signaled(KILL)),
        ("SIGKILL, unlimited", KILL, limits(None, None, None, 900_000), None, signaled(KILL)),
        ("a file limit", XFSZ, limits(None, None, Some(7), 0), None, Cause::FileSizeLimit { limit_bytes: 7 }),
        ("SIGXFSZ by hand, unlimited", XFSZ, limits(None, None, None, 0), None, signaled(XFSZ)),
        ("named by the kernel", KILL, None, oom(Some(true), None), out_of_memory.clone()),
        ("counted in its own group", KILL, None, oom(None, Some(1)), out_of_memory.clone()),
        ("another one of its group was killed", KILL, None, oom(Some(false), Some(1)), signaled(KILL)),
        ("none was killed in its group", KILL, None, oom(None, Some(0)), signaled(KILL)),
        ("nothing is known", KILL, None, oom(None, None), signaled(KILL)),
        (
            "memory comes before the CPU limit",
            KILL,
            limits(None, Some(5), None, 5_000),
            oom(Some(true), None),
            out_of_memory,
        ),
        (
            "a code is a code",
            WaitStatus::Code(137),
            limits(None, Some(5), None, 9_000),
            oom(Some(true), None),
            Cause::Exited { code: 137 },
        ),
    ];
    for (claim, status, limits, oom, want) in cases {
        assert_eq!(cause_of_end(&end(status, limits, oom), &[]), want, "{claim}");
    }
}

#[test]
fn a_signal_that_somebody_is_known_to_have_sent_is_that_somebodys() {
    let sender = Sender::gone(9, Some(0), None);
    let by = |signal, sender| SignalRecord {
        signal: Signal(signal),
        at: Wall(0),
        to: Arrived::Process,
        sender,
        survived: false,
    };
    let end = end(XCPU, limits(Some(6), None, None, 5_000), None);
    assert_eq!(cause_of_end(&end, &[by(libc::SIGXCPU, Some(sender.clone()))]), XCPU.cause());
    let caught = SignalRecord { survived: true, ..by(libc::SIGXCPU, Some(sender.clone())) };
    let cpu = Cause::CpuLimit { limit_s: 5 };
    assert_eq!(cause_of_end(&end, &[caught]), cpu, "it lived on after that one");
    assert_eq!(cause_of_end(&end, &[by(libc::SIGXCPU, None)]), cpu, "the kernel sent it");
    assert_eq!(cause_of_end(&end, &[by(libc::SIGHUP, Some(sender))]), cpu, "another signal");
}

#[test]
fn a_signal_that_the_process_lived_on_after_is_told_apart() {
    let signal = |signal, at| SignalRecord {
        signal: Signal(signal),
        at: Wall(at),
        to: Arrived::Shim,
        sender: Some(Sender::gone(9, None, None)),
        survived: false,
    };
    let survived = |status, unseen, signals: &[SignalRecord]| {
        let mut end = end(status, None, None);
        end.at.wall = Wall(100_000);
        let record = RunRecord { end: Some(end), unseen, signals: signals.to_vec(), ..RunRecord::default() };
        signals_of(&record).iter().map(|signal| signal.survived).collect::<Vec<_>>()
    };
    let term = WaitStatus::Signal(Signal(15), false);
    let both = [signal(15, 99_000), signal(1, 99_000)];
    assert_eq!(survived(term, None, &both), [false, false], "it is known who sent the last one");
    assert_eq!(survived(term, Some(Unseen::NotRoot), &both), [true, false], "nobody saw the one that ended it");
    let old = [signal(15, 30_000), signal(15, 99_000)];
    assert_eq!(survived(WaitStatus::Code(0), None, &old), [true, false], "more than a minute before an exit");
}

#[test]
fn a_shim_that_ended_without_a_word_is_unknown_and_not_a_failed_start() {
    let failed = |step| SpawnFailure { errno: libc::EIO, step, at: end(KILL, None, None).at };
    let cause = cause_of_failed_start(&failed(SpawnStep::Shim), "gone".to_owned());
    assert_eq!(cause, Cause::Unknown { why: "gone".to_owned() });
    let cause = cause_of_failed_start(&failed(SpawnStep::Exec), "x".to_owned());
    assert_eq!(cause.kind(), "spawn_failed");
}
