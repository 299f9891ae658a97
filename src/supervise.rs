//! Observe, decide, commit, act, publish: one process, under its lock.
//!
//! Every trigger and every command that changes a process goes through here: the pass, the death
//! push, `start`, `stop`.

use std::path::PathBuf;
use std::time::Duration;

use crate::context::Context;
use crate::error::{Code, Error};
use crate::launch::{self, Launched};
use crate::living::remove_group;
use crate::masking;
use crate::model::event::Event;
use crate::model::evidence::Lock;
use crate::model::liveness::Probed;
use crate::model::name::Name;
use crate::model::progress::Inspection;
use crate::model::sink::Sink;
use crate::model::spec::Spec;
use crate::model::state::{Phase, State};
use crate::model::storm::Storm;
use crate::model::time::Stamp;
use crate::os::{clock, lock};
use crate::policy::classify::Standing;
use crate::policy::decide::{Act, Decision, Look, began};
use crate::policy::needs::ties;
use crate::policy::settle::RESTARTING;
use crate::publish::publish;
use crate::registry::Registry;
use crate::store::record::Durable;
use crate::store::{record, state};
use crate::storm::tell;

mod afresh;
mod ahead;
mod going_down;
mod hang;
mod needs;
mod observe;
mod outcome;
mod reach;
mod sentinels;
mod storm;
mod takeover;
mod waiter;
mod winding_down;

pub use ahead::{Ahead, registered};
pub use needs::needs;
use observe::tail_of_an_end;
pub use observe::{consider, observe};
pub use outcome::{Outcome, Then};

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
    /// The whole registry: what it depends on is in there.
    registry: &'a Registry,
    /// Who may be told.
    pub sinks: &'a [Sink],
    /// What is remembered; on the disk exactly like this.
    pub state: State,
    /// A start that is due now is put off by this; see [`crate::policy::stagger`].
    pub later: Duration,
    /// The start of a run, told at once. Not committed: the end of the run tells it again, under the same id.
    announced: Vec<Event>,
    /// Whether a bad end is judged in the light of what others do: a pass does, a command does not.
    pub with_others: bool,
    /// The storm that its last end is part of.
    storm: Option<Storm>,
    /// Until when what is to be told waits for others that fail now.
    gather: Option<Stamp>,
    goes_down: bool,
    /// A look at its signs of progress that was taken before the lock.
    pub inspection: Option<Inspection>,
    /// The answer to its `probe`, likewise.
    pub probed: Option<Probed>,
    /// What must be in its place before anything is committed.
    ahead: Option<Ahead>,
    /// What is to be synced once a start is made.
    unsettled: Option<PathBuf>,
    _lock: lock::Held,
}

/// This moment.
///
/// # Errors
/// A clock cannot be read.
pub fn now() -> Result<Stamp, Error> {
    clock::now().map_err(|error| Error::new(Code::System, "clock", format!("cannot read the clock: {error}")))
}

impl<'a> Held<'a> {
    /// Takes `name` under its lock and reads its state; one that was never seen is new.
    ///
    /// # Errors
    /// Lock or state cannot be used.
    pub fn take(ctx: &'a Context, name: &'a Name, spec: &'a Spec, registry: &'a Registry) -> Result<Self, Error> {
        let lock = state::lock(&ctx.paths, name)?;
        Self::with(ctx, name, spec, registry, lock)
    }

    /// The same, unless somebody else has it right now.
    ///
    /// # Errors
    /// Lock or state cannot be used.
    pub fn try_take(
        ctx: &'a Context,
        name: &'a Name,
        spec: &'a Spec,
        registry: &'a Registry,
    ) -> Result<Option<Self>, Error> {
        let lock = state::try_lock(&ctx.paths, name)?;
        lock.map(|lock| Self::with(ctx, name, spec, registry, lock)).transpose()
    }

