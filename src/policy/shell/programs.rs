//! What the program of a command does to its shell, and what code it is given.

use super::Launch;
use super::calls::Given;
use super::detail::{Source, unwrap};
use super::embedded::{self, Code, Language};
use super::endings::{Targets, ends, may_end};
use super::jobs::Shell;
use super::lists::printed;
use super::walk::Walk;
use super::words::{Arg, typed};
use super::wrappers::{self, Script};

/// Functions that call each other are followed this deep.
const DEEPEST_CALLS: usize = 8;

impl Walk {
    /// A program with its arguments; `input` is what it reads, where that is known.
    pub(super) fn program(&mut self, argv: &[Arg], input: Option<String>, shell: &mut Shell) {
        let Some((name, args)) = argv.split_first() else { return };
        match name.base() {
            "wait" => shell.wait(args),
            "kill" => {
                if shell.kill(args) {
                    self.end(|launch| Targets::Any.mean(launch));
                }
            }
            "pkill" | "killall" | "fuser" | "kill-port" => self.end_named(&Targets::of(name.base(), args), shell),
            "fg" => shell.foreground(),
            "disown" => shell.disown(args),
            "alias" => self.known.name(args),
            "set" => {
                if let Some(words) = args.strip_prefix(&[Arg::plain("--")]) {
                    self.known.arguments.pop();
                    self.known.arguments.push(words.to_vec());
                }
            }
            "shift" => {
                if let Some(arguments) = self.known.arguments.last_mut().filter(|arguments| !arguments.is_empty()) {
                    arguments.remove(0);
                }
            }
            "eval" => {
                let code = args.iter().map(|arg| arg.text.as_str()).collect::<Vec<_>>().join(" ");
                self.text(&self.meaning(&code), shell);
            }
            "source" | "." => {
                let file = args.first().map(|file| file.text.as_str()).unwrap_or_default();
                if let Some(code) = printed(file).or_else(|| self.known.script(file)) {
                    self.text(&code, shell);
                }
            }
            "trap" => shell.traps.extend(args.first().filter(|_| args.len() > 1).map(|arg| arg.text.clone())),
            base if wrappers::is_shell(base) => match wrappers::script(args) {
                Script::Text(code) => self.other_text(&self.meaning(code)),
                Script::Input => input.iter().for_each(|code| self.other_text(code)),
                Script::File(path) => match printed(path) {
                    Some(code) => self.other_text(&code),
                    None => self.script(path),
                },
            },
            base => {
                if may_end(base) {
                    self.end(|launch| ends(argv, launch));
                }
                if let Some(language) = embedded::language(base) {
                    self.embedded(language, args, input);
                }
                for line in wrappers::lines_of(argv) {
                    self.other_text(&line);
                }
                for executed in wrappers::executed(argv) {
                    self.executed(executed);
                }
                self.call(base, args, shell);
                self.script(&name.text);
            }
        }
    }

    /// Jobs of the shell, and what was left by others, are ended by name.
    pub(super) fn end_named(&mut self, targets: &Targets<'_>, shell: &mut Shell) {
        shell.kill_named(targets);
        self.end(|launch| targets.mean(launch));
    }

    /// What a text stands for that is a variable, or what a command prints.
    fn meaning(&self, text: &str) -> String {
        printed(text).unwrap_or_else(|| self.known.value(text).to_owned())
    }

    /// Code of another language.
    fn embedded(&mut self, language: &Language, args: &[Arg], input: Option<String>) {
        let code = match language.code(args) {
            Code::Text(text) => Some(self.meaning(text)),
            Code::File(path) => self.known.file(path),
            Code::Input => input,
            Code::Elsewhere => None,
        };
        let Some(code) = code.filter(|_| self.may_read()) else { return };
        let (given, how) = language.read(&code);
        if let Some(how) = how {
            return self.push(Launch { how: how.to_owned(), ..Launch::default() });
        }
        for given in given {
            match given {
                Given::Line(line) => self.other_text(&line),
                Given::Words(words) => {
                    let argv: Vec<Arg> = words.iter().map(|word| Arg::of_value(word)).collect();
                    self.executed(&argv);
                }
            }
        }
    }

    /// A file that is run, if the command has written it.
    fn script(&mut self, path: &str) {
        if let Some(code) = self.known.script(path) {
            self.other_text(&code);
        }
    }

    /// A command in the arguments of another.
    fn executed(&mut self, argv: &[Arg]) {
        let unwrapped = unwrap(argv);
        match &unwrapped.how {
            Some(how) => self.push(Launch {
                how: how.clone(),
                program: typed(&unwrapped.kept),
                text: typed(argv),
                ..Launch::default()
            }),
            None => self.program(unwrapped.program(), None, &mut Shell::default()),
        }
    }

    /// An alias or a function that the command itself has defined.
    fn call(&mut self, name: &str, args: &[Arg], shell: &mut Shell) {
        if self.calling.iter().any(|calling| calling == name) || self.calling.len() >= DEEPEST_CALLS {
            return;
        }
        if let Some(alias) = self.known.alias(name) {
            let code = format!("{alias} {}", typed(args));
            self.calling.push(name.to_owned());
            self.text(&code, shell);
            self.calling.pop();
        } else if let Some(body) = self.functions.get(name).cloned() {
            self.calling.push(name.to_owned());
            self.known.arguments.push(args.to_vec());
            self.node(&body, shell, Source { text: None, top: false });
            self.known.arguments.pop();
            self.calling.pop();
        }
    }
}
