//! One who changes a process, taken apart into the steps between which it can be killed: as `supervise`, `publish` and
//! `drain` go, with the real policy deciding.

use std::collections::VecDeque;
use std::time::Duration;

use guardian::model::delivery::Outcome;
use guardian::model::progress::{Inspection, Sample, Trace};
use guardian::model::state::{Desired, Phase, State};
use guardian::policy::classify::Standing;
use guardian::policy::decide::{Act, Decision, Look, decide, decide_later};
use guardian::policy::delivery::Batch;
use guardian::policy::{operator, progress, stagger};
use serde_json::json;

use super::holds;
use super::world::{Shim, World};

/// Who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cron,
    Push,
    Start,
    Stop,
    Restart,
    Reset,
}

/// What it does next.
enum Step {
    Inspect,
    Take,
    /// An operator's own wish.
    Wish,
    Decide,
    Commit(Box<Decision<'static>>),
    Act(Act, bool),
    /// Holding the lock until nothing of this run is left.
    AwaitGone(u64),
    Journal,
    Outbox(usize),
    Settle,
    Unlock,
    Plan,
    Send(VecDeque<Batch>),
    Receipt(Box<(Batch, Outcome)>, VecDeque<Batch>),
    Clear(Box<Batch>, VecDeque<Batch>),
    Done,
}

pub(super) struct Actor {
    pub(super) id: usize,
    pub(super) of: usize,
    pub(super) kind: Kind,
    step: Step,
    state: Option<State>,
    inspection: Option<Inspection>,
    later: Duration,
    rounds: u32,
    /// The operator's wish was carried out; what follows is what a pass does.
    wished: bool,
    /// A stop that was cut short was finished.
    finished: bool,
}

impl Actor {
    pub(super) fn new(id: usize, of: usize, kind: Kind) -> Self {
        let (step, wished) = (Step::Inspect, matches!(kind, Kind::Cron | Kind::Push));
        let later = Duration::ZERO;
        Self { id, of, kind, step, state: None, inspection: None, later, rounds: 0, wished, finished: false }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// SIGKILL.
    pub(super) fn is_killed(&self, world: &mut World) {
        world.note(format!("{:?} {} is killed", self.kind, self.id));
        if let Step::Receipt(sent, _) = &self.step
            && matches!(sent.1, Outcome::Delivered { .. })
        {
            world.outbox.forget(&sent.0);
        }
        let lock = &mut world.processes[self.of].lock;
        lock.take_if(|holder| *holder == self.id);
        world.outbox.lock.take_if(|holder| *holder == self.id);
    }

    /// Its next step.
    pub(super) fn go_on(&mut self, world: &mut World) {
        self.step = match std::mem::replace(&mut self.step, Step::Done) {
            Step::Inspect => self.inspect(world),
            Step::Take => self.take(world),
            Step::Wish => self.wish(world),
            Step::Decide => self.decide(world),
            Step::Commit(decision) => self.commit(world, *decision),
            Step::Act(act, remnants) => self.act(world, act, remnants),
            Step::AwaitGone(run) => self.await_gone(world, run),
            Step::Journal => {
                let pending = self.held().pending.clone();
                for event in &pending {
                    world.processes[self.of].disk.journal.entry(event.id.clone()).or_insert_with(|| event.clone());
                }
                if pending.is_empty() { Step::Unlock } else { Step::Outbox(0) }
            }
            Step::Outbox(sink) => {
                let (pending, now) = (self.held().pending.clone(), world.now());
                world.outbox.put(sink, &pending, &now);
                if sink + 1 < world.outbox.sinks.len() { Step::Outbox(sink + 1) } else { Step::Settle }
            }
            Step::Settle => {
                let state = State { pending: Vec::new(), ..self.held().clone() };
                let disk = &mut world.processes[self.of].disk;
                (disk.state, disk.before) = (state, None);
                Step::Unlock
            }
            Step::Unlock => {
                world.processes[self.of].lock = None;
                Step::Plan
            }
            Step::Plan if world.outbox.lock.is_some() => Step::Done,
            Step::Plan => {
                world.outbox.lock = Some(self.id);
                let now = world.now();
                Step::Send(world.outbox.plan(&now).into())
            }
            Step::Send(mut batches) => match batches.pop_front() {
                Some(batch) => {
                    let outcome = world.outbox.send(&batch);
                    Step::Receipt(Box::new((batch, outcome)), batches)
                }
                None => {
                    world.outbox.lock = None;
                    Step::Done
                }
            },
            Step::Receipt(sent, rest) => {
                let (batch, outcome) = *sent;
                let now = world.now();
                world.outbox.settle(&batch, &outcome, &now);
                Step::Clear(Box::new(batch), rest)
            }
            Step::Clear(batch, rest) => {
                world.outbox.clear(&batch);
                Step::Send(rest)
            }
            Step::Done => Step::Done,
        };
    }

    fn held(&self) -> &State {
        self.state.as_ref().expect("it holds the process")
    }

    /// A look at the signs of progress, before the lock.
    fn inspect(&mut self, world: &mut World) -> Step {
        let state = world.processes[self.of].disk.state.clone();
        let now = world.now();
        if let Some(open) = state.open()
            && let Some(run) = world.processes[self.of].runs.get(&open.run)
            && progress::due(&world.processes[self.of].spec, open, &run.record, &now).is_some()
        {
            let sample = Sample {
                awake_ms: now.boot_ms,
                wall: now.wall,
                output: Trace::None,
                heartbeat: Trace::None,
                watchdog: Trace::None,
                cpu_ms: Some(run.hung.unwrap_or(world.truth)),
                io_bytes: Some(0),
                members: open.run,
                processes: 1,
                memory_bytes: Some(1),
                debugged: false,
            };
            self.inspection = Some(Inspection { run: open.run, sample, stuck: None, probe: None });
        }
        Step::Take
    }

    fn take(&mut self, world: &mut World) -> Step {
        let unwatched = world.random.one_in(20);
        let put_off = Duration::from_millis(world.random.below(10_000));
        let now = world.now();
        let process = &mut world.processes[self.of];
        match (process.lock, self.kind) {
            (Some(_), Kind::Cron) => return Step::Done, // whoever has it does the work
            (Some(_), _) => return Step::Take,
            (None, _) => process.lock = Some(self.id),
        }
        let state = process.disk.state.clone();
        if !state.pending.is_empty() {
            process.disk.before = None; // settled before it is told
        }
        if self.wished && stagger::is_catch_up(&state, &now, unwatched) {
            self.later = put_off;
        }
        self.state = Some(state);
        if self.wished { Step::Decide } else { Step::Wish }
    }

    fn look(&self, world: &mut World, later: Duration) -> Decision<'static> {
        let state = self.held().clone();
        let mut evidence = world.observe(self.of, &state);
        if let Some(evidence) = &mut evidence {
            evidence.inspection.clone_from(&self.inspection);
        }
        let now = world.now();
        let process = &world.processes[self.of];
        let look = Look { name: &process.name, spec: &process.spec, state: &state, now: &now };
        let decision = decide_later(look, evidence.as_ref(), later).into_owned();
        let again = Look { state: &decision.state, ..look };
        if decision.act == Act::None && decision.state.open().map(|open| open.run) == state.open().map(|open| open.run)
        {
            let again = decide(again, evidence.as_ref());
            assert!(!again.changed, "{}: deciding again changes it: {:?}", process.name, again.state.phase);
        }
        decision
    }

