//! Observe, decide, commit, act, publish: one process, under its lock.
//!
//! Every trigger and every command that changes a process goes through here: the pass, the death
//! push, `start`, `stop`.

use std::io;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::inspect;
use crate::launch::{self, Launched};
use crate::living::{kill_group, living, remove_group};
use crate::model::event::Event;
use crate::model::evidence::Lock;
use crate::model::name::Name;
use crate::model::progress::Inspection;
use crate::model::sink::Sink;
use crate::model::spec::Spec;
use crate::model::state::{Began, Desired, OpenRun, Phase, State};
use crate::model::time::{Identity, Stamp};
use crate::os::{clock, lock, process};
use crate::policy::classify::Standing;
use crate::policy::decide::{Act, Decision, Look, began, decide_later};
use crate::policy::settle::RESTARTING;
use crate::publish::publish;
use crate::store::record::Durable;
use crate::store::{record, sentinel, state};

mod observe;
mod takeover;
mod waiter;

use observe::tail_of_an_end;
pub use observe::{consider, observe};

/// Steps that one look may lead to before the rest is left to the next pass.
const STEPS: usize = 8;

/// One process, with its state and the right to change it.
#[derive(Debug)]
pub struct Held<'a> {
    /// Surroundings.
    pub ctx: &'a Context,
    /// Its name.
    pub name: &'a Name,
    /// What the registry says of it.
    pub spec: &'a Spec,
    /// Who may be told.
    pub sinks: &'a [Sink],
    /// What is remembered; on the disk exactly like this.
    pub state: State,
    /// A start that is due now is put off by this; see [`crate::policy::stagger`].
    pub later: Duration,
    /// The start of a run, told at once. Not committed: the end of the run tells it again, under the same id.
    announced: Vec<Event>,
    /// A look at its signs of progress that was taken before the lock.
    pub inspection: Option<Inspection>,
    _lock: lock::Held,
}

/// What came of a look at one process.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was done, in the contract's words.
    pub actions: Vec<&'static str>,
    /// When something would next become true.
    pub deadline: Option<Stamp>,
    /// What became of the last start, if one was made.
    pub launched: Option<Launched>,
    /// Notifications queued.
    pub queued: usize,
    /// What failed without undoing the rest: publishing, sentinel files.
    pub errors: Vec<Error>,
}

/// This moment.
///
/// # Errors
/// A clock cannot be read.
pub fn now() -> Result<Stamp, Error> {
    clock::now().map_err(|error| Error::new(Code::System, "clock", format!("cannot read the clock: {error}")))
}

/// The state of a process that has none: new, unless there are records of runs. Then the numbers go on where they
/// were, and a run that lives is taken over, so that a lost state starts nothing a second time.
fn afresh(ctx: &Context, name: &Name, spec: &Spec) -> Result<State, Error> {
    let now = now()?;
    let mut state = State::new(&now);
    let Some(run) = record::runs(&ctx.paths, name)?.pop() else { return Ok(state) };
    state.run = run;
    let since = now.clone();
    let began = Began::Operator;
    let open = OpenRun::new(run, since, began);
    state.phase = Phase::Open(open);
    state.desired = Desired::Up;
    let standing = consider(ctx, name, spec, &state, &now).standing;
    if matches!(standing, None | Some(Standing::Ended(_) | Standing::NeverBegan)) {
        state.phase = Phase::Stopped;
        state.desired = Desired::Down;
    }
    Ok(state)
}

impl<'a> Held<'a> {
    /// Takes `name` under its lock and reads its state; one that was never seen is new.
    ///
    /// # Errors
    /// Lock or state cannot be used.
    pub fn take(ctx: &'a Context, name: &'a Name, spec: &'a Spec, sinks: &'a [Sink]) -> Result<Self, Error> {
        let lock = state::lock(&ctx.paths, name)?;
        Self::with(ctx, name, spec, sinks, lock)
    }

    /// The same, unless somebody else has it right now.
    ///
    /// # Errors
    /// Lock or state cannot be used.
    pub fn try_take(
        ctx: &'a Context,
        name: &'a Name,
        spec: &'a Spec,
        sinks: &'a [Sink],
    ) -> Result<Option<Self>, Error> {
        let lock = state::try_lock(&ctx.paths, name)?;
        lock.map(|lock| Self::with(ctx, name, spec, sinks, lock)).transpose()
    }

