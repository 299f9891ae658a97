//! Code of other languages that stands in a command: what it has the shell run, and whether it plainly leaves a process.
//!
//! Not read by a parser: only what is plain counts, a line that is given to a shell, or a child that is started and that
//! nothing in the code waits for or ends.

use super::calls::{Given, calls};
use super::options::{Valued, operand};
use super::words::Arg;

/// A language, as far as it is known here.
#[derive(Debug)]
pub(super) struct Language {
    /// How the names of its programs begin.
    names: &'static [&'static str],
    /// Options whose value is code.
    options: &'static [&'static str],
    /// Letters that, at the end of a cluster, are such an option.
    letters: &'static str,
    /// Options whose value is none.
    valued: Valued,
    /// What a comment begins with.
    pub(super) comment: &'static str,
    /// Calls that give a line to a shell.
    pub(super) lines: &'static [&'static str],
    /// Calls that execute words.
    pub(super) words: &'static [&'static str],
    /// Whether a call of a line with several arguments executes them as words.
    pub(super) splits: bool,
    /// Whether a call needs no parentheses.
    pub(super) bare_calls: bool,
    /// Whether what stands in backticks is run.
    pub(super) backticks: bool,
}

const NO_LANGUAGE: Language = Language {
    names: &[],
    options: &["-e"],
    letters: "",
    valued: Valued { short: "", long: &[] },
    comment: "#",
    lines: &["system"],
    words: &[],
    splits: false,
    bare_calls: false,
    backticks: false,
};

static LANGUAGES: &[Language] = &[
    Language {
        names: &["python", "pypy"],
        options: &["-c"],
        letters: "c",
        valued: Valued { short: "WXm", long: &[] },
        lines: &["system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"],
        words: &["run", "call", "check_call", "check_output", "Popen", "create_subprocess_exec", "spawn"],
        ..NO_LANGUAGE
    },
    Language {
        names: &["node", "bun", "deno", "tsx"],
        options: &["-e", "--eval", "-p", "--print", "-pe", "eval"],
        valued: Valued { short: "r", long: &["require", "import", "loader", "env-file"] },
        comment: "//",
        lines: &["exec", "execSync"],
        words: &["spawn", "spawnSync", "execFile", "execFileSync"],
        ..NO_LANGUAGE
    },
    Language {
        names: &["perl"],
        options: &["-e", "-E"],
        letters: "eE",
        valued: Valued { short: "I", long: &[] },
        lines: &["system", "exec"],
        splits: true,
        bare_calls: true,
        backticks: true,
        ..NO_LANGUAGE
    },
    Language {
        names: &["ruby"],
        letters: "e",
        valued: Valued { short: "rI", long: &[] },
        lines: &["system", "exec", "spawn", "popen"],
        splits: true,
        bare_calls: true,
        backticks: true,
        ..NO_LANGUAGE
    },
    Language {
        names: &["php"],
        options: &["-r"],
        valued: Valued { short: "dc", long: &[] },
        comment: "//",
        lines: &["exec", "shell_exec", "system", "passthru", "popen", "proc_open"],
        backticks: true,
        ..NO_LANGUAGE
    },
    Language { names: &["lua"], comment: "--", lines: &["execute", "popen"], ..NO_LANGUAGE },
    Language {
        names: &["awk", "gawk", "mawk", "nawk"],
        options: &[],
        valued: Valued { short: "Fv", long: &[] },
        ..NO_LANGUAGE
    },
];

/// The language of the program named `base`.
pub(super) fn language(base: &str) -> Option<&'static Language> {
    let is = |name: &&str| {
        base.strip_prefix(*name).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    };
    LANGUAGES.iter().find(|language| language.names.iter().any(is) || base == "nodejs" && language.is("node"))
}

