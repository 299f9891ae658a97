//! The crontab edit, as tables on text.

use super::*;

fn block() -> Block {
    Block::new("/h", "* * * * *", "guardian healthcheck")
}

#[test]
fn the_users_bytes_stay_and_uninstall_gives_back_what_was_there() {
    let cases: [(&str, &[u8]); 9] = [
        ("an empty or missing crontab", b""),
        ("plain lines", b"MAILTO=me\n\n*/5 * * * *\tjob '%d' \\% # guardian\n"),
        ("no newline at the end", b"@daily job"),
        ("Windows line ends", b"PATH=/x\r\n@daily job\r\n"),
        ("a block of another home", b"# BEGIN guardian /other\n@reboot x\n# END guardian /other\n@daily job\n"),
        ("a home whose path only begins alike", b"# BEGIN guardian /h2\n@reboot x\n# END guardian /h2\n"),
        ("bytes that are not UTF-8", b"# caf\xe9\n@daily job\n"),
        ("a home that ends in a blank", b"# BEGIN guardian /h \n@reboot x\n# END guardian /h \n"),
        ("blank lines at the end", b"@daily job\n\n\n"),
    ];
    for (claim, before) in cases {
        let after = block().put_into(before).unwrap();
        assert!(after.starts_with(before), "{claim}: {}", String::from_utf8_lossy(&after));
        assert!(after.ends_with(b"# END guardian /h\n"), "{claim}");
        assert_eq!(block().put_into(&after).unwrap(), after, "{claim}: twice is once");
        assert_eq!(block().removed_from(&after).unwrap(), before, "{claim}");
    }
}

#[test]
fn a_block_is_replaced_where_it_stands_and_its_doubles_go() {
    let old = "a\n# BEGIN guardian /h\nold\n# END guardian /h\nb\n# BEGIN guardian /h\r\nold\n# END guardian /h\r\nc\n";
    let new = block().put_into(old.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(new.clone()).unwrap(), format!("a\n{}b\nc\n", block().text()));
    assert_eq!(block().removed_from(&new).unwrap(), b"a\nb\nc\n");
}

#[test]
fn the_block_of_a_home_that_ends_in_a_blank_is_found_again() {
    let block = Block::new("/h ", "* * * * *", "guardian healthcheck");
    let once = block.put_into(b"").unwrap();
    assert_eq!(block.put_into(&once).unwrap(), once);
    assert_eq!(block.removed_from(&once).unwrap(), b"");
}

#[test]
fn what_is_not_shown_as_it_is_is_not_written_back() {
    for fine in ["@daily tr -d '\\r' <x\n", "@daily a\r\n", "", "# \\r in a line\n"] {
        assert!(check_listed(fine.as_bytes()).is_ok(), "{fine}");
    }
    let error = check_listed(b"@daily a\nMAILTO=me\\r\n").unwrap_err();
    assert!(
        error.code == Code::Refused && error.message.contains("line 2") && error.hint.contains("s/\\\\r$//"),
        "{error:?}"
    );
}

#[test]
fn lines_that_the_user_adds_below_a_block_survive_its_removal() {
    let with = [block().put_into(b"@daily job").unwrap(), b"@weekly mine\n".to_vec()].concat();
    assert_eq!(block().removed_from(&with).unwrap(), b"@daily job\n@weekly mine\n");
}

#[test]
fn two_homes_have_a_block_each_and_leave_each_other_alone() {
    let other = Block::new("/h 2", "*/5 * * * *", "guardian --x");
    let one = block().put_into(b"").unwrap();
    let both = other.put_into(&one).unwrap();
    assert_eq!(other.removed_from(&both).unwrap(), one);
    assert_eq!(block().removed_from(&both).unwrap(), other.text().as_bytes());
}

#[test]
fn a_block_that_somebody_tore_is_refused_with_its_line() {
    let cases = [
        ("a\n# BEGIN guardian /h\n@daily mine\n", "line 2"),
        ("a\nb\n# END guardian /h\n", "line 3"),
        ("# BEGIN guardian /h\n# BEGIN guardian /h\n# END guardian /h\n", "line 2"),
        ("# BEGIN guardian /h\n# BEGIN guardian /i\n# END guardian /h\n", "line 2"),
    ];
    for (text, line) in cases {
        let error = block().put_into(text.as_bytes()).unwrap_err();
        assert!(error.code == Code::Refused && error.message.contains(line), "{error}");
        assert!(block().removed_from(text.as_bytes()).is_err());
    }
}

#[test]
fn a_schedule_says_what_five_fields_can_and_the_rest_is_refused_with_a_hint() {
    let minutes = |minutes: u64| schedule(Duration::from_secs(minutes * 60));
    for (every, fields) in [
        (1, "* * * * *"),
        (5, "*/5 * * * *"),
        (59, "*/59 * * * *"),
        (60, "0 * * * *"),
        (360, "0 */6 * * *"),
        (1440, "0 0 * * *"),
    ] {
        assert_eq!(minutes(every).unwrap(), fields);
    }
    for every in [0, 61, 420, 2880] {
        assert!(minutes(every).unwrap_err().hint.contains("--every"), "{every} minutes");
    }
    assert!(schedule(Duration::from_secs(90)).is_err());
    assert!(schedule(Duration::from_millis(60_001)).is_err());
}

#[test]
fn spaces_quotes_and_percents_reach_the_program_as_they_are() {
    let home = "/a b/it's 100% \"x\" $y";
    let variables = [("PATH", "/bin:/opt/50% off"), ("GUARDIAN_HOME", home)];
    let exe = Path::new("/opt/my apps/guardian");
    let line = command(Pass { exe, variables: &variables }).unwrap();
    assert!(!line.replace("\\%", "").contains('%'), "{line}");
    let words = shlex::split(&line.replace("\\%", "%")).unwrap();
    let expected = [
        "/usr/bin/env",
        "PATH=/bin:/opt/50% off",
        &format!("GUARDIAN_HOME={home}"),
        "/opt/my apps/guardian",
        "healthcheck",
        "--quiet",
    ];
    assert_eq!(words, expected);
}

#[test]
fn what_a_crontab_cannot_hold_is_refused() {
    for home in ["/a\nb", "/a\0b", &"x".repeat(LINE_MAX)] {
        let error = command(Pass { exe: Path::new("/g"), variables: &[("GUARDIAN_HOME", home)] }).unwrap_err();
        assert_eq!(error.code, Code::Usage);
    }
}
