//! From looks at a run to hangs: when it is looked at, what counts as progress, what follows from silence.
//!
//! A hang is called only on evidence: a sign that cannot be read is never silent, time in which nobody could look is not
//! counted, and neither is time in which the machine slept. A look comes four times in each limit (at most every
//! [`LONGEST`]), so CPU time and I/O are silent for at most a quarter longer than the limit when a hang is called;
//! output and heartbeat carry their own time and are exact.

use std::time::Duration;

use crate::model::evidence::{Evidence, RunRecord};
use crate::model::probe::Probe;
use crate::model::progress::{Hang, Inspection, Sample, Signs, Silence, Trace, Watch};
use crate::model::spec::Spec;
use crate::model::state::OpenRun;
use crate::model::time::Stamp;
use crate::model::units::human_duration;

use super::draft::Draft;
use super::{hang, liveness, memory};

/// Looks in each limit.
const LOOKS: u32 = 4;
/// Shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(250);
/// Longest time between two looks.
const LONGEST: Duration = Duration::from_secs(60);
/// A look that comes later than this after it was due (or than a look's period, where that is longer) tells that nobody
/// could look: the machine, or guardian itself, stood still.
const LATE: Duration = Duration::from_secs(2);
/// Until a look that could not be taken is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Less CPU time than this is no sign of progress, in milliseconds: two ticks of the kernel's accounting.
const CPU_LEAST_MS: u64 = 20;
/// Neither is less than one part in this many of the time since the last sign: 0.2 % of one processor. Event loops of
/// Python and Node that wake ten times a second for nothing were seen at 0.15 % on a slow and busy machine; a
/// computation that is starved to a hundredth of a processor takes five times as much as this.
const CPU_SHARE: u64 = 500;

/// The limits on silence that `spec` sets.
fn limits(spec: &Spec) -> impl Iterator<Item = Duration> {
    [spec.hang_after, spec.output_stale, spec.heartbeat, spec.watchdog].into_iter().flatten()
}

/// Whether hangs of this process are looked for.
#[must_use]
pub fn is_watched(spec: &Spec) -> bool {
    limits(spec).next().is_some()
}

/// Time between two looks; `None`: hangs are not looked for.
fn period(spec: &Spec) -> Option<Duration> {
    limits(spec).min().map(|limit| (limit / LOOKS).clamp(SHORTEST, LONGEST))
}

/// How long after its beginning a run is looked at first; `None`: not at all.
#[must_use]
pub fn first_look(spec: &Spec) -> Option<Duration> {
    [period(spec), spec.memory.map(|_| memory::SHORTEST)].into_iter().flatten().min()
}

/// Whether a look at the open run is due: `since` that moment. `None`: it is not, or never.
#[must_use]
pub fn due(spec: &Spec, open: &OpenRun, record: &RunRecord, now: &Stamp) -> Option<Duration> {
    let looked_for = is_watched(spec) || memory::is_watched(spec, record);
    let alive = record.main.is_some() && record.end.is_none() && open.stopping.is_none();
    let began = record.began.as_ref()?;
    if !looked_for || !alive || began.boot != now.boot {
        return None;
    }
    let due = match &open.watch {
        Some(watch) => watch.due.clone(),
        None => began.plus(first_look(spec)?),
    };
    now.has_reached(&due).then(|| now.since(&due))
}

/// What a look at a run changes in what is remembered of it.
#[must_use]
pub fn look(spec: &Spec, record: &RunRecord, watch: Option<&Watch>, sample: Sample, now: &Stamp) -> Watch {
    let awake = sample.awake_ms;
    let lived = record.began.as_ref().map_or(Duration::ZERO, |began| now.since(began));
    let start = awake.saturating_sub(millis(lived));
    let first = millis(first_look(spec).unwrap_or(LONGEST));
    let (mut signs, cpu_from, before, planned) = match watch {
        Some(watch) => (watch.signs, watch.cpu_from, watch.sample.awake_ms, watch.planned_ms),
        None => (Signs { output: start, heartbeat: start, watchdog: start, cpu: start, io: start }, 0, start, first),
    };
    let lost = lost(awake.saturating_sub(before), planned);
    for sign in [&mut signs.output, &mut signs.heartbeat, &mut signs.watchdog, &mut signs.cpu, &mut signs.io] {
        *sign = sign.saturating_add(lost).min(awake);
    }
    let earlier = watch.map(|watch| &watch.sample);
    let mut seen = Watch {
        sample,
        began: watch.map_or(start, |watch| watch.began),
        signs,
        cpu_from,
        due: now.clone(),
        planned_ms: 0,
        hang: watch.and_then(|watch| watch.hang.clone()),
        hangs: watch.map_or(0, |watch| watch.hangs),
    };
    seen.note_traces(earlier, awake.saturating_sub(before));
    seen.note_watchdog(earlier, awake.saturating_sub(before), counts_from(spec, record, now));
    seen.note_counters(earlier);
    let next = next_look(spec, record, &seen);
    seen.due = now.plus(next);
    seen.planned_ms = millis(next);
    seen
}

