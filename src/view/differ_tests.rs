//! Tables: what differs and what does not.

use super::*;
use crate::model::metadata::{FileId, SCHEMA};
use crate::model::time::BootId;

fn file(path: &str, content: i64, sha256: Option<&str>) -> FileFact {
    let file = FileId { dev: 1, ino: 2, size: 3, mtime_ns: content * 1_000_000_000, ctime_ns: content };
    FileFact { path: path.to_owned(), file: Some(file), sha256: sha256.map(str::to_owned) }
}

fn git(commit: &str, dirty: Option<bool>) -> Option<Git> {
    Some(Git { root: "/srv".to_owned(), commit: Some(commit.repeat(20)), branch: None, dirty })
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

fn command(argv: &[&str]) -> CommandLine {
    let argv: Vec<String> = argv.iter().map(|&argument| argument.to_owned()).collect();
    CommandLine::new(&argv, |_| "h".to_owned())
}

fn base() -> Metadata {
    Metadata {
        schema: SCHEMA,
        name: "bot".parse().unwrap(),
        run: 1,
        at: Wall(0),
        guardian: "0.2.0".to_owned(),
        host: "h".to_owned(),
        boot: BootId::new("b").unwrap(),
        kernel: Some("6.1".to_owned()),
        uid: 0,
        gid: 0,
        groups: Some(vec![]),
        umask: "22".to_owned(),
        cwd: "/srv".to_owned(),
        command: command(&["python3", "bot.py", "480"]),
        target: "8h".to_owned(),
        healthy_after_ms: 300_000,
        environment: names(&["HOME", "PATH"]),
        rlimits: [("nofile".to_owned(), [Some(1024), None])].into(),
        program: Some(file("/bin/python3", 1, Some("aaaaaaaaaaaa"))),
        input: None,
        git: git("1a", Some(false)),
        asked: None,
    }
}

#[test]
fn each_thing_that_differs_is_one_short_line_and_what_is_unknown_is_none() {
    type Case = (&'static str, fn(&mut Metadata), &'static [&'static str]);
    let cases: Vec<Case> = vec![
        ("nothing", |_| {}, &[]),
        ("commit", |bad| bad.git = git("4d", Some(false)), &["git commit 1a1a1a1a → 4d4d4d4d"]),
        ("dirt", |bad| bad.git = git("1a", Some(true)), &["git tree clean → changed files"]),
        ("dirt that is not known", |bad| bad.git = git("1a", None), &[]),
        ("a repository that is not known", |bad| bad.git = None, &[]),
        (
            "command",
            |bad| bad.command = command(&["python3", "bot.py", "240"]),
            &["command `python3 bot.py 480` → `python3 bot.py 240`"],
        ),
        (
            "program by its hash",
            |bad| bad.program = Some(file("/bin/python3", 2, Some("bbbbbbbbbbbb"))),
            &["program /bin/python3 aaaaaaaa → bbbbbbbb (sha256), modified 1970-01-01T00:00:02Z"],
        ),
        (
            "touched, with the same content",
            |bad| bad.program = Some(file("/bin/python3", 2, Some("aaaaaaaaaaaa"))),
            &[],
        ),
        (
            "touched, content not known",
            |bad| bad.program = Some(file("/bin/python3", 2, None)),
            &["program /bin/python3 3 bytes → 3 bytes, modified 1970-01-01T00:00:02Z"],
        ),
        ("not certain", |bad| bad.program = Some(FileFact { file: None, ..file("/bin/python3", 2, None) }), &[]),
        (
            "another program",
            |bad| bad.program = Some(file("/opt/python3", 1, None)),
            &["program /bin/python3 → /opt/python3"],
        ),
        (
            "variables",
            |bad| bad.environment = names(&["GUARDIAN_TARGET_S", "HOME", "MODE", "ZONE"]),
            &["env added MODE, ZONE", "env removed PATH"],
        ),
        ("variables that are not known", |bad| bad.environment = None, &[]),
        ("directory", |bad| bad.cwd = "/tmp".to_owned(), &["cwd /srv → /tmp"]),
        ("host", |bad| bad.host = "i".to_owned(), &["host h → i"]),
        ("target", |bad| bad.target = "exit".to_owned(), &["target 8h → exit"]),
        ("boot", |bad| bad.boot = BootId::new("c").unwrap(), &["boot the machine was started anew between them"]),
        ("kernel", |bad| bad.kernel = Some("6.2".to_owned()), &["kernel 6.1 → 6.2"]),
        ("guardian", |bad| bad.guardian = "0.3.0".to_owned(), &["guardian 0.2.0 → 0.3.0"]),
        ("user", |bad| (bad.uid, bad.umask) = (5, "77".to_owned()), &["user 0 → 5", "umask 22 → 77"]),
        ("limit", |bad| bad.rlimits = [("nofile".to_owned(), [None, None])].into(), &["limit nofile 1024 → unlimited"]),
    ];
    for (claim, change, want) in cases {
        let mut bad = base();
        change(&mut bad);
        let lines: Vec<String> = differences(&base(), &bad).iter().map(Difference::line).collect();
        assert_eq!(lines, want, "{claim}");
    }
}

#[test]
fn a_message_that_leaves_the_machine_quotes_no_command_line() {
    let bad = Metadata { command: command(&["bot", "--token=abc"]), ..base() };
    let found = differences(&base(), &bad);
    assert_eq!(found.iter().map(Difference::brief).collect::<Vec<_>>(), ["another command"]);
}

#[test]
fn lines_stay_short_and_clean_whatever_they_are_made_of() {
    let mut bad = base();
    bad.command = command(&["sh", "-c", &"\u{1b}[31mx\n".repeat(300_000)]);
    bad.cwd = "/\n\u{202e}".repeat(4000);
    bad.environment = Some((0..500).map(|i| format!("{i}\u{7}{}", "N".repeat(200))).collect());
    bad.program = Some(file(&"/p".repeat(2000), 9, None));
    for one in differences(&base(), &bad) {
        let line = one.line();
        assert!(line.chars().count() <= 480 && !line.contains(char::is_control), "{line}");
    }
}
