//! Waiting for answers: for one on behalf of a shim, for many on behalf of cron, never for longer than is said here.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::context::Context;
use crate::error::Error;
use crate::inspect::By;
use crate::model::liveness::Probed;
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::time::Stamp;
use crate::store::state;
use crate::supervise::{now, observe};

use super::{Answer, Asked, ask, awake, is_due};

/// All questions of one pass of cron together take no longer. What was not answered by then, or not asked, is left to the
/// next pass, and counts as nothing: so a `probe_timeout` beyond it is judged by shims only.
const BOUND: Duration = Duration::from_secs(10);
/// So many are asked at once.
const AT_ONCE: usize = 64;
/// A probe that answers within this time needs no second look at the process.
const QUICK: Duration = Duration::from_millis(100);

/// Least time between two things that are done meanwhile.
const BREATH: Duration = Duration::from_millis(10);

/// A question on behalf of the shim of one process, which goes on waiting for other things meanwhile.
pub struct Round {
    answers: Receiver<Answer>,
    asked: Option<Asked>,
    first: bool,
}

impl Round {
    /// Puts the question to `run` of `name`, if it is due.
    ///
    /// # Errors
    /// State, a clock, or what the program was started with cannot be read.
    pub fn begin(ctx: &Context, name: &Name, spec: &Spec, run: u64) -> Result<Option<Self>, Error> {
        if spec.probe.is_none() {
            return Ok(None); // the common case costs nothing
        }
        let Some(state) = state::load(&ctx.paths, name)? else { return Ok(None) };
        let evidence = observe(ctx, name, &state, &now()?);
        let mine = state.open().is_some_and(|open| open.run == run);
        if !mine || is_due(spec, &state, evidence.as_ref(), By::Shim).is_none() {
            return Ok(None);
        }
        let (tell, answers) = channel();
        let asked = ask(ctx, name, spec, &state, evidence.as_ref(), spec.probe_timeout, (0, tell))?;
        Ok(asked.map(|asked| Self { answers, asked: Some(asked), first: true }))
    }

    /// Whether an answer is still waited for.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.asked.is_some()
    }

    /// Waits until the answer is there, or its time is over; or `until`, when something else is to be done: then `None`,
    /// and the question is open.
    ///
    /// # Errors
    /// A clock cannot be read.
    pub fn wait(&mut self, ctx: &Context, name: &Name, until: Option<&Stamp>) -> Result<Option<Probed>, Error> {
        let Some(asked) = &self.asked else { return Ok(None) };
        let left = asked.left()?;
        let now = now()?;
        let other = until.map(|until| until.since(&now).max(BREATH)).into_iter();
        let wait = other.chain(self.first.then_some(QUICK)).min().map_or(left, |other| other.min(left));
        self.first = false;
        let answer = match self.answers.recv_timeout(wait) {
            Ok((_, answer)) => Some(answer),
            Err(RecvTimeoutError::Timeout) if !asked.left()?.is_zero() => return Ok(None),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        };
        self.asked.take().map_or(Ok(None), |asked| asked.answered(ctx, name, answer))
    }
}

/// Asks `late`, those that have waited longest first, and gives each answer to `tell` as it comes.
///
/// # Errors
/// A clock cannot be read. What concerns one process only goes to `tell`.
pub fn late_round(
    ctx: &Context,
    mut late: Vec<(Duration, &Name, &Spec)>,
    mut tell: impl FnMut(&Name, &Spec, Result<Option<Probed>, Error>),
) -> Result<(), Error> {
    late.sort_by_key(|(late, _, _)| std::cmp::Reverse(*late));
    let (sender, answers) = channel();
    let bound = u64::try_from(BOUND.as_millis()).unwrap_or(0); // a constant that fits
    let end = awake()?.saturating_add(bound);
    let mut open: BTreeMap<usize, Asked> = BTreeMap::new();
    let mut next = late.iter().enumerate();
    loop {
        let left = Duration::from_millis(end.saturating_sub(awake()?));
        while open.len() < AT_ONCE
            && !left.is_zero()
            && let Some((mark, (_, name, spec))) = next.next()
        {
            match put(ctx, name, spec, left, (mark, sender.clone())) {
                Ok(asked) => open.extend(asked.map(|asked| (mark, asked))),
                Err(error) => tell(name, spec, Err(error)),
            }
        }
        let first = open.values().map(Asked::left).collect::<Result<Vec<_>, _>>()?.into_iter().min();
        // Each is over at the end of all: then nothing of it is left.
        let Some(first) = first else { return Ok(()) };
        let (mark, answer) = match answers.recv_timeout(first) {
            Ok((mark, answer)) => (Some(mark), Some(answer)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let over = open.iter().find(|(_, asked)| asked.left().is_ok_and(|left| left.is_zero()));
                (over.map(|(mark, _)| *mark), None)
            }
        };
        // An answer after its time was taken for none already.
        let Some((mark, asked)) = mark.and_then(|mark| open.remove(&mark).map(|asked| (mark, asked))) else { continue };
        if let Some((_, name, spec)) = late.get(mark) {
            tell(name, spec, asked.answered(ctx, name, answer));
        }
    }
}

/// Asks one, as its state is now.
fn put(
    ctx: &Context,
    name: &Name,
    spec: &Spec,
    most: Duration,
    to: (usize, std::sync::mpsc::Sender<Answer>),
) -> Result<Option<Asked>, Error> {
    let Some(state) = state::load(&ctx.paths, name)? else { return Ok(None) };
    let evidence = observe(ctx, name, &state, &now()?);
    // The pass itself may have given it a new shim meanwhile: it was to be asked all the same.
    match is_due(spec, &state, evidence.as_ref(), By::Shim) {
        Some(_) => ask(ctx, name, spec, &state, evidence.as_ref(), most, to),
        None => Ok(None),
    }
}