    fn decide(&mut self, world: &mut World) -> Step {
        self.rounds += 1;
        let decision = self.look(world, self.later);
        if self.rounds > 8 || (!decision.changed && decision.act == Act::None) {
            return Step::Journal;
        }
        Step::Commit(Box::new(decision))
    }

    /// What the operator asked for, as the commands go about it.
    fn wish(&mut self, world: &mut World) -> Step {
        let found = self.look(world, Duration::ZERO);
        let (state, now) = (self.held().clone(), world.now());
        let process = &world.processes[self.of];
        let look = Look { name: &process.name, spec: &process.spec, state: &state, now: &now };
        let over = matches!(found.standing, Some(Standing::Ended(_)));
        let cut_short = state.open().is_some_and(|open| open.stopping.is_some()) && !self.finished;
        match self.kind {
            Kind::Reset => {
                self.wished = true;
                Step::Commit(Box::new(operator::reset(look).into_owned()))
            }
            Kind::Stop | Kind::Restart => {
                let then = if self.kind == Kind::Stop { Desired::Down } else { Desired::Up };
                let mut decision = operator::stop(look, None, then).into_owned();
                if over {
                    decision.act = Act::None;
                }
                self.wished = self.kind == Kind::Stop;
                Step::Commit(Box::new(decision))
            }
            Kind::Start if cut_short => {
                self.kind = Kind::Restart;
                Step::Wish
            }
            Kind::Start => {
                self.wished = true;
                self.start(world, found)
            }
            Kind::Cron | Kind::Push => Step::Decide,
        }
    }

