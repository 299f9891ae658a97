//! The tools: which command each is, what it takes, and what it does to the world. A table; pure.
//!
//! Arguments become options in the form `--option=value`, and names stand behind `--`: a value that begins with a dash
//! is never taken for an option.

use serde_json::{Map, Value};

/// The arguments of a call.
pub(super) type Arguments = Map<String, Value>;

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, given as `--NAME=TEXT`.
    Text,
    /// A whole number, 0 or more, given as `--NAME=NUMBER`.
    Count,
    /// Seconds, given as `--NAME=NUMBERs`.
    Seconds,
    /// Bytes, given as `--NAME=NUMBERB`.
    Bytes,
    /// Given as `--NAME` where it is true.
    Flag,
    /// An object of texts, each given as `--NAME=KEY=VALUE`.
    Pairs,
    /// Texts, each given as `--NAME=TEXT`.
    Texts,
    /// One text that stands behind `--`.
    Name,
    /// Texts that stand behind `--`.
    Names,
}

/// One argument of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument {
    /// Its name; the option has `-` for `_`, and no `_s` at the end.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) kind: Kind,
    /// Whether a call must have it.
    pub(super) required: bool,
    /// What it means, for the model.
    pub(super) about: &'static str,
}

/// What a tool does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Reads,
    /// It starts or adds something; again it does nothing more.
    Adds,
    /// It starts or adds something, and again once more.
    AddsAgain,
    /// It ends something that runs; again it does nothing more.
    Ends,
    /// It ends something that runs, each time.
    EndsAgain,
}

/// One tool.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: &'static str,
    /// The command that it is.
    pub(super) verb: &'static str,
    /// Its name for people.
    pub(super) title: &'static str,
    /// What it does, for the model.
    pub(super) about: &'static str,
    /// What it does to the world.
    pub(super) effect: Effect,
    /// Whether a code other than 0 is the process's own, or an answer, although there is a document.
    pub(super) code_is_answer: bool,
    /// What it takes.
    pub(super) arguments: &'static [Argument],
    /// The principal fields of its answer: name, type in JSON Schema, meaning.
    pub(super) answer: &'static [(&'static str, &'static str, &'static str)],
}

const fn needs(name: &'static str, kind: Kind, about: &'static str) -> Argument {
    Argument { name, kind, required: true, about }
}

const fn takes(name: &'static str, kind: Kind, about: &'static str) -> Argument {
    Argument { name, kind, required: false, about }
}

const NAME: Argument = needs("name", Kind::Name, "Name of the process in the registry");
const NAMES: Argument = needs("names", Kind::Names, "Names of processes in the registry");
const PROCESSES: (&str, &str, &str) = ("processes", "array", "One object for each process: name, result, pid, run");