/// How long the run has had to speak through its socket: from `READY=1`, where it is to say that, else from its start,
/// and anew from each takeover, before which nobody heard it.
fn counts_from(spec: &Spec, record: &RunRecord, now: &Stamp) -> [Duration; 2] {
    let heard = record.taken_over.last().map_or(Duration::MAX, |takeover| now.since(&takeover.at));
    let ready = match (&spec.ready, &record.ready) {
        (Some(Probe::Notify), Some(ready)) => now.since(&ready.at),
        (Some(Probe::Notify), None) => Duration::ZERO,
        (_, _) => Duration::MAX,
    };
    [heard, ready]
}

/// Time in which nobody could look, of the time since the last look, in milliseconds.
fn lost(passed: u64, planned: u64) -> u64 {
    let late = passed.saturating_sub(planned);
    if late > millis(LATE).max(planned) { late } else { 0 }
}

/// Until the next look.
fn next_look(spec: &Spec, record: &RunRecord, watch: &Watch) -> Duration {
    let left = silences(spec, watch).into_iter().flatten().map(|(_, limit, silent)| limit.saturating_sub(silent));
    let memory = memory::next_look(spec, record, watch.sample.memory_bytes);
    let hang = period(spec).map(|period| match watch.hang {
        Some(_) => period,
        None => left.filter(|left| !left.is_zero()).min().map_or(period, |left| left.min(period)),
    });
    // A moment longer than a millisecond's rounding, so that the look finds what it waited for.
    hang.into_iter().chain(memory).min().unwrap_or(LONGEST) + Duration::from_millis(1)
}

/// Each silence that is looked for: its limit, and how long it has lasted.
fn silences(spec: &Spec, watch: &Watch) -> [Option<(Silence, Duration, Duration)>; 4] {
    let Signs { output, heartbeat, watchdog, cpu, io } = watch.signs;
    let last = output.max(heartbeat).max(cpu).max(io);
    let each = [
        (Silence::Watchdog, spec.watchdog, watchdog),
        (Silence::Heartbeat, spec.heartbeat, heartbeat),
        (Silence::Output, spec.output_stale, output),
        (Silence::All, spec.hang_after, last),
    ];
    each.map(|(silence, limit, sign)| {
        let silent = Duration::from_millis(watch.sample.awake_ms.saturating_sub(sign));
        limit.map(|limit| (silence, limit, silent))
    })
}

/// The silence that has lasted too long, and how long, if one has.
#[must_use]
pub fn silence(spec: &Spec, watch: &Watch) -> Option<(Silence, Duration)> {
    if watch.sample.debugged {
        return None;
    }
    let over = silences(spec, watch).into_iter().flatten().find(|(_, limit, silent)| silent >= limit);
    over.map(|(silence, _, silent)| (silence, silent))
}

/// Whether the run has shown progress for `healthy_after`: to live without any is not to be well. One that is not
/// watched is well as long as it lives.
pub(super) fn is_well(spec: &Spec, open: &OpenRun) -> bool {
    if !liveness::is_well(spec, open) {
        return false;
    }
    if !is_watched(spec) {
        return true;
    }
    let Some(watch) = &open.watch else { return false };
    let silent = silences(spec, watch).into_iter().flatten().map(|(_, _, silent)| silent).max().unwrap_or_default();
    let lived = Duration::from_millis(watch.sample.awake_ms.saturating_sub(watch.began));
    lived.saturating_sub(silent) >= spec.healthy_after
}

impl Watch {
    /// Output and heartbeat: what was written since the last look, and when.
    fn note_traces(&mut self, earlier: Option<&Sample>, passed: u64) {
        let Sample { awake_ms: awake, wall, .. } = self.sample;
        // By the file's own time, which lies between the last look and this one whatever the wall clock did.
        let when = |earlier: Option<Trace>, trace: Trace, sign: u64| match trace {
            Trace::Unknown => awake,
            Trace::None => sign,
            Trace::Seen { .. } if earlier == Some(trace) => sign,
            Trace::Seen { at, .. } => sign.max(awake - millis(at.until(wall)).min(passed).min(awake)),
        };
        self.signs.output = when(earlier.map(|sample| sample.output), self.sample.output, self.signs.output);
        self.signs.heartbeat =
            when(earlier.map(|sample| sample.heartbeat), self.sample.heartbeat, self.signs.heartbeat);
    }

