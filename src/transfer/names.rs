//! Names of other systems as names of this one: valid, and each once.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::{Found, Import, Note};
use crate::model::name::{MAX_LEN, Name};
use crate::policy::secrets::is_secret_name;
use crate::registry::value::Value;

/// The processes of an import under names that may stand in a registry; what became of a name that had to change is noted.
#[must_use]
pub fn named(import: &mut Import) -> Vec<(Name, Found)> {
    let mut taken = BTreeSet::new();
    // Those that keep their name have it, wherever they stand.
    let keeps = |found: &Found| Name::from_str(&found.name).ok();
    let kept: BTreeSet<Name> = import.found.iter().filter_map(keeps).collect();
    let mut named = Vec::new();
    for found in std::mem::take(&mut import.found) {
        let own = keeps(&found).filter(|name| !taken.contains(name));
        let name = match own {
            Some(name) => name,
            None => free(&slug(&found.name), &|name| taken.contains(name) || kept.contains(name)),
        };
        if name.as_str() != found.name {
            let why = match Name::from_str(&found.name) {
                Ok(_) => "there is another one of that name".to_owned(),
                Err(error) => error.to_string(),
            };
            let (line, process) = (found.line, Some(found.name.clone()));
            import.notes.push(Note {
                line,
                process,
                what: "name".into(),
                why,
                instead: format!("it is `{name}` here"),
            });
        }
        secrets(import, &found);
        taken.insert(name.clone());
        named.push((name, found));
    }
    named
}

/// Values that look like secrets come into the registry as they were found: that is said.
fn secrets(import: &mut Import, found: &Found) {
    let Some(Value::Pairs(pairs)) = found.draft.get("env") else { return };
    for name in pairs.keys().filter(|name| is_secret_name(name)) {
        let why = "it looks like a secret, and is in the registry as it was found".to_owned();
        let instead = "move it into a file that `env_file` names".to_owned();
        let (process, what) = (Some(found.name.clone()), format!("env {name}"));
        import.notes.push(Note { line: found.line, process, what, why, instead });
    }
}

/// The first of `base`, `base-2`, `base-3` … that nobody has.
fn free(base: &str, is_taken: &dyn Fn(&Name) -> bool) -> Name {
    let mut number = 1_u64;
    loop {
        let ending = if number == 1 { String::new() } else { format!("-{number}") };
        let room = base.get(..base.len().min(MAX_LEN - ending.len())).unwrap_or(base); // only ASCII is in it
        if let Ok(name) = Name::from_str(&format!("{room}{ending}"))
            && !is_taken(&name)
        {
            return name;
        }
        number += 1;
    }
}

/// Only what may stand in a name, first a letter or digit.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        match letter {
            'a'..='z' | '0'..='9' | '_' => slug.push(letter),
            '.' if !slug.ends_with('.') => slug.push(letter),
            _ if !slug.is_empty() && !slug.ends_with(['-', '.']) => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_matches(['-', '.', '_']);
    if slug.is_empty() { "process".to_owned() } else { slug.to_owned() }
}
