//! The `memory` limit where the kernel does not keep it: the run is looked at, the more often the nearer it is.
//!
//! A run that takes all its memory within a second can pass the limit before the next look; only a control group has no
//! such gap.

use std::time::Duration;

use crate::model::ending::StopReason;
use crate::model::evidence::RunRecord;
use crate::model::spec::Spec;
use crate::model::state::OpenRun;

use super::draft::Draft;

/// Time between two looks when the limit is near; also until the first one.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// Time between two looks at a run that uses next to nothing.
const LONGEST: Duration = Duration::from_secs(10);

/// Whether guardian itself keeps the limit of this run.
#[must_use]
pub fn is_watched(spec: &Spec, record: &RunRecord) -> bool {
    spec.memory.is_some() && record.placed.as_ref().is_none_or(|placed| !placed.keeps_memory)
}

/// Until the next look: ten seconds, less the share of the limit that is used; `None`: none is needed.
pub(super) fn next_look(spec: &Spec, record: &RunRecord, used: Option<u64>) -> Option<Duration> {
    let limit = spec.memory.filter(|_| is_watched(spec, record))?;
    let free = limit.saturating_sub(used.unwrap_or(0)).min(limit);
    let thousandths = u32::try_from(u128::from(free) * 1000 / u128::from(limit.max(1))).unwrap_or(1000); // at most 1000
    Some((LONGEST * thousandths / 1000).max(SHORTEST))
}

/// A run that uses more than its limit is asked to end.
pub(super) fn keep(next: &mut Draft<'_>, open: &mut OpenRun, record: &RunRecord, used: Option<u64>) {
    let spec = next.look.spec;
    let limit = spec.memory.filter(|_| is_watched(spec, record));
    if let Some(limit_bytes) = limit.filter(|limit| used.is_some_and(|used| used > *limit)) {
        next.end(open, StopReason::MemoryLimit { limit_bytes });
    }
}
