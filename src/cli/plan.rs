//! Several processes in the order of what they depend on: side by side, but for what waits for another.
//!
//! What needs what is known before anything is done. Nobody holds a lock while something else is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::name::Name;
use crate::policy::dependencies::Graph;

/// Threads at most: nearly all of them wait.
const SIDE_BY_SIDE: usize = 32;

/// What is left to do.
struct Queue<T> {
    /// Places of those that may be begun.
    due: BTreeSet<usize>,
    /// For how many others each one still waits.
    waiting: BTreeMap<usize, usize>,
    /// How many are being done.
    busy: usize,
    answers: Vec<(usize, T)>,
}

fn lock<T>(queue: &Mutex<Queue<T>>) -> MutexGuard<'_, Queue<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` for each of `names`, none before those of `after` that are among them; the answers are in the order of
/// `names`. What waits in a circle is not done: no valid registry has that.
pub(super) fn in_order<T: Send>(
    names: &[Name],
    after: &BTreeMap<Name, Vec<Name>>,
    work: impl Fn(&Name) -> T + Sync,
) -> Vec<T> {
    let places: BTreeMap<&Name, usize> = names.iter().enumerate().map(|(at, name)| (name, at)).collect();
    let place = |name: &Name| places.get(name).copied();
    let mut frees: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut queue = Queue { due: BTreeSet::new(), waiting: BTreeMap::new(), busy: 0, answers: Vec::new() };
    for (at, name) in names.iter().enumerate() {
        let before: BTreeSet<usize> = after.get(name).into_iter().flatten().filter_map(place).collect();
        match before.len() {
            0 => drop(queue.due.insert(at)),
            count => drop(queue.waiting.insert(at, count)),
        }
        for earlier in before {
            frees.entry(earlier).or_default().push(at);
        }
    }
    let (queue, changed) = (Mutex::new(queue), Condvar::new());
    let take = || {
        let mut held = lock(&queue);
        loop {
            if let Some(at) = held.due.pop_first() {
                held.busy += 1;
                drop(held);
                let answer = names.get(at).map(&work);
                held = lock(&queue);
                held.busy -= 1;
                held.answers.extend(answer.map(|answer| (at, answer)));
                for next in frees.get(&at).into_iter().flatten() {
                    let left = held.waiting.get(next).map_or(0, |left| left - 1);
                    held.waiting.insert(*next, left);
                    if left == 0 {
                        held.waiting.remove(next);
                        held.due.insert(*next);
                    }
                }
                changed.notify_all();
            } else if held.waiting.is_empty() || held.busy == 0 {
                return;
            } else {
                held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(names.len()) {
            scope.spawn(take);
        }
    });
    let mut answers = queue.into_inner().unwrap_or_else(PoisonError::into_inner).answers;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Who of `names` comes after whom when what is needed comes first.
pub(super) fn needs_first(graph: &Graph<'_>, names: &[Name]) -> BTreeMap<Name, Vec<Name>> {
    names.iter().map(|name| (name.clone(), graph.needs(name).to_vec())).collect()
}

/// Who of `names` comes after whom when those that need it come first, through others that are not among them as well.
pub(super) fn dependants_first(graph: &Graph<'_>, names: &[Name]) -> BTreeMap<Name, Vec<Name>> {
    let mut after: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    for name in names.iter().filter(|name| !graph.needs(name).is_empty()) {
        for need in graph.closure([name.clone()]).into_iter().filter(|need| need != name) {
            after.entry(need).or_default().push(name.clone());
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn each_is_done_after_those_that_it_waits_for_and_answers_keep_the_order_of_the_names() {
        let all = names("web cache db job");
        let (db, db_and_cache) = (names("db"), names("db cache"));
        let entries = [(&all[0], db_and_cache.as_slice()), (&all[1], db.as_slice())];
        let graph = Graph::new(entries);
        let done = Mutex::new(Vec::new());
        let work = |name: &Name| {
            done.lock().unwrap().push(name.clone());
            name.to_string()
        };
        assert_eq!(in_order(&all, &needs_first(&graph, &all), work), ["web", "cache", "db", "job"]);
        let up: Vec<Name> = std::mem::take(&mut *done.lock().unwrap());
        let at = |order: &[Name], name: &str| order.iter().position(|other| other.as_str() == name).unwrap();
        assert!(at(&up, "db") < at(&up, "cache") && at(&up, "cache") < at(&up, "web"), "{up:?}");
        let some = names("db web");
        assert_eq!(in_order(&some, &dependants_first(&graph, &some), work), ["db", "web"]);
        assert_eq!(*done.lock().unwrap(), names("web db"), "also through what is not stopped");
    }

    #[test]
    fn what_waits_for_nobody_is_done_at_the_same_time() {
        let all = names("a b c");
        let meet = std::sync::Barrier::new(3);
        in_order(&all, &BTreeMap::new(), |_| meet.wait());
    }
}