    fn with(
        ctx: &'a Context,
        name: &'a Name,
        spec: &'a Spec,
        registry: &'a Registry,
        lock: lock::Held,
    ) -> Result<Self, Error> {
        let state = match state::load(&ctx.paths, name)? {
            Some(state) => {
                // Whoever committed these was killed, perhaps before the directory was synced: what is told must stay true.
                if !state.pending.is_empty() {
                    state::settle(&ctx.paths, name)?;
                }
                state
            }
            None => {
                let state = afresh::afresh(ctx, name, spec)?;
                if state.open().is_some() {
                    state::commit(&ctx.paths, name, &state)?;
                }
                state
            }
        };
        let (later, sinks) = (Duration::ZERO, registry.sinks.as_slice());
        Ok(Self {
            ctx,
            name,
            spec,
            registry,
            sinks,
            state,
            later,
            announced: Vec::new(),
            with_others: false,
            storm: None,
            gather: None,
            goes_down: false,
            inspection: None,
            probed: None,
            ahead: None,
            unsettled: None,
            _lock: lock,
        })
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
            evidence.probed.clone_from(&self.probed);
            evidence.ends_all = self.goes_down;
            evidence.tail = tail_of_an_end(self.ctx, look, evidence);
        }
        let mut decision = self.decide(look, evidence.as_ref())?;
        if decision.changed {
            masking::state(self.ctx, self.name, self.spec, decision.state.to_mut());
        }
        Ok(decision)
    }

    /// Looks, and does what follows, until nothing more follows now.
    ///
    /// # Errors
    /// The state cannot be committed, or a start cannot even be tried. What was committed before stands.
    pub fn advance(&mut self) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        for _ in 0..STEPS {
            let decision = self.consider()?;
            let decision = self.weather(decision, &mut outcome)?;
            let decision = self.while_going_down(decision)?;
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
        if self.goes_down {
            outcome.deadline = None; // nobody waits for it here
        }
        Ok(outcome)
    }

    /// Commits a decision and acts on it.
    ///
    /// # Errors
    /// As [`Self::advance`].
    pub fn carry_out(&mut self, decision: Decision<'static>, outcome: &mut Outcome) -> Result<Then, Error> {
        let Decision { state, changed, act, deadline, actions, standing, ready: _, waits } = decision;
        let mut state = state.into_owned();
        if let (Act::Launch, Phase::Open(open)) = (act, &mut state.phase) {
            // Where that cannot be told it is searched from the beginning: no reason to start nothing.
            match launch::log_end(&self.ctx.paths, self.name) {
                Ok(end) => open.log_offset = end,
                Err(error) => outcome.errors.push(error),
            }
            if open.against.is_none() {
                open.against = ties(&needs(self.ctx, self.registry, self.spec, &now()?)); // an operator's start
            }
        }
        let ended =
            changed && state.last.as_ref().map(|last| last.run) != self.state.last.as_ref().map(|last| last.run);
        let mut waited = None;
        if changed {
            let kept = self.keep_hang(&state);
            outcome.errors.extend(kept.err());
            self.commit(&state, act)?;
            waited = self.waited_for(&state);
            self.state = state;
            // A run that begins at once removes and overwrites these files: writing them first would only delay it.
            if ended && act != Act::Launch {
                self.tell_end(outcome);
            }
            if waits.is_none() && !self.goes_down {
                self.ensure_waiter(outcome);
            }
        }
        outcome.actions.extend(actions);
        outcome.deadline = deadline;
        let then = self.act(act, standing, ended, outcome);
        waited.into_iter().for_each(|run| self.dismiss_waiter(run));
        then
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
                self.settle()?;
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
            if let Some(at) = action.find(RESTARTING) {
                action.replace_range(at.., what);
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
            let mut queued = publish(self.ctx, self.name, Some(self.spec), &events, self.sinks, &now, durable)?;
            if let Some(storm) = &self.storm {
                queued += tell(self.ctx, storm, self.spec, &events, self.sinks, &now)?;
            }
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
}
