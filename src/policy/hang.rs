//! A hang is called, or is over: what is told and done then, whatever showed it.

use crate::model::ending::StopReason;
use crate::model::event::{Event, EventKind, Severity};
use crate::model::progress::Hang;
use crate::model::spec::OnHang;
use crate::model::state::OpenRun;
use crate::model::units::human_duration;

use super::draft::Draft;

/// Tells the hang `which` of the open run, in full in `detail`, and does what `on_hang` says.
pub(super) fn call(next: &mut Draft<'_>, open: &mut OpenRun, hang: &Hang, which: &str, detail: String) {
    let reason = StopReason::Hung { silent_s: hang.silent_s, silence: hang.silence };
    let (what, action) = match next.look.spec.on_hang {
        OnHang::Restart | OnHang::Kill => (Some(reason), reason.action()),
        OnHang::Alert => (None, "nothing is done: `on_hang` is `alert`"),
    };
    let event = next.event(EventKind::Hung, Severity::Warning, Some(open.run));
    next.tell(Event { id: format!("{}.{which}", event.id), action: action.to_owned(), detail, ..event });
    next.actions.push("hung");
    if let Some(reason) = what {
        next.end(open, reason);
    }
}

/// Tells that the hang `which` is over: `sign` is what shows it.
pub(super) fn recovered(next: &mut Draft<'_>, open: &OpenRun, hang: &Hang, which: &str, sign: &str) {
    let event = next.event(EventKind::Recovered, Severity::Info, Some(open.run));
    let since = human_duration(next.look.now.since(&hang.since));
    next.tell(Event {
        id: format!("{}.hung.{which}", event.id),
        detail: format!("{sign}, {since} after its hang was told"),
        ..event
    });
}