    fn start(&mut self, world: &World, found: Decision<'static>) -> Step {
        let open = matches!(self.held().phase, Phase::Open(_));
        match &found.standing {
            Some(Standing::Running | Standing::Starting | Standing::Uncertain(_) | Standing::Unsupervised) if open => {
                let state = State { desired: Desired::Up, ..self.held().clone() };
                let (changed, act) = (true, Act::None);
                return Step::Commit(Box::new(Decision {
                    state: std::borrow::Cow::Owned(state),
                    changed,
                    act,
                    ..found
                }));
            }
            Some(Standing::Closing | Standing::Remnants) if open => {
                self.wished = false;
                return self.held().open().map_or(Step::Wish, |open| Step::AwaitGone(open.run));
            }
            _ => {}
        }
        let now = world.now();
        let process = &world.processes[self.of];
        let look = Look { name: &process.name, spec: &process.spec, state: self.held(), now: &now };
        Step::Commit(Box::new(operator::start_after(look, found)))
    }

    fn commit(&mut self, world: &mut World, decision: Decision<'static>) -> Step {
        let remnants = decision.standing == Some(Standing::Remnants);
        let by_operator = !matches!(self.kind, Kind::Cron | Kind::Push);
        holds::at_commit(world, self.of, &decision, by_operator);
        let act = decision.act;
        if decision.changed {
            let state = decision.state.into_owned();
            let disk = &mut world.processes[self.of].disk;
            let earlier = std::mem::replace(&mut disk.state, state.clone());
            disk.before = (act == Act::Launch).then_some(earlier);
            self.state = Some(state);
        }
        Step::Act(act, remnants)
    }

    fn act(&mut self, world: &mut World, act: Act, remnants: bool) -> Step {
        let run = self.held().open().map_or(0, |open| open.run);
        let waits = !matches!(self.kind, Kind::Cron | Kind::Push);
        if act == Act::Launch {
            world.launch(self.of, run);
            world.processes[self.of].disk.before = None;
            return Step::Journal;
        }
        if act == Act::Ask {
            if let Some(run) = world.processes[self.of].runs.get_mut(&run) {
                run.asked = true;
            }
            let stops = waits && matches!(self.kind, Kind::Stop | Kind::Restart);
            return if stops { Step::AwaitGone(run) } else { Step::Journal };
        }
        if act == Act::Kill {
            kill(world, self.of, run);
            return if remnants { Step::Decide } else { Step::Journal };
        }
        if act == Act::TakeOver {
            world.take_over(self.of, run);
            return Step::Journal;
        }
        match self.kind {
            Kind::Restart => self.next_wish(),
            Kind::Reset | Kind::Start => Step::Journal,
            Kind::Cron | Kind::Push | Kind::Stop => Step::Decide,
        }
    }

    /// The second half of a restart, or a start that cleared up first.
    fn next_wish(&mut self) -> Step {
        self.finished = true;
        self.kind = Kind::Start;
        Step::Wish
    }

    fn await_gone(&mut self, world: &mut World, run: u64) -> Step {
        let gone = world.processes[self.of].runs.get(&run).is_none_or(|run| !run.lives() && run.shim == Shim::Gone);
        if !gone {
            kill(world, self.of, run);
            return Step::AwaitGone(run);
        }
        match self.kind {
            Kind::Stop => Step::Decide,
            Kind::Start | Kind::Restart => self.next_wish(),
            Kind::Cron | Kind::Push | Kind::Reset => Step::Journal,
        }
    }
}

/// SIGKILL to all of a run but its shim.
fn kill(world: &mut World, of: usize, number: u64) {
    let Some(run) = world.processes[of].runs.get_mut(&number) else { return };
    run.others = false;
    if run.main {
        world.die(of, number, &json!({"signal": ["SIGKILL", false]}));
    }
}
