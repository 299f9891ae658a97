//! What a process was over a time, from its history: up, down, waiting; and not known where nothing shows it.
//!
//! Up is only what an event or a look proves. Where a run ended and nobody recorded when, it was up until a pass last saw it,
//! and from then on it is not known.

use std::time::Duration;

use crate::model::ending::Cause;
use crate::model::event::{Event, EventKind, Leaves};
use crate::model::time::Wall;

use super::lapse::Lapses;

/// What a process was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nobody wanted it up: stopped, completed, or not yet there.
    Unwanted,
    /// It lived.
    Up,
    /// It lived and was not ready yet.
    Starting,
    /// A restart was due later.
    Waiting,
    /// Nothing shows what it was.
    Unknown,
    /// It lived without progress.
    Hung,
    /// It was down, and was not started again.
    Down,
    /// It was down, and the breaker was open.
    Tripped,
}

/// A time in which it was one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Wall,
    /// Its end.
    pub until: Wall,
    /// What it was.
    pub kind: Kind,
}

/// Where it stands now.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Now.
    pub at: Wall,
    /// What it is; what a look cannot tell is [`Kind::Unknown`].
    pub kind: Kind,
    /// Since when that is known besides: when the run that lives began, or when what it waits for was asked for.
    pub since: Option<Wall>,
}

/// What is known of a process.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its events, oldest first.
    pub events: &'a [Event],
    /// Before which of them something is missing, ascending.
    pub gaps: &'a [usize],
    /// Times without a pass.
    pub lapses: Option<&'a Lapses>,
    /// How often a pass should run.
    pub every: Duration,
    /// Whether what follows a failure is the next time of a schedule.
    pub scheduled: bool,
    /// Where it stands.
    pub now: Standing,
}

/// The spans from `from` to now, without a hole, oldest first.
#[must_use]
pub fn spans(known: &Known<'_>, from: Wall) -> Vec<Span> {
    let mut line = Line::new(known);
    let mut gaps = known.gaps.iter().peekable();
    for (nth, event) in known.events.iter().enumerate() {
        while gaps.next_if(|gap| **gap <= nth).is_some() {
            line.lose(nth);
        }
        line.take(event);
    }
    if gaps.next().is_some() {
        line.lose(known.events.len());
    }
    clipped(line.end(), from, known.now.at)
}

/// How long it was each thing.
#[must_use]
pub fn total(spans: &[Span], of: impl Fn(Kind) -> bool) -> Duration {
    spans.iter().filter(|span| of(span.kind)).map(|span| span.from.until(span.until)).sum()
}

/// The spans that lie between these times, neighbours of one kind as one.
fn clipped(spans: Vec<Span>, from: Wall, until: Wall) -> Vec<Span> {
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        let span = Span { from: span.from.max(from), until: span.until.min(until), ..span };
        match kept.last_mut() {
            _ if span.from >= span.until => {}
            Some(last) if last.kind == span.kind => last.until = span.until,
            Some(_) | None => kept.push(span),
        }
    }
    kept
}

/// The run that is open on the line.
#[derive(Debug, Clone, Copy)]
struct Run {
    number: Option<u64>,
    at: Wall,
    /// Spans that were there when it began.
    mark: usize,
}

/// A line that is being drawn.
struct Line<'a> {
    known: &'a Known<'a>,
    spans: Vec<Span>,
    kind: Kind,
    since: Wall,
    run: Option<Run>,
}

impl<'a> Line<'a> {
    fn new(known: &'a Known<'a>) -> Self {
        let first = known.events.first();
        let whole = match first {
            // The history has its beginning: before that it was not there.
            Some(event) => event.kind == EventKind::Registered || (starts(event.kind) && event.run == Some(1)),
            None => known.now.kind == Kind::Unwanted,
        };
        let kind = if whole && known.gaps.first() != Some(&0) { Kind::Unwanted } else { Kind::Unknown };
        Self { known, spans: Vec::new(), kind, since: Wall(i64::MIN), run: None }
    }

    /// From `at` on it is another thing.
    fn turn(&mut self, at: Wall, kind: Kind) {
        let at = at.max(self.since); // a clock that was set back, or what was told later
        self.spans.push(Span { from: self.since, until: at, kind: self.kind });
        (self.kind, self.since) = (kind, at);
    }

    /// Events are missing before the `nth`.
    fn lose(&mut self, nth: usize) {
        let last = nth.checked_sub(1).and_then(|before| self.known.events.get(before));
        if let Some(last) = last {
            self.turn(last.at, Kind::Unknown);
        }
        self.kind = Kind::Unknown;
        self.run = None;
    }

