//! The story that guardian exists for, with real parts only: a shell that dies whole, a killer with a name, a mail
//! server with TLS and AUTH, Debian's cron, and a user who is not root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::home::{Home, PYTHON, number};
use crate::mail::{MailServer, PASSWORD};
use crate::procs::{
    alive, all, cmdline, descendants, group, kill_together, now_ms, parent, session, signal, until, within,
};
use crate::rig_cron::{Cron, Daemon};
use crate::shim::POLITE_BOT;

/// Two rounds of a cron that looks once a minute.
const TWO_MINUTES: Duration = Duration::from_secs(130);

/// A home of a plain user with the mail sink, a crontab of the user's own and guardian's lines in it.
fn prepare(server: &MailServer) -> (Home, Cron) {
    let mut home = Home::of_user();
    home.set_env("SSL_CERT_FILE", server.authority().to_str().unwrap());
    let password = home.path("password");
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&password, home.user().map(|user| user.uid.as_raw()), None).unwrap();
    home.write_registry(server.sink(&format!("password_file = {password:?}\ncooldown = \"1s\"")));
    let cron = Cron::new(&home, Daemon::Running);
    cron.set_table(&home, &format!("SSL_CERT_FILE={}\n", server.authority().display()));
    cron.run(&home, &["install", "--cron"]).expect(0);
    (home, cron)
}

/// An agent's shell registers and starts the bot, and is then killed with its group, session and tree.
fn agent_starts_the_bot_and_dies(home: &Home, cron: &Cron) {
    let bot = home.script("bot.py", POLITE_BOT);
    let line = format!(
        "{} register bot --target 8h --trace-signals --healthy-after 1s --start -- {PYTHON} {} {} && echo $$ > agent; exec sleep 1000",
        home.program().display(),
        bot.display(),
        home.path("up").display(),
    );
    let mut agent = cron.command(home, Path::new("/usr/bin/setsid"), &["/bin/sh", "-c", &line]).spawn().unwrap();
    let shell: i32 = home.has_lines("agent", 1)[0].parse().unwrap();
    home.has_lines("up", 1);

    let in_session = |pid: i32| alive(pid) && session(pid) == shell;
    let in_group = |pid: i32| alive(pid) && group(pid) == shell;
    let mut doomed = descendants(shell);
    doomed.extend(all().into_iter().filter(|pid| in_session(*pid) || in_group(*pid)));
    doomed.push(shell);
    let family = [home.shim_pid("bot"), home.pid("bot")];
    assert!(family.iter().all(|pid| !doomed.contains(pid)), "the bot belongs to the agent: {family:?} in {doomed:?}");
    for pid in doomed {
        signal(pid, Signal::SIGKILL);
    }
    agent.wait().unwrap();
    assert!(family.iter().all(|pid| alive(*pid)));
    assert_eq!(parent(family[0]), 1);
}

/// Somebody with a name sends SIGTERM to the bot itself, and lives on, as gateways do.
fn murder(home: &Home) -> Child {
    home.script("gateway", "#!/bin/sh\nkill -TERM \"$1\"\nwhile :; do sleep 0.1; done\n");
    let mut gateway = home.other_command(&home.path("gateway"));
    gateway.arg(home.pid("bot").to_string()).spawn().unwrap()
}

#[test]
fn a_bot_that_outlived_its_agent_is_murdered_comes_back_and_somebody_is_told_who_did_it() {
    let server = MailServer::new(&[]);
    let (home, cron) = prepare(&server);
    agent_starts_the_bot_and_dies(&home, &cron);

    // It was healthy, so that its restart is due at once.
    until("it has been up for a while", || number(&home.status("bot")["uptime_s"]) >= 2);
    let mut gateway = murder(&home);
    let killed = now_ms();
    let killer = gateway.id();
    home.has_lines("up", 2);
    assert!(now_ms() - killed < 1000, "back only after {} ms", now_ms() - killed);
    let mail = server.receives("the murder", |mail| mail.text.contains("SIGTERM"));
    assert!(mail.subject.contains("bot"), "{}", mail.subject);
    for expected in ["premature", "8h", &killer.to_string(), "gateway", "restarted"] {
        assert!(mail.text.contains(expected), "no `{expected}` in:\n{}", mail.text);
    }
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    let lived = home.status("bot")["last_exit"]["ran_s"].as_f64().unwrap();
    assert!((2.0..60.0).contains(&lived), "{lived}");
    assert!(mail.text.contains(&format!("{}s", lived.floor())), "how long it lived is not in:\n{}", mail.text);

    let recoveries = || server.mails().iter().filter(|mail| mail.subject.to_lowercase().contains("recovered")).count();
    until("it recovered", || recoveries() == 1);

    // Both die: only cron is left to notice.
    let told = server.mails().len();
    kill_together(&[home.shim_pid("bot"), home.pid("bot")]);
    within(TWO_MINUTES, "cron brings it back", || (home.lines("up").len() == 3).then_some(()));
    until("a mail says so", || {
        server.mails()[told..].iter().any(|mail| mail.text.contains("premature") && mail.text.contains("shim"))
    });
    home.reaches("bot", "running");

    // The second recovery is the last thing to be told.
    until("it recovered twice", || recoveries() == 2);
    let told = server.mails().len();
    cron.run(&home, &["stop", "bot"]).expect(0);
    cron.run(&home, &["healthcheck", "--quiet"]).expect(0);
    assert_eq!(home.state("bot"), "stopped");
    let left: Vec<String> = home.managed().into_iter().map(cmdline).collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(server.mails().len(), told, "an operator's stop was told: {:?}", server.mails().last());
    assert_eq!(home.lines("up").len(), 3);
}
