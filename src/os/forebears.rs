//! The processes above this one, as whoever asks which program called needs them. Changes nothing.

use std::collections::BTreeMap;

use super::{process, stranger};
use crate::model::wake::Forebear;

/// Longest chain that is followed.
const MOST: usize = 16;

/// Nearest first, read one by one as they are asked for; the chain ends where a process cannot be seen.
pub fn forebears() -> impl Iterator<Item = Forebear> {
    let parent = |pid: i32| process::look(pid).ok().flatten().map(|process| process.parent).filter(|pid| *pid > 1);
    let own = i32::try_from(std::process::id()).ok();
    std::iter::successors(own.and_then(parent), move |pid| parent(*pid)).take(MOST).map(describe)
}

fn describe(pid: i32) -> Forebear {
    let mut arguments = process::arguments(pid).unwrap_or_default();
    if arguments.last().is_some_and(Vec::is_empty) {
        arguments.pop(); // what stands behind the NUL that ends the last one
    }
    let arguments = arguments.into_iter().map(String::from_utf8);
    let text = |path: std::path::PathBuf| path.into_os_string().into_string().ok();
    Forebear {
        pid,
        arguments: arguments.map_while(Result::ok).collect(),
        executable: stranger::executable(pid).and_then(text),
        cwd: stranger::cwd(pid).ok().and_then(text),
        environment: stranger::environment(pid).ok().flatten().map(variables),
    }
}

/// Those that are UTF-8.
fn variables(entries: Vec<Vec<u8>>) -> BTreeMap<String, String> {
    let entry = |entry: Vec<u8>| {
        let text = String::from_utf8(entry).ok()?;
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    entries.into_iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_runs_this_is_above_it() {
        let first = forebears().next().expect("a test has a parent");
        assert!(!first.arguments.is_empty(), "{first:?}");
        #[cfg(target_os = "linux")]
        assert!(first.environment.is_some_and(|variables| variables.contains_key("PATH")));
    }
}