    fn take(&mut self, event: &Event) {
        match event.kind {
            EventKind::Registered if self.kind == Kind::Unknown && self.run.is_none() => {
                self.turn(event.at, Kind::Unwanted);
            }
            EventKind::Started | EventKind::Restarted => {
                self.turn(event.at, Kind::Up);
                self.run = Some(Run { number: event.run, at: self.since, mark: self.spans.len() });
            }
            EventKind::Ready if self.kind == Kind::Up => {
                self.kind = Kind::Starting;
                self.turn(event.at, Kind::Up);
            }
            EventKind::Hung if self.kind == Kind::Up => self.turn(event.at, Kind::Hung),
            EventKind::Recovered if self.kind == Kind::Hung => self.turn(event.at, Kind::Up),
            EventKind::Exited => self.exited(event),
            EventKind::Premature | EventKind::Failed if event.watch.is_none() => {
                self.kind = self.after_failure(event);
            }
            EventKind::Completed => {
                self.kind = if event.next_at.is_some() { Kind::Waiting } else { Kind::Unwanted };
            }
            EventKind::Stopped if event.run.is_none() => self.turn(event.at, Kind::Unwanted),
            EventKind::Stopped => {
                self.kind = if event.leaves == Some(Leaves::Down) { Kind::Unwanted } else { Kind::Waiting };
            }
            EventKind::Tripped => self.kind = Kind::Tripped,
            EventKind::Registered
            | EventKind::Ready
            | EventKind::Signal
            | EventKind::Premature
            | EventKind::Failed
            | EventKind::Hung
            | EventKind::Killed
            | EventKind::Slow
            | EventKind::HalfOpen
            | EventKind::Recovered
            | EventKind::Unsupervised
            | EventKind::Stray
            | EventKind::Storm
            | EventKind::StormOver
            | EventKind::Flapping
            | EventKind::FlappingOver
            | EventKind::Acknowledged
            | EventKind::Skipped
            | EventKind::Acted
            | EventKind::Overdue
            | EventKind::Heartbeat
            | EventKind::AlertDelivered
            | EventKind::AlertFailed
            | EventKind::Test => {}
        }
    }

    fn after_failure(&self, event: &Event) -> Kind {
        match event.leaves {
            Some(Leaves::GivenUp) => Kind::Down,
            Some(Leaves::Down) => Kind::Unwanted,
            None if self.known.scheduled && event.next_at.is_none() => Kind::Unwanted,
            None => Kind::Waiting,
        }
    }

    /// The end of a run. What it leaves is told by its verdict, which follows.
    fn exited(&mut self, event: &Event) {
        let run = self.run.take().filter(|run| run.number == event.run);
        let ran = event.ran_s.and_then(|ran| Duration::try_from_secs_f64(ran).ok());
        match (run, ran) {
            (Some(_), Some(_)) if matches!(event.cause, Some(Cause::NotReady { .. })) && self.kind == Kind::Up => {
                self.kind = Kind::Starting;
            }
            (Some(_), Some(_)) => {}
            (Some(run), None) => {
                self.spans.truncate(run.mark);
                (self.kind, self.since) = (Kind::Up, run.at);
                let seen = self.known.lapses.and_then(|lapses| lapses.seen_before(event.at, self.known.every));
                self.turn(seen.unwrap_or(run.at).min(event.at), Kind::Unknown);
            }
            (None, Some(ran)) if self.kind == Kind::Unknown && !ran.is_zero() => {
                let ran = i64::try_from(ran.as_millis()).unwrap_or(i64::MAX);
                self.turn(Wall(event.at.0.saturating_sub(ran)), Kind::Up);
            }
            (None, _) => {}
        }
        self.turn(event.at, Kind::Waiting);
    }

    /// Goes on to now, as far as what is there now agrees.
    fn end(mut self) -> Vec<Span> {
        let Standing { at, kind, since } = self.known.now;
        match (lives(self.kind), lives(kind)) {
            (_, _) if kind == Kind::Unknown => self.kind = Kind::Unknown,
            (true, true) if self.kind == Kind::Up && kind == Kind::Starting => self.kind = Kind::Starting,
            (true, true) => {}
            (false, true) => self.turn(since.unwrap_or(at), kind),
            (true, false) => self.kind = Kind::Unknown,
            (false, false) if kind == Kind::Waiting && self.kind == Kind::Unwanted => {
                self.turn(since.unwrap_or(at), kind)
            }
            // Somebody has stopped it since, and no event says when.
            (false, false) if kind == Kind::Unwanted && self.kind != Kind::Unwanted => self.kind = Kind::Unknown,
            (false, false) => {}
        }
        self.turn(at, kind);
        self.spans
    }
}

fn starts(kind: EventKind) -> bool {
    matches!(kind, EventKind::Started | EventKind::Restarted)
}

fn lives(kind: Kind) -> bool {
    matches!(kind, Kind::Up | Kind::Starting | Kind::Hung)
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
