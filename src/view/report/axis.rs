//! The time of a report: where moments lie on it, how they are written, where it has marks.

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;

use super::Report;
use crate::model::time::Wall;
use crate::policy::timeline::{Kind, Span};

/// Width of a line, in units of its drawing.
pub(super) const WIDTH: f64 = 1000.0;
/// Marks at most.
const TICKS: i64 = 8;
/// From here on what stands at a mark would reach over the edge.
const EDGE: f64 = 0.98;
/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;
/// Distances between marks, in minutes.
const STEPS: [i64; 13] = [1, 5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200];

/// Moments of a report in the zone of its machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    from: Wall,
    until: Wall,
    zone: Tz,
}

impl Axis {
    pub(super) fn of(report: &Report<'_>) -> Self {
        Self { from: report.from, until: report.now.wall, zone: report.zone }
    }

    fn local(&self, at: Wall) -> Option<DateTime<Tz>> {
        DateTime::<Utc>::from_timestamp_millis(at.0).map(|at| at.with_timezone(&self.zone))
    }

    /// `Fri 20 Nov 03:12:05`.
    pub(super) fn moment(&self, at: Wall) -> String {
        self.local(at).map_or_else(|| at.to_string(), |at| at.format("%a %d %b %H:%M:%S").to_string())
    }

    /// With its year and zone.
    pub(super) fn whole(&self, at: Wall) -> String {
        let text = self.local(at).map(|at| at.format("%a %d %b %Y %H:%M").to_string());
        text.map_or_else(|| at.to_string(), |text| format!("{text} {}", self.zone.name()))
    }

    /// The same of a moment that was written down.
    pub(super) fn written(&self, text: &str) -> String {
        DateTime::parse_from_rfc3339(text)
            .map_or_else(|_| text.to_owned(), |at| self.moment(Wall(at.timestamp_millis())))
    }

    /// How far on the line it lies, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of the wall clock are exact")]
    pub(super) fn place(&self, at: Wall) -> f64 {
        let length = self.until.0.saturating_sub(self.from.0).max(1) as f64;
        (at.0.saturating_sub(self.from.0) as f64 / length).clamp(0.0, 1.0)
    }

    /// Where it has marks, and what stands there.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let length = self.until.0.saturating_sub(self.from.0) / MINUTE;
        let step = STEPS.into_iter().find(|step| length / step <= TICKS).unwrap_or_else(|| (length / TICKS).max(1));
        let Some(first) = self.local(self.from) else { return Vec::new() };
        let midnight = self.from.0 - i64::from(first.num_seconds_from_midnight()) * 1000 - self.from.0.rem_euclid(1000);
        let begun = (self.from.0 - midnight) / (step * MINUTE);
        let moments = (begun + 1..).map(|nth| Wall(midnight + nth * step * MINUTE));
        let inside = moments.take_while(|at| *at < self.until).take(usize::try_from(2 * TICKS).unwrap_or(16));
        let marks = inside.filter_map(|at| Some((self.place(at), label(&self.local(at)?, step))));
        marks.filter(|(place, _)| *place < EDGE).collect()
    }

    /// The spans in at most so many pieces: where there are more, as many equal ones, each as the worst in it.
    pub(super) fn pieces(&self, spans: &[Span], most: u32) -> Vec<(f64, f64, Kind)> {
        if spans.len() <= usize::try_from(most).unwrap_or(usize::MAX) {
            return spans.iter().map(|span| (self.place(span.from), self.place(span.until), span.kind)).collect();
        }
        let mut pieces: Vec<(f64, f64, Kind)> = Vec::new();
        let mut rest = spans;
        for nth in 0..most {
            let (from, until) = (f64::from(nth) / f64::from(most), f64::from(nth + 1) / f64::from(most));
            let over = rest.iter().take_while(|span| self.place(span.from) < until);
            let Some(kind) = over.clone().map(|span| span.kind).max() else { continue };
            // The last one may go on in the next piece.
            rest = rest.get(over.count().saturating_sub(1)..).unwrap_or_default();
            match pieces.last_mut() {
                Some(last) if last.2 == kind => last.1 = until,
                Some(_) | None => pieces.push((from, until, kind)),
            }
        }
        pieces
    }
}

fn label(at: &DateTime<Tz>, step: i64) -> String {
    let midnight = at.num_seconds_from_midnight() == 0;
    at.format(if midnight || step >= 1440 { "%a %d" } else { "%H:%M" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(hours: i64, zone: &str) -> Axis {
        let until = Wall(1_795_000_000_000); // 2026-11-18 11:06:40 UTC
        Axis { from: Wall(until.0 - hours * 60 * MINUTE), until, zone: zone.parse().unwrap() }
    }

    #[test]
    fn marks_stand_at_round_times_of_the_machine() {
        let labels = |hours, zone| axis(hours, zone).ticks().into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        let day = ["12:00", "15:00", "18:00", "21:00", "Wed 18", "03:00", "06:00", "09:00"];
        assert_eq!(labels(24, "UTC"), day);
        assert_eq!(labels(24, "Europe/Berlin")[0], "15:00");
        assert_eq!(labels(1, "UTC"), ["10:15", "10:30", "10:45", "11:00"]);
        assert_eq!(labels(24 * 7, "UTC").len(), 7);
        for hours in [0, 1, 5, 100, 10_000, 1_000_000] {
            assert!(labels(hours, "Asia/Kolkata").len() <= 16, "{hours}");
        }
    }

    #[test]
    fn many_spans_are_drawn_in_few_pieces_and_the_worst_is_seen() {
        let axis = axis(10, "UTC");
        let step = 10 * 60 * MINUTE / 1000;
        let at = |nth: i64| Wall(axis.from.0 + nth * step);
        let spans: Vec<Span> = (0..1000)
            .map(|nth| {
                let kind = if nth == 505 {
                    Kind::Down
                } else if nth % 2 == 0 {
                    Kind::Up
                } else {
                    Kind::Unwanted
                };
                Span { from: at(nth), until: at(nth + 1), kind }
            })
            .collect();
        let pieces = axis.pieces(&spans, 100);
        let kinds: Vec<Kind> = pieces.iter().map(|(_, _, kind)| *kind).collect();
        assert_eq!(kinds, [Kind::Up, Kind::Down, Kind::Up]);
        assert!((pieces[1].0 - 0.5).abs() < 0.001 && (pieces[2].1 - 1.0).abs() < 0.001, "{pieces:?}");
        assert_eq!(axis.pieces(&spans[..2], 100).len(), 2);
    }
}
