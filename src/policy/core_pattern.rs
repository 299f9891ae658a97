//! Where the kernel puts a core dump, going by `kernel.core_pattern`.
//!
//! Of a pattern only what is known for sure is filled in; the rest stands for anything, so that whoever looks for the
//! file finds it without guessing.

/// What becomes of a core dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A program reads it.
    Handler(String),
    /// A file; relative paths are from the working directory of the process.
    File(Place),
}

/// A file with parts of its name unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its directory.
    pub dir: String,
    /// What its name is made of; anything may stand between two parts.
    parts: Vec<String>,
}

impl Place {
    /// Whether a file of this name may be it.
    #[must_use]
    pub fn may_be(&self, name: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else { return false };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }

    /// The name with `*` for what is not known.
    #[must_use]
    pub fn name(&self) -> String {
        self.parts.join("*")
    }
}

/// What `pattern` means for process `pid` that `signal` ended; `None`: it cannot be told. `uses_pid`: `kernel.core_uses_pid`.
#[must_use]
pub fn destination(pattern: &str, uses_pid: bool, pid: i32, signal: i32) -> Option<Destination> {
    let pattern = pattern.trim_end_matches('\n');
    if let Some(command) = pattern.strip_prefix('|') {
        let program = command.split_ascii_whitespace().next()?;
        return Some(Destination::Handler(program.rsplit('/').next()?.to_owned()));
    }
    if pattern.is_empty() || pattern.starts_with('@') {
        return None;
    }
    let mut parts = vec![String::new()];
    let mut letters = pattern.chars();
    let mut has_pid = false;
    while let Some(letter) = letters.next() {
        let known = match (letter, if letter == '%' { letters.next() } else { None }) {
            ('%', Some('%')) => Some("%".to_owned()),
            ('%', Some('p')) => {
                has_pid = true;
                Some(pid.to_string())
            }
            ('%', Some('s')) => Some(signal.to_string()),
            ('%', _) => None,
            (letter, _) => Some(letter.to_string()),
        };
        match (known, parts.last_mut()) {
            (Some(known), Some(part)) => part.push_str(&known),
            (_, _) => parts.push(String::new()),
        }
    }
    if uses_pid && !has_pid {
        parts.last_mut()?.push_str(&format!(".{pid}"));
    }
    let first = parts.first()?.clone();
    let (dir, begin) = first.rsplit_once('/').map_or((".", first.as_str()), |(dir, begin)| (dir, begin));
    if parts.iter().skip(1).any(|part| part.contains('/')) {
        return None; // not even the directory is known
    }
    let dir = if dir.is_empty() { "/".to_owned() } else { dir.to_owned() };
    *parts.first_mut()? = begin.to_owned();
    Some(Destination::File(Place { dir, parts }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_where_to_look_and_what_is_not_known_stands_for_anything() {
        let cases = [
            ("core", false, ".", "core", "core"),
            ("core\n", true, ".", "core.42", "core.42"),
            ("core.%p", true, ".", "core.42", "core.42"),
            ("/var/crash/core.%e.%p.%t", false, "/var/crash", "core.*.42.*", "core.sh.42.1700000000"),
            ("/core-%s-100%%", false, "/", "core-11-100%", "core-11-100%"),
            ("sub/%E", false, "sub", "*", "!bin!sh"),
        ];
        for (pattern, uses_pid, dir, name, file) in cases {
            let Some(Destination::File(place)) = destination(pattern, uses_pid, 42, 11) else { panic!("{pattern}") };
            assert_eq!((place.dir.as_str(), place.name().as_str()), (dir, name), "{pattern}");
            assert!(place.may_be(file), "{pattern}: {file}");
            assert!(name == "*" || !place.may_be("other"), "{pattern}");
        }
    }

    #[test]
    fn a_pipe_is_named_by_its_program() {
        let handler = destination("|/usr/lib/systemd/systemd-coredump %P %u", false, 42, 11);
        assert_eq!(handler, Some(Destination::Handler("systemd-coredump".to_owned())));
    }

    #[test]
    fn a_pattern_with_an_unknown_directory_is_not_guessed() {
        assert_eq!(destination("/var/%u/core", false, 42, 11), None);
        assert_eq!(destination("", false, 42, 11), None);
    }
}
