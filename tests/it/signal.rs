//! `signal`: one signal, to the managed process alone.

use crate::home::Home;
use crate::procs::alive;

#[test]
fn a_signal_reaches_the_program_by_name_or_number_and_nothing_else() {
    let home = Home::new();
    let line = "trap 'echo hup >>got' HUP; trap 'echo usr1 >>got' USR1; echo ready >>got; while :; do sleep 0.05; done";
    home.up("bot", &["--cwd", home.path("").to_str().unwrap()], line);
    home.has_lines("got", 1);
    assert!(home.ok(&["signal", "bot", "HUP"]).contains("SIGHUP sent to pid"));
    assert_eq!(home.has_lines("got", 2)[1], "hup");
    home.ok(&["signal", "bot", "10"]);
    assert_eq!(home.has_lines("got", 3)[2], "usr1");
    assert!(alive(home.shim_pid("bot")) && alive(home.pid("bot")));
}

#[test]
fn a_signal_to_what_does_not_run_is_3_to_nobody_4_and_one_that_does_not_exist_2() {
    let home = Home::new();
    home.ok(&["register", "bot", "--", "true"]);
    home.run(&["signal", "bot", "HUP"]).expect(3).complains("guardian start bot");
    home.run(&["signal", "nobody", "HUP"]).expect(4);
    home.run(&["signal", "bot", "WHATEVER"]).expect(2);
}
