//! While guardian's loop ends, and with it all that runs, nothing is started: what is due waits for the next start of the loop.
//!
//! Asked only where a start would follow, now or later, under the lock of the process: whoever ends the runs takes each of these locks
//! after it has taken the one that is asked here.

use crate::error::Error;
use crate::model::evidence::{Evidence, Lock};
use crate::model::state::Phase;
use crate::os::lock;
use crate::policy::decide::{Act, Decision, Look, decide_needing};
use crate::policy::needs::{Need, Presence};

use super::Held;

/// What a start waits for meanwhile.
const WAITS: &str = " to begin again: its loop ends";

impl Held<'_> {
    /// What follows from a look, with what it depends on and whether all is being ended.
    pub(super) fn decide(&self, look: Look<'_>, evidence: Option<&Evidence>) -> Result<Decision<'static>, Error> {
        let mut needs = super::needs(self.ctx, self.registry, self.spec, look.now);
        let decision = decide_needing(look, evidence, self.later, &needs).into_owned();
        let launches = decision.act == Act::Launch;
        let later = matches!(decision.state.phase, Phase::Waiting { .. } | Phase::Tripped { .. });
        if !(launches || later) || lock::ask(&self.ctx.paths.ending_lock()) != Lock::Held {
            return Ok(decision);
        }
        if !launches {
            return Ok(Decision { deadline: None, ..decision }); // no shim waits for it any more
        }
        needs.push(Need { name: "guardian".parse()?, presence: Presence::Coming(WAITS), tie: None });
        let mut decision = decide_needing(look, evidence, self.later, &needs).into_owned();
        if decision.act == Act::Launch {
            decision.act = Act::None; // a run that was committed and never began: it does when the loop does
        }
        Ok(decision)
    }
}
