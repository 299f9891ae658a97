//! The `guardian run …` that does what a refused command wanted.

use super::words::{Arg, typed};
use crate::model::name::{MAX_LEN, Name};

/// Longest name that is made from a command.
const NAME_LENGTH: usize = 40;

/// `guardian run --name NAME -- …` for words as they were typed, named after the program among them.
pub(super) fn of_words(argv: &[Arg], program: &[Arg]) -> String {
    format!("guardian run --name {} -- {}", name_of(program), typed(argv))
}

/// The same for a line that needs a shell; `argv` is what it is named after. `None`: it cannot be quoted.
pub(super) fn of_line(line: &str, argv: &[Arg]) -> Option<String> {
    // More than what `/bin/sh` is sure to know needs the shell that it was written for.
    let plain = !["[[", "<(", ">(", "((", "&>", "|&", "<<<", "$'", "function "].iter().any(|word| line.contains(word));
    let quoted = shlex::try_quote(line).ok()?;
    // A line of one word would be taken for a program.
    let shell = if plain { "" } else { "bash -c " };
    Some(format!("guardian run --name {} -- {shell}{quoted}", name_of(argv)))
}

/// A process name for a command: that of its script, else of its program.
pub(super) fn name_of(argv: &[Arg]) -> String {
    let Some((program, args)) = argv.split_first() else { return "job".to_owned() };
    let base = program.base();
    let operand = |skip: &[&str]| {
        let word = |arg: &&Arg| !arg.text.starts_with('-') && !skip.contains(&arg.text.as_str());
        args.iter().find(word).map(|arg| arg.text.as_str())
    };
    let after = |option: &str| {
        let at = args.iter().position(|arg| arg.text == option);
        at.and_then(|at| args.get(at + 1)).map(|arg| arg.text.as_str())
    };
    let stem = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or(path);
        let end = file.rfind('.').filter(|at| *at > 0).unwrap_or(file.len());
        file.get(..end).unwrap_or(file).to_owned()
    };
    let is_python = base.starts_with("python") || base.starts_with("pypy");
    let name = match base {
        _ if is_python && after("-m").is_some() => after("-m").map(str::to_owned),
        "java" => after("-jar").map(stem),
        "sh" | "bash" | "zsh" | "dash" if after("-c").is_some() => None,
        "node" | "nodejs" | "deno" | "ruby" | "perl" | "php" | "sh" | "bash" | "zsh" | "dash" | "go" | "tsx"
        | "ts-node" => operand(&["run", "exec"]).map(stem),
        _ if is_python => operand(&[]).map(stem),
        "npm" | "yarn" | "pnpm" | "bun" | "make" | "cargo" | "just" | "rails" | "mix" | "npx" | "uv" | "poetry"
        | "pipenv" | "hugo" | "flask" | "docker" | "podman" => {
            operand(&["run", "exec", "python", "python3", "compose"]).map(|word| format!("{base}-{}", stem(word)))
        }
        _ => None,
    };
    sanitized(&name.unwrap_or_else(|| stem(base)))
}

/// The nearest text that is a process name.
fn sanitized(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        let fits = letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '.' | '_');
        let letter = if fits { letter } else { '-' };
        if !(matches!(letter, '-' | '.') && (name.is_empty() || name.ends_with(['-', '.']))) {
            name.push(letter);
        }
    }
    let name: String = name.trim_start_matches('_').chars().take(NAME_LENGTH.min(MAX_LEN)).collect();
    let name = name.trim_end_matches(['-', '.']).to_owned();
    if name.parse::<Name>().is_ok() { name } else { "job".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<Arg> {
        line.split(' ').map(Arg::new).collect()
    }

    #[test]
    fn a_name_says_what_runs() {
        for (line, name) in [
            ("python3 bot.py 480", "bot"),
            ("/usr/bin/python3.12 -u src/My_Bot.py", "my_bot"),
            ("python -m http.server 8000", "http.server"),
            ("npm run dev", "npm-dev"),
            ("npm start", "npm-start"),
            ("./target/release/server --port 1", "server"),
            ("node dist/index.js", "index"),
            ("sh -c 'x'", "sh"),
            ("java -Xmx1g -jar app.jar", "app"),
            ("cargo run --release", "cargo"),
            ("$CMD", "cmd"),
            ("§§", "job"),
        ] {
            assert_eq!(name_of(&args(line)), name, "{line}");
        }
        assert_eq!(name_of(&[]), "job");
        assert_eq!(name_of(&args(&"x".repeat(99))).len(), NAME_LENGTH);
    }
}
