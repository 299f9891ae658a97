//! What a command itself has written down: scripts that it then runs, variables that hold commands.

use std::collections::BTreeMap;

use super::words::Arg;

/// Files and variables whose content is plain to see.
#[derive(Debug, Default)]
pub(super) struct Known {
    files: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    aliases: BTreeMap<String, String>,
    /// Arguments of the functions that the walk is in.
    pub(super) arguments: Vec<Vec<Arg>>,
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

    /// What a file was written with, whatever it is.
    pub(super) fn file(&self, path: &str) -> Option<String> {
        self.files.get(&plain(path)).cloned()
    }

    /// `alias NAME=VALUE`.
    pub(super) fn name(&mut self, args: &[Arg]) {
        let named = args.iter().filter_map(|arg| arg.text.split_once('='));
        self.aliases.extend(named.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    /// What an alias stands for.
    pub(super) fn alias(&self, name: &str) -> Option<&str> {
        self.aliases.get(name).map(String::as_str)
    }

    /// `argv` with what its variables and the arguments of a function hold, as far as that is plain to see.
    pub(super) fn expanded(&self, argv: &[Arg]) -> Vec<Arg> {
        argv.iter().flat_map(|arg| self.words(arg).unwrap_or_else(|| vec![arg.clone()])).collect()
    }

    fn words(&self, arg: &Arg) -> Option<Vec<Arg>> {
        let bare = arg.raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
        let text = bare.unwrap_or(&arg.raw);
        let name =
            text.strip_prefix("${").and_then(|name| name.strip_suffix('}')).or_else(|| text.strip_prefix('$'))?;
        let arguments = self.arguments.last();
        if matches!(name, "@" | "*") {
            return arguments.cloned();
        }
        if let Ok(number) = name.parse::<usize>() {
            return Some(vec![arguments?.get(number.checked_sub(1)?)?.clone()]);
        }
        let value = self.variables.get(name)?;
        let quoted = bare.is_some().then(|| vec![Arg::of_value(value)]);
        Some(quoted.unwrap_or_else(|| value.split_whitespace().map(Arg::of_value).collect()))
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
