//! Which deaths a report has: those of a history, and of all of them the ones that there is room for.

use std::collections::HashMap;

use super::{DEATHS, Death};
use crate::model::event::{Event, EventKind};
use crate::model::name::Name;
use crate::model::time::Wall;
use crate::view::words::{end_phrase, lived_of_target};

/// The bad ends since `from`, newest first.
#[must_use]
pub fn deaths(name: &Name, events: &[Event], from: Wall) -> Vec<Death> {
    let mut found = Vec::new();
    let mut end: Option<&Event> = None;
    for event in events {
        if event.kind == EventKind::Exited {
            end = Some(event);
        }
        let bad = matches!(event.kind, EventKind::Premature | EventKind::Failed) && event.watch.is_none();
        let Some(cause) = event.cause.as_ref().filter(|_| bad) else { continue };
        let exited = end.take().filter(|exited| exited.run == event.run);
        // The verdict may have come later than the end.
        let at = exited.map_or(event.at, |exited| exited.at);
        found.push(Death {
            name: name.to_string(),
            run: event.run,
            at,
            exact: exited.is_some_and(|exited| exited.ran_s.is_some()),
            verdict: event.verdict,
            lived: lived_of_target(event.ran_s, event.target_s),
            cause: end_phrase(cause, &event.signals, event.by.as_ref()),
            certificate: None,
        });
    }
    found.retain(|death| death.at >= from);
    found.reverse();
    found
}

/// Keeps the deaths that are shown, the most telling first: of each process the newest, then the next of each, and so on.
/// Returns how many are left out.
#[must_use]
pub fn choose(deaths: &mut Vec<Death>) -> usize {
    let all = deaths.len();
    deaths.sort_by_key(|death| std::cmp::Reverse(death.at));
    let mut of: HashMap<String, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Death)> = Vec::with_capacity(all);
    for death in deaths.drain(..) {
        let nth = of.entry(death.name.clone()).or_default();
        ranked.push((*nth, death));
        *nth += 1;
    }
    ranked.sort_by_key(|(nth, _)| *nth); // stable: the newest first among those
    ranked.truncate(DEATHS);
    deaths.extend(ranked.into_iter().map(|(_, death)| death));
    all - deaths.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{at, event};

    #[test]
    fn a_death_is_when_it_ended_and_a_stop_is_none() {
        let name: Name = "bot".parse().unwrap();
        let ended = |run, secs, ran_s| Event { ran_s, ..event("bot", run, EventKind::Exited, secs) };
        let events = [
            ended(1, 5, Some(5.0)),
            event("bot", 1, EventKind::Premature, 6),
            ended(2, 100, Some(5.0)),
            event("bot", 2, EventKind::Stopped, 100),
            ended(3, 200, None),
            event("bot", 3, EventKind::Failed, 201),
            event("bot", 3, EventKind::Tripped, 201),
        ];
        let found = |from| deaths(&name, &events, at(from).wall);
        let all = found(0);
        assert_eq!(
            all.iter().map(|death| (death.run, death.at, death.exact)).collect::<Vec<_>>(),
            [(Some(3), at(200).wall, false), (Some(1), at(5).wall, true),]
        );
        assert_eq!(found(6).len(), 1, "it ended before, though that was told later");
        assert_eq!(all[1].cause, "exit 1");
    }

    #[test]
    fn one_that_dies_all_the_time_hides_no_other() {
        let name = |text: &str| -> Name { text.parse().unwrap() };
        let of = |text: &str, count: u64| {
            let events: Vec<Event> = (0..count).map(|nth| event(text, nth, EventKind::Failed, 1000 + nth)).collect();
            deaths(&name(text), &events, at(0).wall)
        };
        let mut all =
            [of("flapping", 2000), deaths(&name("quiet"), &[event("quiet", 1, EventKind::Failed, 1)], at(0).wall)]
                .concat();
        assert_eq!(choose(&mut all), 2001 - DEATHS);
        assert_eq!((all.len(), all[0].name.as_str(), all[1].name.as_str()), (DEATHS, "flapping", "quiet"));
        assert_eq!(all[0].at, at(2999).wall);
    }
}
