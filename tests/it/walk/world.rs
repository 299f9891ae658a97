//! A small world for the policy: clocks, a kernel with programs and shims in it, and a disk that keeps what was committed.

use std::collections::BTreeMap;
use std::time::Duration;

use guardian::model::event::Event;
use guardian::model::evidence::{Evidence, Life, Lock, Recorded, RunRecord, SpawnFailure, SpawnStep, TakenOver};
use guardian::model::name::Name;
use guardian::model::probe::Probe;
use guardian::model::spec::{Leftover, OnHang, Restart, Spec, Target};
use guardian::model::state::State;
use guardian::model::time::{BootId, Identity, Stamp, Wall};
use serde_json::{Value, json};

use super::outbox::Outbox;

/// SplitMix64, so that a walk that failed can be walked again.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }

    pub(super) fn one_in(&mut self, most: u64) -> bool {
        self.below(most) == 0
    }

    /// One of the numbers below `most`.
    pub(super) fn pick(&mut self, most: usize) -> usize {
        usize::try_from(self.below(u64::try_from(most).unwrap())).unwrap()
    }
}

/// How far a shim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shim {
    /// It has not written down anything.
    Born,
    /// It waits for its program.
    Waits,
    /// Its program has ended; what that left is being cleared.
    Clears,
    /// It is gone, or has let go of the run.
    Gone,
}

/// One run, as the kernel and its record have it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) shim: Shim,
    /// The program lives.
    pub(super) main: bool,
    /// Something else of it lives.
    pub(super) others: bool,
    /// It was asked to end.
    pub(super) asked: bool,
    pub(super) stubborn: bool,
    /// Since when it does nothing, if so: CPU time in milliseconds stands there.
    pub(super) hung: Option<u64>,
    pub(super) record: RunRecord,
}

impl Run {
    pub(super) fn lives(&self) -> bool {
        self.main || self.others
    }
}

/// What is on the disk of one process.
pub(super) struct Disk {
    pub(super) state: State,
    /// The commit before, as long as a power cut may bring it back.
    pub(super) before: Option<State>,
    pub(super) journal: BTreeMap<String, Event>,
}

/// One process: its registry entry, its runs, its disk, and what is true of it.
pub(super) struct Process {
    pub(super) name: Name,
    pub(super) spec: Spec,
    pub(super) runs: BTreeMap<u64, Run>,
    pub(super) disk: Disk,
    /// Who holds its lock.
    pub(super) lock: Option<usize>,
    /// Restarts after bad ends that count for the window, by true time.
    pub(super) restarts: Vec<u64>,
    /// Until when the breaker is open, by true time.
    pub(super) open_until: Option<u64>,
}

/// All of it.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) processes: Vec<Process>,
    pub(super) outbox: Outbox,
    wall: i64,
    boot_ms: u64,
    boots: u32,
    /// Milliseconds since the beginning, whatever clocks say.
    pub(super) truth: u64,
    /// What happened last, for who looks at a walk that failed.
    pub(super) story: Vec<String>,
}