    fn with(
        ctx: &'a Context,
        name: &'a Name,
        spec: &'a Spec,
        sinks: &'a [Sink],
        lock: lock::Held,
    ) -> Result<Self, Error> {
        let state = match state::load(&ctx.paths, name)? {
            Some(state) => state,
            None => {
                let state = afresh(ctx, name, spec)?;
                if state.open().is_some() {
                    state::commit(&ctx.paths, name, &state)?;
                }
                state
            }
        };
        let later = Duration::ZERO;
        Ok(Self { ctx, name, spec, sinks, state, later, announced: Vec::new(), inspection: None, _lock: lock })
    }

    /// Decides about it as it is now, without changing anything.
    ///
    /// # Errors
    /// The clock cannot be read.
    pub fn consider(&self) -> Result<Decision<'static>, Error> {
        let now = now()?;
        let mut evidence = observe(self.ctx, self.name, &self.state, &now);
        let look = Look { name: self.name, spec: self.spec, state: &self.state, now: &now };
        if let Some(evidence) = &mut evidence {
            evidence.inspection.clone_from(&self.inspection);
            evidence.tail = tail_of_an_end(self.ctx, look, evidence);
        }
        Ok(decide_later(look, evidence.as_ref(), self.later).into_owned())
    }

    /// Looks, and does what follows, until nothing more follows now.
    ///
    /// # Errors
    /// The state cannot be committed, or a start cannot even be tried. What was committed before stands.
    pub fn advance(&mut self) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        for _ in 0..STEPS {
            let decision = self.consider()?;
            outcome.deadline.clone_from(&decision.deadline);
            if !decision.changed && decision.act == Act::None {
                break;
            }
            match self.carry_out(decision, &mut outcome) {
                Ok(Then::Look) => {}
                Ok(Then::Rest) => break,
                Err(error) => {
                    // What was committed is told, whatever keeps the rest from being done.
                    self.publish(&mut outcome);
                    return Err(error);
                }
            }
        }
        self.publish(&mut outcome);
        Ok(outcome)
    }

    /// Commits a decision and acts on it.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn carry_out(&mut self, decision: Decision<'static>, outcome: &mut Outcome) -> Result<Then, Error> {
        let Decision { state, changed, act, deadline, actions, standing, ready: _ } = decision;
        let mut state = state.into_owned();
        if let (Act::Launch, Phase::Open(open)) = (act, &mut state.phase) {
            open.log_offset = launch::log_size(&self.ctx.paths, self.name)?;
        }
        let ended =
            changed && state.last.as_ref().map(|last| last.run) != self.state.last.as_ref().map(|last| last.run);
        let mut waited = None;
        if changed {
            let kept = inspect::keep(self.ctx, self.name, self.inspection.as_ref(), [&self.state, &state]);
            outcome.errors.extend(kept.err());
            match act {
                Act::Launch => state::commit_unsettled(&self.ctx.paths, self.name, &state)?,
                Act::None | Act::Ask | Act::Kill | Act::TakeOver => state::commit(&self.ctx.paths, self.name, &state)?,
            }
            waited = self.waited_for(&state);
            self.state = state;
            // A run that begins at once removes and overwrites these files: writing them first would only delay it.
            if ended && act != Act::Launch {
                self.tell_end(outcome);
            }
            self.ensure_waiter(outcome);
        }
        outcome.actions.extend(actions);
        outcome.deadline = deadline;
        let then = self.act(act, standing, ended, outcome);
        waited.into_iter().for_each(|run| self.dismiss_waiter(run));
        then
    }

    /// The sentinel files of the last run that ended.
    fn tell_end(&self, outcome: &mut Outcome) {
        let told = self.state.last.as_ref().map(|last| sentinel::tell_end(&self.ctx.paths, self.name, last));
        outcome.errors.extend(told.and_then(Result::err));
    }

    /// Does what was decided and is committed. `ended`: with it a run has ended.
    fn act(&mut self, act: Act, standing: Option<Standing>, ended: bool, outcome: &mut Outcome) -> Result<Then, Error> {
        match act {
            Act::None => {
                // Before a launch it would cost time: that clears up after itself.
                if let Some(last) = self.state.last.as_ref().filter(|_| ended) {
                    remove_group(self.ctx, self.name, last.run);
                }
                Ok(Then::Look)
            }
            Act::Launch => {
                let then = self.launch(outcome);
                if ended && then.is_err() {
                    self.tell_end(outcome);
                }
                state::settle(&self.ctx.paths, self.name)?;
                then
            }
            Act::Ask => {
                self.signal(self.spec.stop_signal, outcome);
                Ok(Then::Rest)
            }
            Act::TakeOver => Ok(self.take_over(outcome)),
            Act::Kill => {
                self.signal(libc::SIGKILL, outcome);
                // With its shim the end is pushed; without it the locks are free as soon as the kernel is done.
                Ok(if standing == Some(Standing::Remnants) { self.wait_until_gone() } else { Then::Rest })
            }
        }
    }

    /// Starts the open run. A run that could not begin is looked at again at once: it has ended.
    fn launch(&mut self, outcome: &mut Outcome) -> Result<Then, Error> {
        let Some(open) = self.state.open().cloned() else { return Ok(Then::Look) };
        let launched = match launch::launch(self.ctx, self.name, self.spec, &open, self.sinks, &mut outcome.errors) {
            Ok(launched) => launched,
            Err(error) => {
                let why = &error.message;
                self.correct(&format!(
                    "its restart as run {} could not be tried, each pass tries again: {why}",
                    open.run
                ));
                return Err(error);
            }
        };
        outcome.launched = Some(launched);
        match launched {
            Launched::Started { pid, .. } => {
                self.correct(&format!("restarted at once as run {} (pid {pid})", open.run));
                let now = now()?;
                let look = Look { name: self.name, spec: self.spec, state: &self.state, now: &now };
                self.announced.extend(began(look, pid));
                outcome.deadline = self.consider()?.deadline;
                Ok(Then::Rest)
            }
            // What becomes of it stands in the record; a pass of its shim's tells it.
            Launched::Preparing => {
                self.correct(&format!("restarting as run {}: its preflight runs", open.run));
                outcome.deadline = None;
                Ok(Then::Rest)
            }
            Launched::Failed { .. } => {
                self.wait_until_gone();
                Ok(Then::Look)
            }
        }
    }

    /// Events that go out after this tell what really became of a restart.
    fn correct(&mut self, what: &str) {
        let actions = self.state.pending.iter_mut().map(|event| &mut event.action);
        for action in actions.chain(self.state.last.as_mut().map(|last| &mut last.action)) {
            if action.starts_with(RESTARTING) {
                what.clone_into(action);
            }
        }
    }

    /// The shim that reported a failed start, or the killed remnants, let go of the locks in a moment.
    fn wait_until_gone(&self) -> Then {
        let Some(open) = self.state.open() else { return Then::Look };
        for _ in 0..400 {
            let (_, shim) = record::read(&self.ctx.paths, self.name, open.run);
            if shim != Lock::Held && record::tree_lock(&self.ctx.paths, self.name, open.run) != Lock::Held {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Then::Look
    }

    /// Journal and outbox get what was committed; then the state lets go of it. What fails is kept for the next pass.
    pub fn publish(&mut self, outcome: &mut Outcome) {
        let announced = std::mem::take(&mut self.announced);
        let committed = !self.state.pending.is_empty();
        if !committed && announced.is_empty() {
            return;
        }
        let events: Vec<Event> = self.state.pending.iter().cloned().chain(announced).collect();
        let durable = if committed { Durable::Yes } else { Durable::No };
        let published = now().and_then(|now| {
            let queued = publish(self.ctx, self.name, &events, self.sinks, &now, durable)?;
            if committed {
                let rest = State { pending: Vec::new(), ..self.state.clone() };
                state::commit(&self.ctx.paths, self.name, &rest)?;
                self.state = rest;
            }
            Ok(queued)
        });
        match published {
            Ok(queued) => outcome.queued += queued,
            Err(error) => outcome.errors.push(error),
        }
    }

    /// Sends `signal` to every process of the open run.
    pub fn signal(&self, signal: i32, outcome: &mut Outcome) {
        let sent = self.living().map_err(|error| ("read the process table", error)).and_then(|living| {
            let boot = clock::boot_id().map_err(|error| ("read the boot id", error))?;
            // One that may not be signalled (a setuid program) shields none of the others.
            // One that stands still (SIGSTOP) hears nothing until it is sent on.
            let signals = [signal, libc::SIGCONT];
            if let (libc::SIGKILL, Some(open)) = (signal, self.state.open()) {
                kill_group(self.ctx, self.name, open.run, &living);
            }
            let each = living.iter().flat_map(|identity| signals.map(|signal| process::send(identity, &boot, signal)));
            let sent: Vec<_> = each.collect();
            sent.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(("signal a process of the run", error)))
        });
        if let Err((what, error)) = sent {
            outcome.errors.push(Error::new(Code::System, "signal", format!("cannot {what}: {error}")).about(self.name));
        }
    }

    /// Every living process of the open run; see [`living`].
    ///
    /// # Errors
    /// The process table cannot be read.
    pub fn living(&self) -> io::Result<Vec<Identity>> {
        self.state.open().map_or(Ok(Vec::new()), |open| living(self.ctx, self.name, open.run))
    }
}

/// What to do after a decision was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Look again.
    Look,
    /// Leave it at that for now.
    Rest,
}
