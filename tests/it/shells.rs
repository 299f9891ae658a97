//! Completions in the shells themselves, and manual pages as their readers check them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::home::{Home, PYTHON, finish};

/// A home in which `guardian` is found by its name.
fn home() -> (Home, PathBuf) {
    let mut home = Home::new();
    let bin = home.path("bin");
    fs::create_dir(&bin).unwrap();
    symlink(home.program(), bin.join("guardian")).unwrap();
    let path = format!("{}:{}", bin.display(), home.env()["PATH"]);
    home.set_env("PATH", &path);
    home.set_env("TERM", "vt100");
    (home, bin)
}

/// The script of a shell, in a file.
fn script(home: &Home, shell: &str) -> PathBuf {
    let script = home.path(&format!("guardian.{shell}"));
    fs::write(&script, home.ok(&["completions", shell])).unwrap();
    script
}

/// Types that, and gives what the command wrote.
#[track_caller]
fn typed(home: &Home, shell: &[&str], before: &str, line: &str, seen: &str) -> String {
    let script = script(home, shell[0]);
    let start = home.path(&format!("start.{}", shell[0]));
    fs::write(&start, format!("{before}\nsource {}\n", script.display())).unwrap();
    let out = home.path("out");
    drop(fs::remove_file(&out));
    let mut command = home.other_command(PYTHON.as_ref());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shells.py")).arg(&start);
    command.arg(format!("{line} >{}", out.display())).arg(seen).args(shell);
    finish(command).expect(0);
    fs::read_to_string(out).unwrap()
}

const SHELLS: [(&[&str], &str); 3] = [
    (&["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'"),
    (&["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D"),
    (&["fish", "--no-config", "-i"], ""),
];

#[test]
fn each_shell_completes_names_from_the_registry_commands_and_options() {
    for (shell, before) in SHELLS {
        let (home, _) = home();
        home.ok(&["register", "web-alpha", "--group", "front", "--", "true"]);
        home.ok(&["register", "batch", "--", "true"]);
        let out = typed(&home, shell, before, "guardian --json status web-<TAB>", "web-alpha");
        assert!(out.contains("\"name\":\"web-alpha\"") && !out.contains("batch"), "{shell:?}: {out}");
        let out = typed(&home, shell, before, "guardian --json status --group fr<TAB>", "front");
        assert!(out.contains("web-alpha"), "{shell:?}: {out}");
        let out = typed(&home, shell, before, "guardian completi<TAB>bash", "completions");
        assert!(out.contains("complete -"), "{shell:?}: {out}");
    }
}

#[test]
fn names_are_those_of_the_home_that_is_asked_for_and_a_broken_registry_completes_nothing() {
    let (home, bin) = home();
    home.ok(&["register", "mine", "--", "true"]);
    let script = script(&home, "fish");
    let ask = |line: &str| {
        let mut fish = home.other_command("fish".as_ref());
        fish.args(["--no-config", "-c"]).arg(format!("source {}; complete -C '{line}'", script.display()));
        finish(fish).expect(0)
    };
    assert!(ask("guardian stop m").stdout.starts_with("mine"));
    home.ok(&["register", "front", "--group", "of-all", "--", "true"]);
    home.ok(&["register", "odd", "--group", "o$(touch here) `x`", "--", "true"]);
    let groups = ask("guardian status --group o").stdout;
    assert_eq!(groups.lines().collect::<Vec<_>>(), ["of-all"], "bash would put it into the line as it stands");
    let other = home.path("other");
    let mut register = home.other_command(&bin.join("guardian"));
    register.arg("--home").arg(&other).args(["register", "theirs", "--", "true"]);
    finish(register).expect(0);
    let theirs = ask(&format!("guardian --home {} stop t", other.display()));
    assert!(theirs.stdout.starts_with("theirs"), "{theirs:?}");
    home.write_registry("[");
    fs::remove_file(home.root().join("registry.toml.last-good")).unwrap();
    let none = ask("guardian stop m");
    assert!(!none.stdout.contains("mine") && none.stderr.is_empty(), "{none:?}");
}

#[test]
fn a_directory_of_completions_loads_the_one_for_zsh_by_itself() {
    let (home, _) = home();
    home.ok(&["register", "web-alpha", "--", "true"]);
    let functions = home.path("functions");
    fs::create_dir(&functions).unwrap();
    fs::write(functions.join("_guardian"), home.ok(&["completions", "zsh"])).unwrap();
    let start = home.path("start");
    let load = format!("fpath=({} $fpath); autoload -Uz compinit; compinit -u -D\n", functions.display());
    fs::write(&start, load).unwrap();
    let out = home.path("out");
    let mut command = home.other_command(PYTHON.as_ref());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shells.py")).arg(&start);
    command
        .arg(format!("guardian --json status web-<TAB> >{}", out.display()))
        .arg("web-alpha")
        .args(["zsh", "-f", "-i"]);
    finish(command).expect(0);
    assert!(fs::read_to_string(out).unwrap().contains("web-alpha"));
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_script_for_bash() {
    let (home, _) = home();
    let mut check = home.other_command("shellcheck".as_ref());
    check.args(["--shell", "bash"]).arg(script(&home, "bash"));
    finish(check).expect(0);
}

#[test]
fn every_manual_page_is_well_formed_for_both_readers_and_says_what_help_says() {
    let home = Home::new();
    let dir = home.path("man1");
    home.ok(&["man", "--dir", dir.to_str().unwrap()]);
    let pages: Vec<PathBuf> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 25, "{} pages", pages.len());
    for page in &pages {
        let mut lint = home.other_command("mandoc".as_ref());
        lint.args(["-Tlint", "-Wwarning"]).arg(page);
        let lint = finish(lint);
        assert_eq!(lint.code, 0, "{}: {}", page.display(), lint.stdout);
        let mut man = home.other_command("man".as_ref());
        man.args(["--warnings=all", "-l"])
            .arg(page)
            .env("MANWIDTH", "100")
            .env("MANPAGER", "cat")
            .env("MANROFFSEQ", "");
        let man = finish(man).expect(0);
        assert!(man.stderr.is_empty(), "{}: {}", page.display(), man.stderr);
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(man.stdout.contains(&name.to_uppercase()) || man.stdout.contains(name), "{name}");
    }
    let page = fs::read_to_string(dir.join("guardian-prune.1")).unwrap();
    assert!(page.contains("Only what belongs to these processes") && page.contains("older\\-than"), "{page}");
}