/// All tools, in the order in which they are listed.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "run",
        verb: "run",
        title: "Run a command that outlives this session",
        about: "Starts a command under guardian: it goes on when this session, the terminal or the agent ends. Shows its output for \
                yield_s seconds; a command that ends by then gives its output and exit code, else its name, run and pid, to be used \
                with wait, logs and stop. Use it for servers, watchers, bots, builds, tests, training, every long or background job.",
        effect: Effect::AddsAgain,
        code_is_answer: true,
        arguments: &[
            needs("command", Kind::Names, "The program and its arguments; a single item is a line for the shell"),
            takes("name", Kind::Text, "Name to know it by; without, it is made from the command"),
            takes(
                "yield_s",
                Kind::Seconds,
                "How long to show output before it goes on in the background; 10 unless told",
            ),
            takes("cwd", Kind::Text, "Working directory; this server's unless told"),
            takes("env", Kind::Pairs, "Environment variables to set"),
            takes(
                "target",
                Kind::Text,
                "How long it is meant to live: `exit` (a job, the default), a duration like `8h`, or `forever` (a service)",
            ),
            takes("stdin", Kind::Text, "`pipe`: send can write to it"),
            takes("pty", Kind::Flag, "Run it in a terminal of its own, for programs that want one; send types into it"),
            takes("pty_size", Kind::Text, "Columns and rows of that terminal; `80x24` unless told"),
            takes("group", Kind::Text, "Group to stop, wait for or list together"),
            takes("notify", Kind::Texts, "Sinks to tell of its end"),
            takes("timeout_s", Kind::Seconds, "It is ended when it runs longer"),
            takes("once", Kind::Text, "A key: the same key never runs twice"),
        ],
        answer: &[
            ("name", "string", "Name to use with the other tools"),
            ("run", "integer", "Number of the run"),
            ("pid", "integer", "Process id, while it runs"),
            ("exit_code", "integer", "Exit code, or 128 + signal, when it has ended; 0 also while it runs"),
        ],
    },
    Tool {
        name: "start",
        verb: "start",
        title: "Start registered processes",
        about: "Starts processes of the registry; one that runs is left as it is. Never a second copy.",
        effect: Effect::Adds,
        code_is_answer: false,
        arguments: &[NAMES],
        answer: &[PROCESSES],
    },
    Tool {
        name: "stop",
        verb: "stop",
        title: "Stop processes and keep them down",
        about: "Stops processes in their own way, whole trees, and keeps them down until they are started again.",
        effect: Effect::Ends,
        code_is_answer: false,
        arguments: &[NAMES],
        answer: &[PROCESSES],
    },
    Tool {
        name: "restart",
        verb: "restart",
        title: "Stop and start processes",
        about: "Stops processes and starts them again as new runs.",
        effect: Effect::EndsAgain,
        code_is_answer: false,
        arguments: &[NAMES],
        answer: &[PROCESSES],
    },
    Tool {
        name: "status",
        verb: "status",
        title: "What is up, what is not, and why",
        about: "The state of processes: running, waiting for a restart, completed, dead, tripped; time left to the target, restarts, \
                how the last run ended. exit_code 1: something is not as desired; 3: the one that was named is not running.",
        effect: Effect::Reads,
        code_is_answer: true,
        arguments: &[
            takes("names", Kind::Names, "Names of processes; without, all"),
            takes("group", Kind::Text, "Only the processes of this group"),
        ],
        answer: &[
            (
                "processes",
                "array",
                "One object for each process: name, state, desired, pid, run, uptime_s, remaining_s, last_exit",
            ),
            ("healthcheck", "object", "When the last pass ran, and whether one is overdue"),
            ("exit_code", "integer", "0: all is as desired"),
        ],
    },
    Tool {
        name: "list",
        verb: "status",
        title: "All processes in short",
        about: "Name, state, group, pid and run of every process that guardian keeps; for more about one use status.",
        effect: Effect::Reads,
        code_is_answer: true,
        arguments: &[],
        answer: &[("processes", "array", "One object for each process: name, state, group, pid, run")],
    },
    Tool {
        name: "logs",
        verb: "logs",
        title: "Output of a process",
        about: "What a process wrote. Pass the cursor of the last answer to get only what is new.",
        effect: Effect::Reads,
        code_is_answer: false,
        arguments: &[
            NAME,
            takes("lines", Kind::Count, "Only the last so many lines; 50 unless there is a cursor"),
            takes(
                "cursor",
                Kind::Text,
                "Only what is new since the answer that had this cursor; `0`: from the beginning",
            ),
            takes("grep", Kind::Text, "Only lines in which this regular expression is found"),
            takes("run", Kind::Count, "Only this run"),
            takes("max_bytes", Kind::Bytes, "No more than this; 8000 unless told"),
        ],
        answer: &[
            ("lines", "array", "The lines"),
            ("cursor", "string", "Pass it to the next call to get only what is new"),
            ("cut_bytes", "integer", "Bytes that did not fit"),
            ("unfinished_bytes", "integer", "With a cursor: of a line that goes on; its end is `unfinished`"),
            ("replaced", "boolean", "The cursor was of another log: this one is given from its beginning"),
        ],
    },
    Tool {
        name: "wait",
        verb: "wait",
        title: "Wait until processes have ended",
        about: "Blocks until processes have ended (or one of them, or they are ready) and gives their true exit codes. Costs nothing \
                while it waits: prefer it to asking status again and again. exit_code 124: the time ran out, they go on.",
        effect: Effect::Reads,
        code_is_answer: true,
        arguments: &[
            takes("names", Kind::Names, "Names of processes"),
            takes("group", Kind::Text, "All processes of this group"),
            takes("any", Kind::Flag, "Until one has ended, not all"),
            takes("until", Kind::Text, "`exit` unless told; `ready`; `output:REGEX`"),
            takes(
                "timeout_s",
                Kind::Seconds,
                "At most so long; 100 unless told, since many clients give up after two minutes",
            ),
        ],
        answer: &[
            ("ended", "array", "One object for each that ended: name, exit_code, last_exit with verdict and cause"),
            ("still_running", "array", "Names of those that go on"),
            (
                "exit_code",
                "integer",
                "The code of the one process; of several 0 if all completed, else 1; 124: time ran out",
            ),
        ],
    },
    Tool {
        name: "why",
        verb: "why",
        title: "Why a process ended",
        about: "The death certificate of the last run that ended: cause, signal and who sent it, how long it lived of its target, last \
                lines, what differs from the last good run, what to do next.",
        effect: Effect::Reads,
        code_is_answer: false,
        arguments: &[NAME, takes("run", Kind::Count, "Of this run")],
        answer: &[
            ("sentence", "string", "The cause in a sentence"),
            ("cause", "object", "kind, with code or signal"),
            ("verdict", "string", "premature, completed, failed, stopped"),
            ("next", "string", "What to do next"),
        ],
    },
    Tool {
        name: "send",
        verb: "send",
        title: "Write to the input of a process",
        about: "Writes text to the standard input or terminal of a process that was started with one.",
        effect: Effect::AddsAgain,
        code_is_answer: false,
        arguments: &[
            NAME,
            takes("text", Kind::Name, "The text; a line end is added, unless it is pasted or keys follow"),
            takes("paste", Kind::Flag, "The text as a paste into its terminal"),
            takes(
                "keys",
                Kind::Texts,
                "Keys for its terminal as tmux names them, pressed after the text: Enter, C-c, Up",
            ),
            takes("eof", Kind::Flag, "Then the end of its input; in a terminal that is the key C-d"),
            takes("size", Kind::Text, "First another size for its terminal, such as 120x40"),
        ],
        answer: &[("name", "string", "Name of the process"), ("bytes", "integer", "Bytes that were written to it")],
    },
];