fn specs(random: &mut Random) -> Spec {
    let base = Spec::with_command(guardian::model::spec::Command::Shell("x".to_owned()));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    match random.below(12) {
        0 => Spec { max_failures: 0, max_restarts: 4, window: minutes(60), backoff: Duration::ZERO, ..base },
        1 => Spec { target: Target::Exit, restart: Restart::OnFailure, ..base },
        2 => Spec { target: Target::Exit, restart: Restart::Always, ..base },
        3 => Spec { target: Target::For(minutes(30)), stop_at_target: true, restart: Restart::Always, ..base },
        4 => Spec { time_limit: Some(minutes(10)), ..base },
        5 => Spec { hang_after: Some(minutes(10)), max_failures: 2, ..base },
        6 => Spec { hang_after: Some(minutes(1)), on_hang: OnHang::Alert, ..base },
        7 => Spec { ready: Some(Probe::Notify), ..base },
        8 => Spec { leftover: Leftover::Keep, max_restarts: 3, window: minutes(10), ..base },
        9 => Spec { restart: Restart::Never, ..base },
        10 => Spec { target: Target::For(minutes(60)), max_failures: 1, breaker_cooldown: minutes(2), ..base },
        _ => base,
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut world = Self {
            processes: Vec::new(),
            outbox: Outbox::new(),
            wall: 1_795_000_000_000,
            boot_ms: 50_000,
            boots: 0,
            truth: 0,
            story: Vec::new(),
            random: Random(random.below(u64::MAX)),
        };
        for number in 0..3 {
            let disk = Disk { state: State::new(&world.now()), before: None, journal: BTreeMap::new() };
            world.processes.push(Process {
                name: format!("p{number}").parse().unwrap(),
                spec: specs(&mut random),
                runs: BTreeMap::new(),
                disk,
                lock: None,
                restarts: Vec::new(),
                open_until: None,
            });
        }
        world
    }

    pub(super) fn note(&mut self, what: String) {
        let now = self.truth;
        self.story.push(format!("{now:>10} {what}"));
    }

    pub(super) fn now(&self) -> Stamp {
        let boot = BootId::new(&format!("b{}", self.boots)).unwrap();
        Stamp { wall: Wall(self.wall), boot_ms: self.boot_ms, boot }
    }

    pub(super) fn pass_time(&mut self, ms: u64) {
        self.truth += ms;
        self.boot_ms += ms;
        self.wall += i64::try_from(ms).unwrap();
    }

    /// Somebody sets the wall clock.
    pub(super) fn set_clock(&mut self, by: i64) {
        self.note(format!("the wall clock jumps by {by} ms"));
        self.wall += by;
    }

    /// The power goes: nothing lives, and what was not settled may be gone.
    pub(super) fn reboot(&mut self) {
        self.note("reboot".to_owned());
        self.boots += 1;
        self.boot_ms = 5_000 + self.random.below(60_000);
        let lost = 1 + self.random.below(600_000);
        self.truth += lost;
        self.wall += i64::try_from(lost).unwrap();
        for process in &mut self.processes {
            process.lock = None;
            process.open_until = None;
            for run in process.runs.values_mut() {
                (run.shim, run.main, run.others) = (Shim::Gone, false, false);
            }
            if let Some(before) = process.disk.before.take()
                && self.random.one_in(2)
            {
                process.disk.state = before;
                process.restarts.clear();
            }
        }
    }

    /// A shim is made for a run that the disk has open.
    pub(super) fn launch(&mut self, of: usize, number: u64) {
        let stubborn = self.random.one_in(4);
        let process = &mut self.processes[of];
        let name = process.name.clone();
        assert_eq!(process.disk.state.desired, guardian::model::state::Desired::Up, "{name}: started against a wish");
        let keeps = process.spec.leftover == Leftover::Keep;
        for (other, run) in &process.runs {
            assert!(
                !run.main && (keeps || !run.others),
                "{name}: run {number} beside run {other}, of which some lives"
            );
            assert!(!matches!(run.shim, Shim::Born | Shim::Waits), "{name}: run {other} has its shim");
        }
        let began_before = process.runs.get(&number).is_some_and(|run| run.record.main.is_some());
        assert!(!began_before, "{name}: run {number} is begun a second time");
        let record = RunRecord::default();
        let (shim, main, others) = (Shim::Born, false, false);
        process.runs.insert(number, Run { shim, main, others, asked: false, stubborn, hung: None, record });
        self.note(format!("{name}: run {number} is launched"));
    }

    /// The shim of a run does what comes next.
    pub(super) fn shim_goes_on(&mut self, of: usize, number: u64) {
        let now = self.now();
        let fails = self.random.one_in(20);
        let ready = self.random.one_in(2);
        let process = &mut self.processes[of];
        let keeps = process.spec.leftover == Leftover::Keep;
        let lives: Vec<u64> = process.runs.iter().filter(|(_, run)| run.main).map(|(number, _)| *number).collect();
        let name = process.name.clone();
        let run = process.runs.get_mut(&number).unwrap();
        match run.shim {
            Shim::Born => {
                assert!(lives.is_empty(), "{name}: run {number} begins while {lives:?} lives");
                let pid = 1000 + i32::try_from(number).unwrap();
                let identity = |pid| Identity { pid, started: now.boot_ms, boot: now.boot.clone(), unique: None };
                run.record.shim = Some(identity(pid + 5000));
                if fails {
                    let step = SpawnStep::Cwd;
                    run.record.spawn_failure = Some(SpawnFailure { errno: 2, step, at: now });
                    run.shim = Shim::Gone;
                } else {
                    run.record.main = Some(identity(pid));
                    run.record.began = Some(now);
                    (run.main, run.shim) = (true, Shim::Waits);
                }
            }
            Shim::Waits if run.main => {
                if ready && run.record.ready.is_none() && process.spec.ready.is_some() {
                    let seen = json!({"at": now, "by": "notify"});
                    run.record.ready = Some(serde_json::from_value(seen).unwrap());
                }
            }
            // A shim that sees no wait status any more: only that it is gone is known.
            Shim::Waits => {
                if run.record.end.is_none() {
                    let gone = json!({"at": now, "log_bytes": 0});
                    run.record.gone = Some(serde_json::from_value(gone).unwrap());
                }
                run.shim = Shim::Clears;
            }
            Shim::Clears => {
                run.others &= keeps;
                run.shim = Shim::Gone;
            }
            Shim::Gone => {}
        }
    }

    /// The program of a run ends. A shim that waits for it records how.
    pub(super) fn die(&mut self, of: usize, number: u64, status: &Value) {
        let now = self.now();
        let name = self.processes[of].name.clone();
        self.note(format!("{name}: run {number} ends: {status}"));
        let run = self.processes[of].runs.get_mut(&number).unwrap();
        run.main = false;
        if run.shim == Shim::Waits && run.record.taken_over.is_empty() {
            let end = json!({"status": status, "at": now, "leftover": run.others, "log_bytes": 0});
            run.record.end = Some(serde_json::from_value(end).unwrap());
            run.shim = Shim::Clears;
        }
    }

    /// SIGKILL to the shim alone.
    pub(super) fn kill_shim(&mut self, of: usize, number: u64) {
        let name = self.processes[of].name.clone();
        self.note(format!("{name}: the shim of run {number} is killed"));
        self.processes[of].runs.get_mut(&number).unwrap().shim = Shim::Gone;
    }

    /// A new shim for a program that lost its own.
    pub(super) fn take_over(&mut self, of: usize, number: u64) {
        let at = self.now();
        let run = self.processes[of].runs.get_mut(&number).unwrap();
        if run.main && run.shim == Shim::Gone {
            run.shim = Shim::Waits;
            run.record.taken_over.push(TakenOver { at, untraced: None });
        }
    }

    /// What can be observed of the open run of a process, now and then not all of it.
    pub(super) fn observe(&mut self, of: usize, state: &State) -> Option<Evidence> {
        let now = self.now();
        let blind = self.random.one_in(50);
        let open = state.open()?;
        let run = self.processes[of].runs.get(&open.run);
        let record = run.map_or(Recorded::Missing, |run| Recorded::Read(Box::new(run.record.clone())));
        let held = run.is_some_and(|run| run.shim != Shim::Gone);
        let (main, tree_lock) = match run {
            _ if held => (Life::Unknown, Lock::Unknown),
            None => (Life::Gone, Lock::Free),
            Some(run) => {
                let main = if run.main { Life::Alive } else { Life::Gone };
                (main, if run.lives() { Lock::Held } else { Lock::Free })
            }
        };
        let shim_lock = match held {
            _ if blind => Lock::Unknown,
            true => Lock::Held,
            false => Lock::Free,
        };
        Some(Evidence {
            now,
            shim_lock,
            tree_lock,
            main,
            record,
            inspection: None,
            probed: None,
            tail: None,
            init_began: None,
            ends_all: false,
        })
    }
}
