//! `depends_on` over the whole file: names that nobody has, and circles, with their places.
//!
//! An unknown name leaves its entry as it is: it is guarded, and what starts it says what is missing. An entry on a circle
//! could never be started and is left out; those that lead to the circle stay.

use std::ops::Range;

use toml::de::DeTable;

use super::Registry;
use super::problem::similar;
use super::read::{Item, Reader};
use crate::model::name::Name;
use crate::policy::dependencies::path;

impl Reader<'_> {
    /// Names of processes, each once.
    pub(super) fn processes(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<Name>> {
        let mut names: Vec<Name> = Vec::new();
        for text in self.texts(key, item)? {
            match text.parse::<Name>() {
                Ok(name) if names.contains(&name) => {}
                Ok(name) => names.push(name),
                Err(error) => return self.fail(item.span(), format!("`{key}`: {error}"), error.hint()),
            }
        }
        Some(names)
    }
}

/// Reports names that are not there and circles; takes those on a circle out of `registry`. `table` is `[process]`.
pub(super) fn check(reader: &mut Reader<'_>, table: &DeTable<'_>, registry: &mut Registry) {
    let cycles = registry.graph().cycles();
    for (name, entry) in &registry.processes {
        let missing = entry.spec.depends_on.iter().filter(|need| !is_written(table, need));
        for need in missing {
            let others = registry.processes.keys().filter(|other| *other != name).map(Name::as_str);
            let hint = match similar(need.as_str(), others) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("register `{need}` first, or take it out; until then `{name}` is not started"),
            };
            at_process(reader, name);
            reader.fail::<()>(place(table, name), format!("`depends_on`: there is no process `{need}`"), hint);
        }
    }
    for (name, cycle) in &cycles {
        at_process(reader, name);
        let message = format!("`depends_on` runs in a circle: `{}`", path(cycle));
        let hint = "none of them could ever be started first: take one out of the circle";
        reader.fail::<()>(place(table, name), message, hint);
    }
    reader.process = None;
    for name in cycles.into_keys() {
        registry.processes.remove(&name);
        registry.invalid.push(name.to_string());
    }
}

fn at_process(reader: &mut Reader<'_>, name: &Name) {
    reader.process = Some(name.to_string());
}

/// Whether an entry of this name stands in the file, valid or not.
fn is_written(table: &DeTable<'_>, name: &Name) -> bool {
    table.get(name.as_str()).is_some()
}

/// Where `depends_on` of `name` stands; its name, if that is in `[defaults]`.
fn place(table: &DeTable<'_>, name: &Name) -> Range<usize> {
    let Some((key, item)) = table.get_key_value(name.as_str()) else { return 0..0 };
    let own = item.get_ref().as_table().and_then(|entry| entry.get("depends_on"));
    own.map_or_else(|| key.span(), toml::Spanned::span)
}

#[cfg(test)]
mod tests {
    use super::super::{Context, parse};
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
        let parsed = parse(text, &Context::default());
        let problems = parsed.problems.iter().map(|problem| format!("{problem} ({})", problem.hint)).collect();
        (problems, parsed.registry.processes.keys().map(Name::to_string).collect(), parsed.registry.invalid)
    }

    #[test]
    fn a_circle_is_refused_with_its_path_and_place_and_only_those_on_it_are_left_out() {
        let text = "[process.a]\nshell = 'x'\ndepends_on = ['b']\n[process.b]\nshell = 'x'\ndepends_on = [ 'c' ]\n\
                    [process.c]\nshell = 'x'\n  depends_on = ['free', 'a']\n[process.free]\nshell = 'x'\n\
                    [process.before]\nshell = 'x'\ndepends_on = ['a']\n";
        let (problems, valid, invalid) = read(text);
        let hint = "(none of them could ever be started first: take one out of the circle)";
        assert_eq!(
            problems,
            [
                format!("3:14: process `a`: `depends_on` runs in a circle: `a -> b -> c -> a` {hint}"),
                format!("6:14: process `b`: `depends_on` runs in a circle: `b -> c -> a -> b` {hint}"),
                format!("9:16: process `c`: `depends_on` runs in a circle: `c -> a -> b -> c` {hint}"),
            ]
        );
        assert_eq!(valid, ["before", "free"]);
        assert_eq!(invalid, ["a", "b", "c"]);
    }

    #[test]
    fn one_that_depends_on_itself_is_a_circle() {
        let (problems, valid, _) = read("[process.a]\nshell = 'x'\ndepends_on = ['a']\n");
        assert!(problems[0].starts_with("3:14: process `a`: `depends_on` runs in a circle: `a -> a`"), "{problems:?}");
        assert!(valid.is_empty());
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_one_that_was_meant_and_the_entry_is_still_served() {
        let text = "[process.web]\nshell = 'x'\ndepends_on = ['databse', 'bd']\n[process.database]\nshell = 'x'\n";
        let (problems, valid, invalid) = read(text);
        assert_eq!(
            problems,
            [
                "3:14: process `web`: `depends_on`: there is no process `databse` (did you mean `database`?)",
                "3:14: process `web`: `depends_on`: there is no process `bd` \
                 (register `bd` first, or take it out; until then `web` is not started)",
            ]
        );
        assert_eq!((valid.len(), invalid.len()), (2, 0));
    }

    #[test]
    fn an_entry_that_is_written_down_and_broken_is_no_unknown_name() {
        let (problems, valid, _) = read("[process.db]\n[process.web]\nshell = 'x'\ndepends_on = ['db', 'db']\n");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("process `db`: neither"), "{problems:?}");
        assert_eq!(valid, ["web"]);
    }

    #[test]
    fn what_no_process_can_be_called_is_refused() {
        let (problems, valid, _) = read("[process.web]\nshell = 'x'\ndepends_on = ['no such']\n");
        assert!(problems[0].contains("`depends_on`: process name \"no such\" has ' '"), "{problems:?}");
        assert!(valid.is_empty());
    }
}
