//! Looking at one process, without its lock and without changing anything.

use crate::context::Context;
use crate::living::living;
use crate::model::evidence::{Evidence, Life, Lock, Recorded};
use crate::model::name::Name;
use crate::model::spec::Spec;
use crate::model::state::State;
use crate::model::time::Stamp;
use crate::os::process;
use crate::policy::classify::{Standing, standing};
use crate::policy::decide::{Decision, Look, decide};
use crate::publish::{FAILURE_LINES, last_lines};
use crate::store::record;

/// What can be observed of the open run of `name`; `None`: none is open. Takes no lock.
#[must_use]
pub fn observe(ctx: &Context, name: &Name, state: &State, now: &Stamp) -> Option<Evidence> {
    let run = state.open()?.run;
    let (record, shim_lock) = record::read(&ctx.paths, name, run);
    let main = match &record {
        Recorded::Read(record) => record.main.clone(),
        Recorded::Missing | Recorded::Unreadable(_) => None,
    };
    // While the shim lives nothing more need be asked: it records the end before it lets go.
    let (main, tree_lock) = match (shim_lock, main) {
        (Lock::Held, _) => (Life::Unknown, Lock::Unknown),
        (Lock::Free | Lock::Unknown, main) => {
            let life = match main {
                Some(main) => process::life(&main, &now.boot),
                None => unrecorded(ctx, name, run, &record),
            };
            (life, record::tree_lock(&ctx.paths, name, run))
        }
    };
    let unexplained = main == Life::Gone && shim_lock == Lock::Free;
    let init_began = if unexplained { process::init_began(&now.boot) } else { None };
    let (inspection, probed, tail) = (None, None, None);
    Some(Evidence {
        now: now.clone(),
        shim_lock,
        tree_lock,
        main,
        record,
        inspection,
        probed,
        tail,
        init_began,
        ends_all: false,
    })
}

/// Whether a main process lives of which no record says who it is: none is there, it is damaged, or a full disk took the
/// line. Then whatever lives of the run is taken for it, so that nothing is started beside it and it is not killed.
fn unrecorded(ctx: &Context, name: &Name, run: u64, record: &Recorded) -> Life {
    let over = matches!(record, Recorded::Read(record) if record.end.is_some() || record.spawn_failure.is_some());
    let preparing = matches!(record, Recorded::Read(record) if record.preparing);
    if over || preparing {
        return Life::Gone;
    }
    match living(ctx, name, run) {
        Ok(living) if living.is_empty() => Life::Gone,
        Ok(_) | Err(_) => Life::Unknown,
    }
}

/// The last lines of a run that is over, from which its failure is known again; of one that lives nothing is read.
pub(super) fn tail_of_an_end(ctx: &Context, look: Look<'_>, evidence: &Evidence) -> Option<Vec<String>> {
    let open = look.state.open().filter(|_| evidence.shim_lock != Lock::Held)?;
    let over = matches!(standing(look.spec, open, evidence), Standing::Ended(_));
    over.then(|| last_lines(ctx, look.name, Some(look.spec), Some(open.run), FAILURE_LINES)).flatten()
}

/// Decides about `name` without changing anything.
#[must_use]
pub fn consider<'a>(ctx: &Context, name: &'a Name, spec: &'a Spec, state: &'a State, now: &'a Stamp) -> Decision<'a> {
    let evidence = observe(ctx, name, state, now);
    decide(Look { name, spec, state, now }, evidence.as_ref())
}