/// The tool of that name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

impl Tool {
    /// Whether it may be broken off without any harm.
    pub(super) fn only_reads(&self) -> bool {
        self.effect == Effect::Reads
    }

    /// The arguments of the command, without the program.
    ///
    /// # Errors
    /// An argument is unknown, missing or of another kind; the text says which and what there is.
    pub(super) fn command_line(&self, given: &Arguments) -> Result<Vec<String>, String> {
        let known = |name: &String| self.arguments.iter().any(|argument| argument.name == name);
        if let Some(unknown) = given.keys().find(|name| !known(name)) {
            let names: Vec<&str> = self.arguments.iter().map(|argument| argument.name).collect();
            return Err(format!("`{}` takes no argument `{unknown}`; it takes {}", self.name, names.join(", ")));
        }
        let mut options = vec![self.verb.to_owned(), "--json".to_owned()];
        let mut operands = Vec::new();
        for argument in self.arguments {
            match given.get(argument.name) {
                None | Some(Value::Null) if argument.required => {
                    return Err(format!("`{}` needs `{}`: {}", self.name, argument.name, argument.about));
                }
                None | Some(Value::Null) => {}
                Some(value) => argument.put(value, &mut options, &mut operands)?,
            }
        }
        options.extend(self.unless_told(given));
        if !operands.is_empty() {
            options.push("--".to_owned());
            options.append(&mut operands);
        }
        Ok(options)
    }

    /// What bounds an answer where the call does not.
    fn unless_told(&self, given: &Arguments) -> Vec<String> {
        let told = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
        let mut options = Vec::new();
        if self.name == "logs" {
            if !told("max_bytes") {
                options.push("--max-bytes=8000B".to_owned());
            }
            if !told("lines") && !told("cursor") {
                options.push("--lines=50".to_owned());
            }
        }
        if self.name == "wait" && !told("timeout_s") {
            options.push("--timeout=100s".to_owned());
        }
        options
    }
}

impl Argument {
    fn put(&self, value: &Value, options: &mut Vec<String>, operands: &mut Vec<String>) -> Result<(), String> {
        let is_not = |what: &str| format!("`{}` must be {what}", self.name);
        let option = || format!("--{}", self.name.strip_suffix("_s").unwrap_or(self.name).replace('_', "-"));
        let text = |value: &Value| value.as_str().map(str::to_owned).filter(|text| !text.contains('\0'));
        let texts = |value: &Value| -> Option<Vec<String>> { value.as_array()?.iter().map(text).collect() };
        match self.kind {
            Kind::Text => options.push(format!("{}={}", option(), text(value).ok_or_else(|| is_not("text"))?)),
            Kind::Count | Kind::Seconds | Kind::Bytes => {
                let number = value.as_u64().ok_or_else(|| is_not("a whole number, 0 or more"))?;
                let unit = match self.kind {
                    Kind::Seconds => "s",
                    Kind::Bytes => "B",
                    Kind::Text | Kind::Count | Kind::Flag | Kind::Pairs | Kind::Texts | Kind::Name | Kind::Names => "",
                };
                options.push(format!("{}={number}{unit}", option()));
            }
            Kind::Flag => {
                if value.as_bool().ok_or_else(|| is_not("true or false"))? {
                    options.push(option());
                }
            }
            Kind::Pairs => {
                let pairs = value.as_object().ok_or_else(|| is_not("an object of texts"))?;
                for (key, value) in pairs {
                    let value = text(value).ok_or_else(|| is_not("an object of texts"))?;
                    options.push(format!("{}={key}={value}", option()));
                }
            }
            Kind::Texts => {
                let texts = texts(value).ok_or_else(|| is_not("a list of texts"))?;
                options.extend(texts.into_iter().map(|text| format!("{}={text}", option())));
            }
            Kind::Name => operands.push(text(value).ok_or_else(|| is_not("text"))?),
            Kind::Names => {
                let names = texts(value).filter(|names| !names.is_empty() || !self.required);
                operands.extend(names.ok_or_else(|| is_not("a list of texts, at least one"))?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "tools_tests.rs"]
mod tests;
