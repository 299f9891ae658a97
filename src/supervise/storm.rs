//! A bad end in the light of the others: noted for them, paced and marked where it is part of a storm.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::Error;
use crate::model::ending::{Cause, EndedRun, Verdict};
use crate::model::state::{Desired, State};
use crate::model::storm::Failure;
use crate::model::time::Stamp;
use crate::policy::decide::Decision;
use crate::policy::storm::{GATHER, mark, wait};
use crate::publish::log_tail;
use crate::storm::note;
use crate::view::words::{cause_phrase, cut, sender_phrase, telling_signal};

use super::{Held, Outcome, now};

/// Longest text of a failure that others are told, in characters.
const WIDTH: usize = 160;

impl Held<'_> {
    /// The decision again, where it says that a run ended badly and that is part of a storm: its restart is paced then, and what
    /// is told of it says so. What keeps the others from knowing of it is reported, and changes nothing else.
    pub(super) fn weather(
        &mut self,
        decision: Decision<'static>,
        outcome: &mut Outcome,
    ) -> Result<Decision<'static>, Error> {
        let registry = self.registry;
        if !self.with_others || registry.healthcheck.storm == 0 {
            return Ok(decision);
        }
        let Some(ended) = newly_failed(&self.state, &decision.state) else { return Ok(decision) };
        let now = now()?;
        let run = ended.run;
        let failure = self.failure(ended, &now);
        let noted =
            note(self.ctx, registry, failure, || log_tail(self.ctx, self.name, Some(self.spec), Some(run)).pop());
        let noted = match noted {
            Ok(noted) => noted,
            Err(error) => {
                outcome.errors.push(error);
                return Ok(decision);
            }
        };
        if noted.crowd {
            self.gather = Some(now.plus(GATHER));
        }
        let Some(storm) = noted.storm else { return Ok(decision) };
        self.later = self.later.max(wait(&storm, self.name, &now));
        self.gather = Some(storm.began.at.plus(GATHER));
        let mut decision = self.consider()?;
        let mut state = decision.state.into_owned();
        if state.last.as_ref().is_some_and(|last| last.run == run) {
            mark(&mut state, run, &storm, self.spec, now.wall);
            self.storm = Some(storm);
        }
        decision.state = Cow::Owned(state);
        Ok(decision)
    }

    fn failure(&self, ended: &EndedRun, now: &Stamp) -> Failure {
        let EndedRun { run, verdict, cause, signals, .. } = ended;
        let sender = telling_signal(cause, signals).and_then(|record| record.sender.as_ref());
        // Who sent it stands apart: those that were killed by one signal fail alike.
        let short =
            if let Cause::Signaled { signal, .. } = cause { signal.to_string() } else { cause_phrase(cause, &[]) };
        Failure {
            at: now.clone(),
            process: self.name.clone(),
            epoch: self.state.epoch.clone(),
            run: *run,
            verdict: *verdict,
            cause: cut(&short, WIDTH),
            message: cut(&cause_phrase(cause, signals), WIDTH),
            sender: sender.map(|sender| cut(&sender_phrase(sender), WIDTH)),
            group: self.spec.group.clone(),
            last_line: None,
            slot_ms: None,
        }
    }

    /// How long what is to be told waits for others that fail now.
    pub fn gathers(&self, now: &Stamp) -> Duration {
        self.gather.as_ref().map_or(Duration::ZERO, |until| until.since(now))
    }
}

/// The run that `next` says has just ended badly. A reboot ends everything, and is told and spread by other means.
fn newly_failed<'n>(state: &State, next: &'n State) -> Option<&'n EndedRun> {
    let ended = next.last.as_ref()?;
    let new = state.last.as_ref().map(|last| last.run) != Some(ended.run);
    let bad = matches!(ended.verdict, Verdict::Premature | Verdict::Failed) && ended.cause != Cause::Reboot;
    (new && bad && next.desired == Desired::Up).then_some(ended)
}
