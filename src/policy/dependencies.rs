//! The graph of `depends_on`: what is needed, in which order, and where it runs in a circle.
//!
//! Pure and bounded: nothing here calls itself, so a chain of ten thousand processes needs no deep stack, and every answer
//! is the same each time, because names are ordered. What is *there* of what is needed is in `needs.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::name::Name;

/// What each process needs, by name. Names that are needed and have no entry need nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph<'a>(BTreeMap<&'a Name, &'a [Name]>);

impl<'a> Graph<'a> {
    /// The graph of these processes. Those that need nothing may be left out.
    pub fn new(entries: impl IntoIterator<Item = (&'a Name, &'a [Name])>) -> Self {
        Self(entries.into_iter().filter(|(_, needs)| !needs.is_empty()).collect())
    }

    /// Whether nobody needs anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What `name` needs itself.
    #[must_use]
    pub fn needs(&self, name: &Name) -> &'a [Name] {
        self.0.get(name).copied().unwrap_or(&[])
    }

    /// Those that need `name` themselves.
    pub fn needed_by(&self, name: &Name) -> impl Iterator<Item = &'a Name> {
        self.0.iter().filter(move |(_, needs)| needs.contains(name)).map(|(dependant, _)| *dependant)
    }

    /// `names` and all that they need, and what that needs.
    #[must_use]
    pub fn closure(&self, names: impl IntoIterator<Item = Name>) -> BTreeSet<Name> {
        let mut found = BTreeSet::new();
        let mut left: Vec<Name> = names.into_iter().collect();
        while let Some(name) = left.pop() {
            if !found.contains(&name) {
                left.extend(self.needs(&name).iter().cloned());
                found.insert(name);
            }
        }
        found
    }

    /// `names`, each after all of them that it needs, and as near to its place as that allows. Those on a cycle, which no
    /// valid registry has, come last.
    #[must_use]
    pub fn order(&self, names: &[Name]) -> Vec<Name> {
        if self.is_empty() {
            return names.to_vec();
        }
        let places: BTreeMap<&Name, usize> = names.iter().enumerate().map(|(place, name)| (name, place)).collect();
        let (mut due, mut waiting) = self.waiting(&places);
        let mut ordered = Vec::with_capacity(names.len());
        while let Some(place) = due.pop_first() {
            let Some(name) = names.get(place) else { continue };
            ordered.push(name.clone());
            due.extend(waiting.done(name));
        }
        let last = waiting.left.keys().filter_map(|place| names.get(*place)).cloned();
        ordered.extend(last);
        ordered
    }

    /// Those of `places` that wait for none of the others, and the rest with what they wait for.
    fn waiting<'n>(&self, places: &BTreeMap<&'n Name, usize>) -> (BTreeSet<usize>, Waiting<'n>) {
        let mut due = BTreeSet::new();
        let mut waiting = Waiting::default();
        for (name, place) in places {
            let needs = self.needs(name).iter().filter_map(|need| places.get_key_value(need));
            let needs: BTreeSet<&Name> = needs.map(|(need, _)| *need).collect();
            if needs.is_empty() {
                due.insert(*place);
                continue;
            }
            waiting.left.insert(*place, needs.len());
            for need in needs {
                waiting.of.entry(need).or_default().push(*place);
            }
        }
        (due, waiting)
    }

    /// The shortest way from `name` back to itself: `[a, b, c, a]`; `None`: it is on no cycle.
    #[must_use]
    pub fn cycle(&self, name: &Name) -> Option<Vec<Name>> {
        let mut from: BTreeMap<&Name, &Name> = BTreeMap::new();
        let mut left: VecDeque<&Name> = VecDeque::from([name]);
        while let Some(at) = left.pop_front() {
            for need in self.needs(at) {
                if need == name {
                    let back = std::iter::successors(Some(at), |at| from.get(at).copied());
                    let mut path: Vec<Name> = back.cloned().collect();
                    path.reverse();
                    path.push(name.clone());
                    return Some(path);
                }
                if self.0.contains_key(need) && !from.contains_key(need) {
                    from.insert(need, at);
                    left.push_back(need);
                }
            }
        }
        None
    }

    /// The cycle of each process that is on one.
    #[must_use]
    pub fn cycles(&self) -> BTreeMap<Name, Vec<Name>> {
        // Whoever waits for nobody who waits is on none; a registry without a cycle is done after this.
        let names: Vec<&Name> = self.0.keys().copied().collect();
        let places: BTreeMap<&Name, usize> = names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
        let (mut due, mut waiting) = self.waiting(&places);
        while let Some(name) = due.pop_first().and_then(|place| names.get(place)) {
            due.extend(waiting.done(name));
        }
        let left = waiting.left.keys().filter_map(|place| names.get(*place));
        left.filter_map(|name| Some(((*name).clone(), self.cycle(name)?))).collect()
    }
}

