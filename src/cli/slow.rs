//! The mutation budget at work: a start that is one too many waits, holding nothing, and says why.

use std::time::Duration;

use crate::error::Error;
use crate::model::ending::EndedRun;
use crate::model::name::Name;
use crate::policy::agents::agents;
use crate::policy::budget::{Asked, By, counts, spend, wait, why};
use crate::policy::classify::Standing;
use crate::store::state;
use crate::supervise::{Held, now};
use crate::view::words::end_phrase;

use super::Call;
use super::common::Fresh;

/// A start that waits, or has waited.
#[derive(Debug, Clone)]
pub(super) struct Slowed {
    /// For how long.
    pub(super) wait: Duration,
    /// Why, in a sentence.
    pub(super) why: String,
}

/// Does `work` with `name` held, which starts it. Where that is one start too many, it first waits without holding it: that it
/// was asked for is committed before, so that breaking it off changes nothing.
pub(super) fn patiently<T>(
    call: &Call,
    fresh: &Fresh,
    name: &Name,
    asked: Asked,
    work: impl Fn(&mut Held<'_>) -> Result<T, Error>,
) -> Result<(T, Option<Slowed>), Error> {
    let mut slowed = None;
    loop {
        let turn = fresh.with(call, name, |held| {
            if slowed.is_none()
                && let Some(slow) = spent(call, held, asked)?
            {
                held.land()?;
                state::commit(&held.ctx.paths, name, &held.state)?;
                return Ok(Err(slow));
            }
            work(held).map(Ok)
        })?;
        match turn {
            Ok(done) => return Ok((done, slowed)),
            Err(slow) => {
                if !call.out.is_json() {
                    call.out.complain(&format!("note: {}\n  hint: guardian why {name}", slow.why));
                }
                std::thread::sleep(slow.wait);
                slowed = Some(slow);
            }
        }
    }
}

/// Counts a start that is about to be made of what is held, if one is; the start commits that. `Some`: it waits first.
fn spent(call: &Call, held: &mut Held<'_>, asked: Asked) -> Result<Option<Slowed>, Error> {
    let by = if agents(&call.ctx.environment).is_empty() { By::Somebody } else { By::Agent };
    let mut last = held.state.last.clone();
    if held.state.open().is_some() {
        let decision = held.consider()?;
        let over = matches!(decision.standing, Some(Standing::Ended(_) | Standing::NeverBegan));
        if asked == Asked::Start && !over {
            return Ok(None); // it runs
        }
        last = decision.state.into_owned().last;
    }
    if !counts(asked, by, last.as_ref()) {
        return Ok(None);
    }
    let ended = last.map(|EndedRun { cause, signals, stopped_by, verdict, .. }| {
        format!("{}, {}", verdict.word(), end_phrase(&cause, &signals, stopped_by.as_ref()))
    });
    let count = spend(&mut held.state.starts, &now()?);
    let wait = wait(count);
    Ok((!wait.is_zero()).then(|| Slowed { wait, why: why(held.name, count, wait, ended.as_deref()) }))
}
