//! What is said of wrong usage: the parser's words in the form that every other error has. Decides nothing: what is wrong
//! the parser has found.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::error::{Code, Error};

use super::Cli;
use super::out::Out;

/// Help and version are answers; anything else that the parser says of what was `given` is wrong usage, `code` for whoever
/// called.
pub(super) fn usage(error: &clap::Error, out: Out, code: Code, given: &[OsString]) -> u8 {
    let text = error.to_string();
    if !error.use_stderr() {
        return out.answer(&text);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !out.is_json() {
        out.complain(&text); // the list of what can be asked for
        return code as u8;
    }
    let all = Cli::command();
    let known = |word: &OsString| all.get_subcommands().any(|known| word == known.get_name());
    let asked = given.iter().skip(1).find(|word| known(word)).and_then(|word| word.to_str());
    out.fail(&told(&text, code, asked.unwrap_or("COMMAND")))
}

/// The parser's text as one error: its first paragraph is what is wrong, its tips and the usage are the way out.
fn told(text: &str, code: Code, asked: &str) -> Error {
    let mut message: Vec<&str> = Vec::new();
    let mut hints = Vec::new();
    let mut command = format!("guardian {asked}");
    for line in text.trim_start_matches("error: ").lines().map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hints.push(tip.to_owned());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            let is_word = |word: &&str| !word.starts_with(['-', '<', '[']);
            command = usage.split(' ').take_while(is_word).collect::<Vec<_>>().join(" ");
            if usage.contains("-- <COMMAND>") {
                // Who leaves that out is told of a word that nobody expected.
                hints.push("the command to run stands behind `--`: … -- COMMAND ARG".to_owned());
            }
            hints.push(format!("usage: {usage}"));
        } else if line.starts_with("[subcommands: ") || line.starts_with("For more information") {
            // The help has them, in groups and explained.
        } else if !line.is_empty() && hints.is_empty() {
            message.push(line);
        }
    }
    hints.push(format!("`{command} --help` explains it with an example"));
    // What is missing stands in lines of its own below the first.
    let message = match message.split_first() {
        None => "wrong usage".to_owned(),
        Some((first, rest)) => [first, rest.join(", ").as_str()].join(" ").trim_end().to_owned(),
    };
    Error::new(code, "usage", message).hint(hints.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_lists_is_in_the_message_and_how_it_is_written_in_the_hint() {
        let cases = [
            (
                "error: the following required arguments were not provided:\n  <NAME>\n  <SIG>\n\nUsage: guardian signal \
                 <NAME> <SIG>\n\nFor more information, try '--help'.\n",
                "the following required arguments were not provided: <NAME>, <SIG>",
                "usage: guardian signal <NAME> <SIG>\n`guardian signal --help` explains it with an example",
            ),
            (
                "error: invalid value 'x' for '--restart <WORD>'\n  [possible values: never, always]\n\n  tip: a similar \
                 value exists: 'never'\n\nFor more information, try '--help'.\n",
                "invalid value 'x' for '--restart <WORD>' [possible values: never, always]",
                "a similar value exists: 'never'\n`guardian register --help` explains it with an example",
            ),
        ];
        for (text, message, hint) in cases {
            let error = told(text, Code::Usage, "register");
            assert_eq!((error.message.as_str(), error.hint.as_str()), (message, hint));
        }
    }
}
