//! The file sink, with real files.

use super::super::fake::message;
use super::*;

#[test]
fn the_same_message_is_written_once_and_the_flag_holds_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.txt");
    let path = path.to_str().unwrap();
    assert_eq!(send(path, &message()), Outcome::delivered("appended"));
    assert_eq!(send(path, &message()), Outcome::delivered("it was there already"));
    let other = Message { id: "btc-bot.abc.4.premature".into(), ..message() };
    let other = Message {
        rendered: crate::view::alert::Rendered { text: "text\nid btc-bot.abc.4.premature\n".into(), ..other.rendered },
        ..other
    };
    assert_eq!(send(path, &other), Outcome::delivered("appended"));
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.matches("\nid btc-bot.abc.3.premature\n").count(), 1);
    let flag = std::fs::read_to_string(format!("{path}.flag")).unwrap();
    assert_eq!(flag.lines().count(), 1);
    assert!(flag.ends_with("id btc-bot.abc.4.premature\n"), "{flag}");
}

#[test]
fn a_block_that_was_cut_off_is_written_again_on_a_fresh_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.txt");
    std::fs::write(&path, "2026-11-18 [guardian] half a li").unwrap();
    assert_eq!(send(path.to_str().unwrap(), &message()), Outcome::delivered("appended"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with(
            "2026-11-18 [guardian] half a li\n2026-11-18T11:06:43.000Z [guardian] WARNING: trader/btc-bot"
        ),
        "{text}"
    );
}

#[test]
fn a_directory_that_is_not_there_is_tried_again() {
    assert!(matches!(send("/nonexistent/alerts.txt", &message()), Outcome::Failed { .. }));
}

#[test]
fn many_sinks_that_write_one_file_at_once_all_succeed_and_the_flag_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inbox");
    let path = path.to_str().unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for round in 0..10 {
                    let message = Message { id: format!("x.{number}.{round}"), ..message() };
                    assert!(matches!(send(path, &message), Outcome::Delivered { .. }));
                }
            });
        }
    });
    let flag = std::fs::read_to_string(format!("{path}.flag")).unwrap();
    assert!(flag.lines().count() == 1 && flag.contains(" id x."), "{flag}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left");
}
