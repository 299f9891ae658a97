//! What a command itself has written down: scripts that it then runs, variables that hold commands.

use std::collections::BTreeMap;

/// Files and variables whose content is plain to see.
#[derive(Debug, Default)]
pub(super) struct Known {
    files: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl Known {
    /// `content` goes into the file; added to what is known of it where `append`.
    pub(super) fn write(&mut self, path: &str, content: String, append: bool) {
        let file = self.files.entry(plain(path)).or_default();
        if !append {
            file.clear();
        }
        file.push_str(&content);
        file.push('\n');
    }

    /// What a file was written with, if it is a script of a shell.
    pub(super) fn script(&self, path: &str) -> Option<String> {
        let text = self.files.get(&plain(path))?;
        let first = text.lines().next().unwrap_or_default();
        (!first.starts_with("#!") || first.trim_end().ends_with("sh")).then(|| text.clone())
    }

    /// `NAME=value`, where nothing in the value is expanded.
    pub(super) fn assign(&mut self, name: &str, value: String) {
        if value.contains(['$', '`']) {
            self.variables.remove(name)
        } else {
            self.variables.insert(name.to_owned(), value)
        };
    }

    /// `text`, or what the variable holds that it consists of.
    pub(super) fn value<'a>(&'a self, text: &'a str) -> &'a str {
        let name = text.strip_prefix("${").and_then(|name| name.strip_suffix('}')).or_else(|| text.strip_prefix('$'));
        name.and_then(|name| self.variables.get(name)).map_or(text, String::as_str)
    }
}

fn plain(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}
