//! Programs as sinks: what they get, and what is made of how they end.

use super::super::fake::message;
use super::*;
use crate::alert::either;

fn shell(script: &str, limit: Duration) -> Outcome {
    either(send(&["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()], &message(), limit))
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_program_gets_the_json_and_the_gist_in_its_environment() {
    let script = r#"read -r json; case "$json" in *'"id":"btc-bot.abc.3.premature"'*) echo "$GUARDIAN_EVENT $GUARDIAN_NAME $GUARDIAN_RUN";; esac"#;
    assert_eq!(shell(script, LONG), Outcome::delivered("premature btc-bot 3"));
}

#[test]
fn a_program_that_fails_is_tried_again_and_quoted() {
    let outcome = shell("echo no; printf 'bad \\033[31mday\\nreally' >&2; exit 3", LONG);
    assert_eq!(outcome, Outcome::failed("`/bin/sh` ended with exit status: 3: bad day | really"));
    assert!(
        matches!(send(&["/nonexistent/tell".into()], &message(), LONG), Err(Outcome::Failed { error, .. }) if error.contains("/nonexistent/tell"))
    );
}

#[test]
fn a_program_that_ignores_its_input_or_writes_for_ever_does_not_block_us() {
    assert!(matches!(shell("exec <&-; exit 0", LONG), Outcome::Delivered { .. }));
    assert!(matches!(shell("head -c 10000000 /dev/zero", LONG), Outcome::Delivered { .. }));
    assert!(matches!(shell("sleep 3 & exit 0", LONG), Outcome::Delivered { .. }), "a child keeps the pipe open");
}

#[test]
fn at_the_limit_the_whole_group_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Reading ends when every writer is gone: the shell and the child it left in the background.
    let path = fifo.clone();
    let reader = std::thread::spawn(move || std::fs::read(path).unwrap());
    let outcome =
        shell(&format!("exec 3>'{}'; trap '' TERM; sleep 60 & wait; wait", fifo.display()), Duration::from_millis(300));
    assert!(matches!(&outcome, Outcome::Failed { error, .. } if error.contains("was killed")), "{outcome:?}");
    reader.join().unwrap();
}
