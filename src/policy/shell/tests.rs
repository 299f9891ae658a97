//! Commands and what they leave running: the corpus, what is said instead, and that no text does harm.

use proptest::prelude::*;

use super::*;

/// `verdict TAB command`, `⏎` for a new line.
const CORPUS: &str = include_str!("../../../tests/it/hook_corpus.txt");

#[test]
#[expect(clippy::print_stdout, reason = "precision and recall")]
fn every_row_of_the_corpus_is_judged_as_it_says() {
    let (mut hits, mut misses, mut false_alarms) = (0, Vec::new(), Vec::new());
    for line in CORPUS.lines() {
        let (verdict, command) = line.split_once('\t').unwrap();
        let found = read(&command.replace('⏎', "\n"));
        match (verdict, &found) {
            ("deny", Ok(launches)) if !launches.is_empty() => hits += 1,
            ("deny", _) => misses.push(format!("{command}: {found:?}")),
            ("pass", Ok(launches)) if launches.is_empty() => {}
            _ => false_alarms.push(format!("{command}: {found:?}")),
        }
    }
    let rows = CORPUS.lines().count();
    let share = |wrong: usize| 100.0 * f64::from(hits) / f64::from(hits + i32::try_from(wrong).unwrap());
    println!("{rows} commands: precision {:.1} %, recall {:.1} %", share(false_alarms.len()), share(misses.len()));
    assert!(misses.is_empty() && false_alarms.is_empty(), "missed: {misses:#?}\nfalse alarms: {false_alarms:#?}");
    assert!(rows >= 200);
}

#[test]
fn what_to_write_instead_is_exact() {
    for (command, instead) in [
        ("nohup python bot.py > bot.log 2>&1 &", "guardian run --name bot -- python bot.py"),
        ("A=1 python bot.py \"x y\" $Z &", "guardian run --name bot -- env A=1 python bot.py \"x y\" $Z"),
        ("cd app && npm run dev > log &", "cd app && guardian run --name npm-dev -- npm run dev"),
        ("./a | ./b --x 'y z' &", "guardian run --name a -- \"./a | ./b --x 'y z'\""),
        ("(cd app && ./a; ./b) > log &", "guardian run --name a -- 'cd app && ./a; ./b'"),
        ("sudo -u bob nohup ./server -p 1", "guardian run --name server -- sudo -u bob ./server -p 1"),
        ("setsid nohup nice -n 5 ./server & disown", "guardian run --name server -- nice -n 5 ./server"),
        ("exec nohup ./server", "guardian run --name server -- ./server"),
        ("bash -c 'cd x && nohup ./server &'", "cd x && guardian run --name server -- ./server"),
        ("x=$(cd y; ./server --a 'b c' > log &)", "guardian run --name server -- ./server --a 'b c'"),
        ("docker run -dit --name d nginx -d", "guardian run --name docker-d -- docker run -it --name d nginx -d"),
        ("docker compose up --build -d", "guardian run --name docker-up -- docker compose up --build"),
        ("screen -dmS web ./server -p 1", "guardian run --name server -- ./server -p 1"),
        ("tmux new -d -s w './server | tee l'", "guardian run --name sh -- sh -c './server | tee l'"),
        ("sudo -b ./server", "guardian run --name server -- sudo ./server"),
        ("pm2 start app.js -- --port 1", "guardian run --name app -- node app.js --port 1"),
        ("echo './server -x' | at now", "guardian run --name job -- './server -x'"),
        ("./a < in > out &", "guardian run --name a -- './a < in > out'"),
        ("gunicorn app:app --daemon", "guardian run --name gunicorn -- gunicorn app:app"),
        ("ssh -fN -L 1:x:2 host", "guardian run --name ssh -- ssh -N -L 1:x:2 host"),
    ] {
        let found = read(command).unwrap();
        assert_eq!(found[0].instead.as_deref(), Some(instead), "{command}: {found:?}");
    }
}

#[test]
fn a_rewritten_command_does_the_same_and_leaves_nothing() {
    for (command, rewritten) in [
        ("python bot.py &", Some("guardian run --name bot -- python bot.py")),
        ("nohup ./a > l 2>&1 & sleep 1; ls", Some("guardian run --name a -- ./a; sleep 1; ls")),
        ("./a &\n./ö 'ä' &\nls", Some("guardian run --name a -- ./a\nguardian run --name job -- ./ö 'ä'\nls")),
        ("cd x && ./a & echo ok", Some("cd x && guardian run --name a -- ./a; echo ok")),
        ("if x; then ./a & fi", Some("if x; then guardian run --name a -- ./a; fi")),
        ("./a & echo $! > pid", None),
        ("sh -c './a &'", None),
    ] {
        assert_eq!(rewrite(command, &read(command).unwrap()).as_deref(), rewritten, "{command}");
    }
}

#[test]
fn a_whole_command_is_put_under_guardian_unless_it_asks_guardian() {
    let instead = |command| whole(command).and_then(|launch| launch.instead);
    assert_eq!(instead("sleep 987").as_deref(), Some("guardian run --name sleep -- sleep 987"));
    assert_eq!(instead("a; b").as_deref(), Some("guardian run --name job -- 'a; b'"));
    assert_eq!(instead("echo 'open").as_deref(), Some("guardian run --name job -- \"echo 'open\""));
    assert_eq!(instead("cd x && guardian wait bot"), None);
}

#[test]
fn what_cannot_be_read_is_said_and_never_guessed() {
    for command in ["nohup 'x &", "a & $(", "if x; then nohup y &", "( setsid x"] {
        assert!(matches!(read(command), Err(Unreadable::Syntax(_))), "{command}");
    }
    assert_eq!(read(&"x".repeat(LONGEST + 1)), Err(Unreadable::TooLong(LONGEST + 1)));
}

proptest! {
    #[test]
    fn no_text_does_harm(text in "\\PC{0,80}") {
        if let Ok(launches) = read(&text) {
            drop(rewrite(&text, &launches));
        }
        drop(whole(&text));
    }

    #[test]
    fn no_mixture_of_what_shells_know_does_harm(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "nohup", " ", "&", "&&", "|", ";", "\n", "(", ")", "{ ", "; }", "'", "\"", "`", "$(", "<(", "<<E\n", "\nE\n",
            "if ", "then ", "fi", "do ", "done", "for i in ", "while ", "case x in ", "esac", "sh -c ", "eval ", "wait",
            "disown", "$!", "${", "}", "x=", ">", "2>&1", "docker run -d ", "tmux new -d ", "f() ", "\\", "ä", "[[ ",
            "coproc ", "sudo -b ", "time ", "! ", "screen -dm ", "kill %1", "trap 'x' EXIT",
        ]), 0..14))
    {
        let text = parts.concat();
        if let Ok(launches) = read(&text) {
            drop(rewrite(&text, &launches));
        }
        drop(whole(&text));
    }
}