/// Who waits while an order is found, by their places.
#[derive(Default)]
struct Waiting<'n> {
    /// For how many each waits.
    left: BTreeMap<usize, usize>,
    /// Who waits for whom.
    of: BTreeMap<&'n Name, Vec<usize>>,
}

impl Waiting<'_> {
    /// `name` is done: those that wait for nobody any more.
    fn done(&mut self, name: &Name) -> Vec<usize> {
        let waiting = self.of.get(name).map_or(&[][..], Vec::as_slice);
        let mut due = Vec::new();
        for place in waiting {
            if let Some(left) = self.left.get_mut(place) {
                *left -= 1;
                if *left == 0 {
                    due.push(*place);
                }
            }
        }
        for place in &due {
            self.left.remove(place);
        }
        due
    }
}

/// A way through the graph, in words: `a -> b -> a`.
#[must_use]
pub fn path(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a: b c` for each line.
    fn entries(text: &str) -> Vec<(Name, Vec<Name>)> {
        let lines = text.split(';').filter_map(|line| line.split_once(':'));
        let names = |text: &str| text.split_whitespace().map(|name| name.parse().unwrap()).collect();
        lines.map(|(name, needs)| (name.trim().parse().unwrap(), names(needs))).collect()
    }

    fn graph(entries: &[(Name, Vec<Name>)]) -> Graph<'_> {
        Graph::new(entries.iter().map(|(name, needs)| (name, needs.as_slice())))
    }

    fn names(text: &str) -> Vec<Name> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn each_comes_after_all_that_it_needs_and_else_stays_in_its_place() {
        let cases = [
            ("nobody needs anything", "", "c a b", "c a b"),
            ("a chain, given the wrong way round", "a: b; b: c", "a b c", "c b a"),
            ("a diamond", "web: api cache; api: db; cache: db", "web cache api db", "db cache api web"),
            ("what is not among them is not waited for", "a: x; b: a", "b a", "a b"),
            ("as near to its place as that allows", "b: c", "a b c d", "a c b d"),
            ("those on a cycle come last", "a: b; b: a; d: c", "a b d c", "c d a b"),
        ];
        for (claim, text, given, want) in cases {
            let entries = entries(text);
            assert_eq!(graph(&entries).order(&names(given)), names(want), "{claim}");
        }
    }

    #[test]
    fn those_on_a_cycle_are_named_with_their_path_and_nobody_else_is() {
        let cases: [(&str, &str, &[&str]); 7] = [
            ("a chain has none", "a: b; b: c", &[]),
            ("a diamond has none", "a: b c; b: d; c: d", &[]),
            ("itself", "a: a", &["a -> a"]),
            ("three", "a: b; b: c; c: a", &["a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"]),
            (
                "who leads to a cycle or away from it is on none",
                "x: a; a: b; b: a y; y: z",
                &["a -> b -> a", "b -> a -> b"],
            ),
            ("between two cycles", "a: a m; m: b; b: b", &["a -> a", "b -> b"]),
            ("the shortest", "a: b c; b: c; c: a", &["a -> c -> a", "b -> c -> a -> b", "c -> a -> c"]),
        ];
        for (claim, text, want) in cases {
            let entries = entries(text);
            let found: Vec<String> = graph(&entries).cycles().values().map(|names| path(names)).collect();
            assert_eq!(found, want, "{claim}");
        }
    }

    #[test]
    fn what_is_needed_is_found_through_any_number_of_steps_and_so_is_who_needs_it() {
        let entries = entries("web: api; api: db cache; job: db");
        let graph = graph(&entries);
        assert_eq!(graph.closure(names("web")), names("api cache db web").into_iter().collect());
        assert_eq!(graph.closure(names("db")), names("db").into_iter().collect());
        assert_eq!(graph.needed_by(&"db".parse().unwrap()).cloned().collect::<Vec<_>>(), names("api job"));
    }

    #[test]
    fn a_chain_of_ten_thousand_is_no_deep_recursion() {
        let name = |nth: usize| -> Name { format!("p{nth:05}").parse().unwrap() };
        let entries: Vec<(Name, Vec<Name>)> = (1..10_000).map(|nth| (name(nth), vec![name(nth - 1)])).collect();
        let graph = graph(&entries);
        let all: Vec<Name> = (0..10_000).map(name).collect();
        assert_eq!(graph.order(&all), all);
        assert_eq!(graph.closure([name(9_999)]).len(), 10_000);
        assert!(graph.cycles().is_empty());
    }
}
