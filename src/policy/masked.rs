//! What is kept of a process or a watch, without secrets in anything that a program may have said.
//!
//! A text that is empty or guardian's own is left alone, so that most ends need no mask at all.

use crate::model::ending::{Cause, Sender, SignalRecord};
use crate::model::event::Event;
use crate::model::state::{Phase, State};
use crate::model::watch_state::WatchState;

/// Gives a text back without secrets.
pub type Masking<'m> = dyn Fn(&str) -> String + 'm;

/// Masks the events that a state has not published yet, and the run that ended last.
pub fn state(state: &mut State, mask: &Masking<'_>) {
    state.pending.iter_mut().for_each(|event| self::event(event, mask));
    if let Phase::Open(open) = &mut state.phase
        && let Some(why) = open.probing.as_mut().and_then(|probing| probing.why.as_mut())
    {
        text(why, mask);
    }
    if let Some(last) = &mut state.last {
        cause(&mut last.cause, mask);
        signals(&mut last.signals, mask);
        last.stopped_by.iter_mut().for_each(|by| sender(by, mask));
    }
}

/// Masks what a watch saw, what its action said and what it has not published yet.
pub fn watch(state: &mut WatchState, mask: &Masking<'_>) {
    state.pending.iter_mut().for_each(|event| {
        text(&mut event.action, mask);
        self::event(event, mask);
    });
    state.action.iter_mut().for_each(|action| text(&mut action.outcome, mask));
    text(&mut state.reason, mask);
    state.value.iter_mut().for_each(|value| text(value, mask));
}

fn event(event: &mut Event, mask: &Masking<'_>) {
    text(&mut event.detail, mask);
    text(&mut event.alike, mask);
    event.cause.iter_mut().for_each(|it| cause(it, mask));
    event.by.iter_mut().for_each(|by| sender(by, mask));
    signals(&mut event.signals, mask);
}

/// Masks what is known of who sent signals.
pub fn signals(signals: &mut [SignalRecord], mask: &Masking<'_>) {
    signals.iter_mut().filter_map(|record| record.sender.as_mut()).for_each(|it| sender(it, mask));
}

/// Masks a command line.
pub fn sender(sender: &mut Sender, mask: &Masking<'_>) {
    sender.cmdline.iter_mut().for_each(|line| text(line, mask));
}

/// Masks what a program may have said of its end.
pub fn cause(cause: &mut Cause, mask: &Masking<'_>) {
    match cause {
        Cause::PreflightFailed { what, .. } | Cause::SpawnFailed { what, .. } => text(what, mask),
        Cause::Unknown { why } => text(why, mask),
        Cause::Exited { .. }
        | Cause::Signaled { .. }
        | Cause::OomKilled { .. }
        | Cause::Hung { .. }
        | Cause::TimeLimit { .. }
        | Cause::MemoryLimit { .. }
        | Cause::CpuLimit { .. }
        | Cause::FileSizeLimit { .. }
        | Cause::NotReady { .. }
        | Cause::Overlap
        | Cause::Reboot
        | Cause::ShimKilled => {}
    }
}

fn text(text: &mut String, mask: &Masking<'_>) {
    if !text.is_empty() {
        *text = mask(text);
    }
}
