//! The dialect of INI that Python's `configparser` reads for supervisord: sections, `key = value` or `key: value`, values
//! that go on in indented lines, comments.

use super::Damage;

/// One section.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) line: usize,
    /// Later ones of the same name replace earlier ones.
    pub(super) keys: Vec<Key>,
}

/// One setting.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) value: String,
}

impl Section {
    pub(super) fn get(&self, name: &str) -> Option<&Key> {
        self.keys.iter().rfind(|key| key.name == name)
    }
}

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Vec<Section>, Damage> {
    let mut sections: Vec<Section> = Vec::new();
    // How far the key that may go on is indented.
    let mut open = None;
    for (index, line) in text.lines().enumerate() {
        let at = index + 1;
        let bare = uncommented(line);
        let indent = line.len() - line.trim_start().len();
        let word = bare.trim();
        if word.is_empty() {
            if line.trim().is_empty() {
                open = None; // an empty line ends a value; a comment does not
            }
            continue;
        }
        if let Some(limit) = open
            && indent > limit
            && let Some(key) = sections.last_mut().and_then(|section| section.keys.last_mut())
        {
            key.value.push('\n');
            key.value.push_str(word);
            continue;
        }
        if let Some(name) = word.strip_prefix('[') {
            let Some(name) = name.strip_suffix(']').filter(|name| !name.trim().is_empty()) else {
                return Err(Damage::new(at, format!("{word:?} is no section"), "write `[program:NAME]`"));
            };
            sections.push(Section { name: name.trim().to_owned(), line: at, keys: Vec::new() });
            open = None;
            continue;
        }
        let Some(at_sign) = word.find(['=', ':']) else {
            let what =
                format!("{:?} is neither a section nor `key = value`", word.chars().take(60).collect::<String>());
            return Err(Damage::new(at, what, "is this a configuration of supervisord?"));
        };
        let Some(section) = sections.last_mut() else {
            return Err(Damage::new(
                at,
                "a setting before the first section",
                "is this a configuration of supervisord?",
            ));
        };
        let (name, value) = word.split_at(at_sign);
        let value = value.get(1..).unwrap_or("").trim().to_owned();
        section.keys.push(Key { name: name.trim().to_ascii_lowercase(), line: at, value });
        open = Some(indent);
    }
    Ok(sections)
}

/// A line without its comment: `#` or `;` at its beginning, or after a blank.
fn uncommented(line: &str) -> &str {
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        if matches!(letter, '#' | ';') && before.is_whitespace() {
            return line.get(..at).unwrap_or(line);
        }
        before = letter;
    }
    line
}
