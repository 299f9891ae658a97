//! Code of other languages that stands in a command: whether it plainly leaves a process running.
//!
//! Not read by a parser: only what is plain counts, a child that is started and that nothing in the code waits for or ends.

/// Whether the program named `base` reads code given by `-c`, `-e` or on its standard input.
pub(super) fn is_interpreter(base: &str) -> bool {
    is_python(base) || is_node(base)
}

fn is_python(base: &str) -> bool {
    base.starts_with("python") || base.starts_with("pypy")
}

fn is_node(base: &str) -> bool {
    matches!(base, "node" | "nodejs" | "bun")
}

/// The code among the arguments of an interpreter.
pub(super) fn code<'a>(base: &str, arguments: &[&'a str]) -> Option<&'a str> {
    let options: &[&str] = if is_python(base) { &["-c"] } else { &["-e", "--eval", "-p"] };
    let at = arguments.iter().position(|argument| options.contains(argument))?;
    // After a script they are the script's.
    let own = arguments.iter().take(at).all(|argument| argument.starts_with('-'));
    arguments.get(at + 1).filter(|_| own).copied()
}

/// What starts a process in `code` that outlives it; `None`: nothing that is plain.
pub(super) fn leaves(base: &str, code: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    if is_python(base) {
        let ends = has(&["wait(", ".communicate(", ".terminate(", ".kill(", "killpg(", ".poll(", ".stdout", "with "]);
        return (has(&["Popen("]) && !ends).then_some("subprocess.Popen");
    }
    let detached = has(&["detached: true", "detached:true"]) && has(&["spawn(", "fork("]);
    (is_node(base) && detached && !has(&[".kill("])).then_some("detached: true")
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
            ("node", "require('child_process').spawn('a', [], {detached: true}).unref()", true),
            ("node", "const p = spawn('a', {detached:true}); setTimeout(() => p.kill(), 9)", false),
            ("node", "spawn('a')", false),
            ("ruby", "Popen(", false),
        ] {
            assert_eq!(leaves(base, code).is_some(), left, "{code}");
        }
        assert_eq!(code("python3", &["-u", "-c", "x"]), Some("x"));
        assert_eq!(code("python3", &["a.py", "-c", "x"]), None);
    }
}
