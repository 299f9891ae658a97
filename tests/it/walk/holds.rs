//! What holds on every walk: at each commit, and when everything has come to rest.

use guardian::model::ending::{Cause, Verdict};
use guardian::model::state::{Began, Desired, Phase};
use guardian::policy::decide::{Act, Decision};

use super::world::{Process, Shim, World};

/// What a decision that is about to be committed may do.
pub(super) fn at_commit(world: &mut World, of: usize, decision: &Decision<'_>, by_operator: bool) {
    let (now, truth) = (world.now(), world.truth);
    let process = &mut world.processes[of];
    let name = process.name.clone();
    let (old, new) = (&process.disk.state, &decision.state);
    assert!(new.run == old.run || new.run == old.run + 1, "{name}: run {} after {}", new.run, old.run);
    for event in &old.pending {
        assert!(new.pending.iter().any(|kept| kept.id == event.id), "{name}: `{}` is lost", event.id);
    }
    let launches = decision.act == Act::Launch && new.run > old.run;
    if by_operator {
        if launches || new.restarted_at.is_empty() {
            process.restarts.clear();
            process.open_until = None;
        }
    } else if launches {
        if let Phase::Tripped { until, .. } = &old.phase {
            assert!(now.has_reached(until), "{name}: started against an open breaker");
        }
        let open = process.open_until.take().filter(|until| *until > truth);
        assert!(open.is_none(), "{name}: started at {truth} although the breaker is open until {open:?}");
    }
    if let Phase::Tripped { until, .. } = &new.phase {
        process.open_until = Some(truth + u64::try_from(until.since(&now).as_millis()).unwrap());
    } else if !launches && !matches!(new.phase, Phase::Open(_)) {
        process.open_until = None;
    }
    if launches && !by_operator {
        window(process, decision, truth);
    }
    if launches {
        let (began, run) = (new.open().map(|open| open.began), new.run);
        world.note(format!("{name}: run {run} is decided on, {began:?}"));
    }
}

/// At most `max_restarts` restarts after bad ends within the window, and never one after `max_failures`.
fn window(process: &mut Process, decision: &Decision<'_>, truth: u64) {
    let (spec, new) = (&process.spec, &decision.state);
    let after_a_failure = new.open().is_some_and(|open| open.began == Began::Restart)
        && new.last.as_ref().is_some_and(|last| {
            let bad = matches!(last.verdict, Verdict::Premature | Verdict::Failed);
            bad && last.cause != Cause::Reboot && new.open().is_some_and(|open| open.since.boot == last.began.boot)
        });
    if !after_a_failure {
        return;
    }
    let within = u64::try_from(spec.window.as_millis()).unwrap();
    process.restarts.retain(|at| truth - at < within);
    let count = u32::try_from(process.restarts.len()).unwrap();
    assert!(spec.max_restarts == 0 || count < spec.max_restarts, "{}: {count} restarts in its window", process.name);
    assert!(spec.max_failures == 0 || new.failures < spec.max_failures, "{}: {} failures", process.name, new.failures);
    process.restarts.push(truth);
}

/// What is so when nobody is killed any more, sinks answer, and time has passed.
pub(super) fn at_rest(world: &World) {
    let now = world.now();
    assert!(world.outbox.pending.is_empty(), "the outbox keeps {:?}", world.outbox.pending);
    for ((sink, id), heard) in &world.outbox.heard {
        let excused = world.outbox.excused.get(&(sink.clone(), id.clone())).copied().unwrap_or(0);
        assert!(*heard <= 1 + excused, "`{sink}` heard `{id}` {heard} times, {excused} of them excused");
    }
    for process in &world.processes {
        let (name, state) = (&process.name, &process.disk.state);
        assert!(state.pending.is_empty(), "{name}: events are left in its state");
        match &state.phase {
            Phase::Open(open) => {
                let run = process.runs.get(&open.run);
                let well = run.is_some_and(|run| run.main && run.shim == Shim::Waits);
                assert!(well && state.desired == Desired::Up, "{name}: nobody sees to {open:?}: {run:?}");
            }
            Phase::Waiting { until } | Phase::Tripped { until, .. } => {
                assert!(!now.has_reached(until) && state.desired == Desired::Up, "{name}: stuck in {:?}", state.phase);
            }
            Phase::New | Phase::Stopped => assert_eq!(state.desired, Desired::Down, "{name}: {:?}", state.phase),
            Phase::Completed | Phase::Dead => {}
        }
        for (number, run) in &process.runs {
            let open = state.open().is_some_and(|open| open.run == *number);
            assert!(open || !run.main, "{name}: run {number} lives and nobody knows");
            let began = run.record.main.is_some() || run.record.spawn_failure.is_some();
            if !open && began {
                deaths(world, process, *number);
            }
        }
    }
}

/// An end is in the history with one verdict; a bad one was told, or it is written down why not.
fn deaths(world: &World, process: &Process, run: u64) {
    let of_run = || process.disk.journal.values().filter(|event| event.run == Some(run));
    let name = &process.name;
    let words: Vec<&str> = of_run().map(|event| event.kind.word()).collect();
    assert!(words.contains(&"exited"), "{name}: the end of run {run} is not in the history: {words:?}");
    let verdicts: Vec<&&str> =
        words.iter().filter(|word| ["completed", "failed", "premature", "stopped"].contains(word)).collect();
    assert_eq!(verdicts.len(), 1, "{name}: run {run} is judged as {verdicts:?}");
    if ["premature", "failed"].contains(verdicts[0]) {
        let told = world.outbox.answered("ops", |id| of_run().any(|event| event.id == id));
        assert!(told, "{name}: nobody was told that run {run} is {}: {words:?}", verdicts[0]);
    }
}
