//! The name of a job that was given none: made from its command, so that whoever reads it knows what runs.

/// Longest name that is made; room is left for a number that makes it unique.
const LONGEST: usize = 40;
/// Programs that run what their first argument names: the name comes from that.
const RUNNERS: [&str; 22] = [
    "sh", "bash", "zsh", "dash", "env", "nice", "time", "timeout", "python", "python2", "python3", "node", "deno",
    "bun", "ruby", "perl", "php", "java", "npx", "uvx", "uv", "exec",
];
/// Programs whose first argument says what they do.
const DOERS: [&str; 12] =
    ["make", "just", "cargo", "npm", "pnpm", "yarn", "go", "docker", "gradle", "mvn", "bundle", "git"];

/// A name for what these words run; `words` are an argument vector, or those of a line for the shell.
///
/// Only `a-z 0-9 -`, first a letter or digit, at most 40 bytes; `job` where nothing of it can be used.
#[must_use]
pub fn job_name(words: &[String]) -> String {
    let mut words = words.iter().map(String::as_str).filter(|word| !is_assignment(word) && !word.starts_with('-'));
    let mut named = words.next().map_or("", base);
    if named == "cd" {
        // `cd DIR && COMMAND …`
        words.find(|word| matches!(*word, "&&" | ";"));
        named = words.next().map_or("cd", base);
    }
    while RUNNERS.contains(&named) {
        let Some(next) = words.find(|word| !word.starts_with(|c: char| c.is_ascii_digit()) && *word != "run") else {
            break;
        };
        named = base(next);
    }
    let what = words.next().filter(|word| DOERS.contains(&named) && word.starts_with(char::is_alphabetic));
    match (slug(named), what.map(|what| slug(base(what)))) {
        (name, _) if name.is_empty() => "job".to_owned(),
        (name, Some(what)) if !what.is_empty() => cut(&format!("{name}-{what}")),
        (name, _) => cut(&name),
    }
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The last part of a path, without what says how it is to be run.
fn base(word: &str) -> &str {
    let file = word.trim_end_matches([';', '&']).rsplit('/').next().unwrap_or(word);
    let endings = [".py", ".sh", ".js", ".mjs", ".ts", ".rb", ".pl", ".jar"];
    endings.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file)
}

fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_runs() {
        let cases = [
            ("sleep 10", "sleep"),
            ("python3 bot.py --fast", "bot"),
            ("MODE=x python3 -u /srv/My_Bot.py", "my-bot"),
            ("cargo test --all", "cargo-test"),
            ("npm run", "npm-run"),
            ("make", "make"),
            ("cd /srv/app && npm start", "npm-start"),
            ("bash -c", "bash"),
            ("timeout 10 ./run-all.sh", "run-all"),
            ("uv run tool.py", "tool"),
            ("'' --", "job"),
            ("日本語", "job"),
            ("./-weird-.", "weird"),
        ];
        for (line, want) in cases {
            assert_eq!(job_name(&shlex::split(line).unwrap()), want, "{line}");
        }
    }

    #[test]
    fn every_name_is_one_that_a_process_may_have() {
        for word in ["..", "a..b", &"x".repeat(99), "Ä", "a".repeat(39).as_str(), "-", "_x_"] {
            let name = job_name(&[word.to_owned()]);
            assert!(name.len() <= LONGEST && name.parse::<crate::model::name::Name>().is_ok(), "{word}: {name}");
        }
    }
}