    /// `WATCHDOG=1`: what nobody hears is not silent.
    fn note_watchdog(&mut self, earlier: Option<&Sample>, passed: u64, [heard, ready]: [Duration; 2]) {
        let Sample { awake_ms: awake, wall, watchdog, .. } = self.sample;
        let sign = match watchdog {
            Trace::Unknown | Trace::None => awake,
            Trace::Seen { .. } if earlier.is_some_and(|earlier| earlier.watchdog == watchdog) => self.signs.watchdog,
            Trace::Seen { at, .. } => self.signs.watchdog.max(awake - millis(at.until(wall)).min(passed).min(awake)),
        };
        let from = |had: Duration| awake.saturating_sub(millis(had));
        self.signs.watchdog = sign.max(from(heard)).max(from(ready));
        self.signs.heartbeat = self.signs.heartbeat.max(from(heard));
    }

    /// CPU time and I/O. Where processes came or went, sums say nothing, but that is progress by itself.
    fn note_counters(&mut self, earlier: Option<&Sample>) {
        let Sample { awake_ms: awake, cpu_ms, io_bytes, members, .. } = self.sample;
        let changed = earlier.is_some_and(|earlier| earlier.members != members);
        let least = CPU_LEAST_MS.max(awake.saturating_sub(self.signs.cpu) / CPU_SHARE);
        let worked = cpu_ms.is_none_or(|cpu| cpu.abs_diff(self.cpu_from) >= least);
        if changed || worked {
            self.signs.cpu = awake;
            self.cpu_from = cpu_ms.unwrap_or(self.cpu_from);
        }
        let before = earlier.map_or(Some(0), |earlier| earlier.io_bytes);
        if changed || io_bytes.is_none() || io_bytes != before {
            self.signs.io = awake;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Takes note of a look, does what follows from it, and names the next one.
pub(super) fn keep(next: &mut Draft<'_>, open: &mut OpenRun, record: &RunRecord, evidence: &Evidence) {
    let spec = next.look.spec;
    if open.stopping.is_some() || !(is_watched(spec) || memory::is_watched(spec, record)) {
        return;
    }
    let earlier = open.watch.as_ref().map(|watch| watch.sample.awake_ms);
    let new = evidence.inspection.as_ref().filter(|inspection| {
        inspection.run == open.run && earlier.is_none_or(|earlier| earlier < inspection.sample.awake_ms)
    });
    if let Some(inspection) = new {
        let mut watch = look(spec, record, open.watch.as_deref(), inspection.sample, next.look.now);
        judge(next, open, &mut watch, inspection);
        if open.stopping.is_none() {
            memory::keep(next, open, record, inspection.sample.memory_bytes);
        }
        open.watch = Some(Box::new(watch));
    }
    if open.stopping.is_some() {
        return;
    }
    let due = open.watch.as_ref().map(|watch| watch.due.clone());
    let began = record.began.as_ref();
    let first = || began.zip(first_look(spec)).map(|(began, first)| began.plus(first));
    if let Some(at) = due.or_else(first) {
        // One that could not be taken when it was due is tried again, not at once.
        let now = next.look.now;
        next.at(if now.has_reached(&at) { now.plus(AGAIN) } else { at });
    }
}

/// Whether the run is hung, and what is done about it.
fn judge(next: &mut Draft<'_>, open: &mut OpenRun, watch: &mut Watch, inspection: &Inspection) {
    let spec = next.look.spec;
    let silence = silence(spec, watch);
    let Some((silence, silent)) = silence else {
        if let Some(hang) = watch.hang.take() {
            recovered(next, open, watch.hangs, &hang);
        }
        return;
    };
    match (&spec.hang_probe, inspection.probe) {
        (None, _) | (Some(_), Some(false)) => {}
        // An answer is progress. No answer that could be had is no evidence: the next look asks again.
        (Some(_), Some(true)) => {
            let awake = watch.sample.awake_ms;
            watch.signs = Signs { output: awake, heartbeat: awake, watchdog: awake, cpu: awake, io: awake };
            if let Some(hang) = watch.hang.take() {
                recovered(next, open, watch.hangs, &hang);
            }
            next.actions.push("probed");
            return;
        }
        (Some(_), None) => return,
    }
    if watch.hang.is_some() {
        return;
    }
    let hang = Hang { since: next.look.now.clone(), silent_s: silent.as_secs(), silence };
    watch.hangs += 1;
    let blocked = inspection.stuck.as_ref().map_or(String::new(), |stuck| format!("; {}", stuck.sentence));
    let detail = format!("{} for {}{blocked}", silence.words(), human_duration(silent));
    hang::call(next, open, &hang, &watch.hangs.to_string(), detail);
    watch.hang = Some(hang);
}

fn recovered(next: &mut Draft<'_>, open: &OpenRun, hangs: u32, hang: &Hang) {
    hang::recovered(next, open, hang, &hangs.to_string(), "it shows progress again");
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