/// Where the code of an interpreter comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Code<'a> {
    /// Its arguments.
    Text(&'a str),
    /// A file.
    File(&'a str),
    /// Its standard input.
    Input,
    /// Elsewhere: a module, an expression of options.
    Elsewhere,
}

impl Language {
    fn is(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// What an interpreter with these arguments runs.
    pub(super) fn code<'a>(&self, args: &'a [Arg]) -> Code<'a> {
        let at = operand(args, self.valued);
        // After a script they are the script's.
        let takes = |text: &str| {
            let cluster =
                text.strip_prefix('-').filter(|letters| letters.bytes().all(|byte| byte.is_ascii_lowercase()));
            self.options.contains(&text)
                || cluster.is_some_and(|letters| letters.ends_with(|l| self.letters.contains(l)))
        };
        let end = (at + 1).min(args.len());
        if let Some(option) = args.get(..end).unwrap_or_default().iter().position(|arg| takes(&arg.text)) {
            return args.get(option + 1).map_or(Code::Elsewhere, |arg| Code::Text(&arg.text));
        }
        let is_module = args.get(..at).unwrap_or_default().iter().any(|arg| arg.text == "-m" && self.is("python"));
        match args.get(at).map(|arg| arg.text.as_str()) {
            _ if is_module => Code::Elsewhere,
            Some(code) if self.is("awk") && !args.iter().any(|arg| arg.text == "-f") => Code::Text(code),
            _ if self.is("awk") => Code::Elsewhere,
            None | Some("-" | "/dev/stdin") => Code::Input,
            Some("run") if self.is("node") => Code::Elsewhere,
            Some(path) => Code::File(path),
        }
    }

    /// What `code` has a shell or the system run, and what starts a process in it that outlives it.
    pub(super) fn read(&self, code: &str) -> (Vec<Given>, Option<&'static str>) {
        let (mut given, bare) = calls(code, self);
        if self.is("node") && !code.contains("child_process") {
            given.clear(); // `exec` is what regular expressions do, too
        }
        (given, self.leaves(code, &bare))
    }

    /// What in a code leaves a process; `bare` is that code without strings and comments.
    fn leaves(&self, code: &str, bare: &str) -> Option<&'static str> {
        let has = |words: &[&str]| words.iter().any(|word| bare.contains(word));
        let word = |word: &str| bare.split(|l: char| !l.is_alphanumeric() && l != '_').any(|found| found == word);
        if self.is("python") {
            let ends =
                has(&["wait(", ".communicate(", ".terminate(", ".kill(", "killpg(", ".poll(", ".stdout", "with "]);
            return match () {
                () if has(&["Popen("]) && !ends => Some("subprocess.Popen"),
                () if word("DaemonContext") => Some("DaemonContext"),
                () if word("P_NOWAIT") && !ends => Some("P_NOWAIT"),
                () if has(&["os.fork("]) && word("setsid") => Some("os.fork"),
                () => None,
            };
        }
        if self.is("node") {
            let detached = ["detached: true", "detached:true", "'detached': true", "\"detached\": true"];
            let starts = has(&["spawn(", "fork("]);
            let leaves = detached.iter().any(|option| code.contains(option)) || has(&[".unref()"]);
            return (starts && leaves && !has(&[".kill("])).then_some("detached: true");
        }
        if has(&["wait"]) {
            return None;
        }
        let leavers: &[&str] = match () {
            () if self.is("perl") => &["fork", "setsid"],
            () if self.is("ruby") => &["fork", "spawn", "daemon"],
            () if self.is("php") => &["pcntl_fork"],
            () => &[],
        };
        leavers.iter().find(|name| word(name)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_nobody_waits_for_is_left_and_one_that_is_ended_is_not() {
        for (base, code, left) in [
            ("python3", "import subprocess\nsubprocess.Popen(['a'], start_new_session=True)", true),
            ("python3.12", "subprocess.Popen('a', stdout=open('log', 'w'))", true),
            ("python", "p = subprocess.Popen(['a']); p.wait()", false),
            ("python", "print(subprocess.Popen(['a'], stdout=-1).communicate())", false),
            ("python", "with subprocess.Popen(['a']) as p: pass", false),
            ("python", "subprocess.run(['a'], start_new_session=True)", false),
            ("python", "print('Popen(')", false),
            ("node", "require('child_process').spawn('a', [], {detached: true}).unref()", true),
            ("node", "const p = spawn('a', {detached:true}); setTimeout(() => p.kill(), 9)", false),
            ("node", "spawn('a')", false),
            ("perl", "if (my $p = fork) { waitpid $p, 0 }", false),
            ("ruby", "Popen(", false),
        ] {
            assert_eq!(language(base).unwrap().read(code).1.is_some(), left, "{code}");
        }
    }

    #[test]
    fn code_stands_after_its_option_and_never_after_a_script() {
        for (base, line, code) in [
            ("python3", "-u -c x", Code::Text("x")),
            ("python3", "-uc x", Code::Text("x")),
            ("python3", "a.py -c x", Code::File("a.py")),
            ("python3", "-m http.server", Code::Elsewhere),
            ("python3", "-", Code::Input),
            ("node", "--require a -e x", Code::Text("x")),
            ("perl", "-MPOSIX -we x", Code::Text("x")),
            ("awk", "-F : x f", Code::Text("x")),
        ] {
            let args: Vec<Arg> = line.split(' ').map(Arg::new).collect();
            assert_eq!(language(base).unwrap().code(&args), code, "{base} {line}");
        }
        assert!(language("pythonista").is_none());
    }
}
