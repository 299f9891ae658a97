//! `import`: what other systems run comes over; what has no equal is named; what is damaged changes nothing.

use std::fs;

use crate::home::{Home, Output};

/// Writes a file beside the home and imports it.
fn import(home: &Home, system: &str, file: &str, text: &str, more: &[&str]) -> Output {
    fs::write(home.path(file), text).unwrap();
    let path = home.path(file);
    let mut arguments = vec!["import", system, path.to_str().unwrap()];
    arguments.extend(more);
    home.run(&arguments)
}

/// Values of one process as `config show` has them.
fn spec(home: &Home, name: &str) -> serde_json::Value {
    home.json(&["config", "show", name])["spec"].clone()
}

#[test]
fn a_registry_of_process_guardian_comes_over_and_runs() {
    let home = Home::new();
    let text = r#"{
  "btc bot": {"command": "echo \"it's here\" >>got && sleep 600", "duration_min": 480, "auto_restart": true,
              "max_restarts": 5, "restart_cooldown": 30},
  "simple": {"command": "python3 bot.py 480", "duration_min": 0, "auto_restart": false, "colour": "red"}
}"#;
    let output = import(&home, "process-guardian", ".process-registry.json", text, &[]).expect(0);
    for said in
        ["btc-bot: registered", ":3: btc bot: max_restarts = 5", ":4: simple: colour = red", "it is `btc-bot` here"]
    {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
    let bot = spec(&home, "btc-bot");
    assert_eq!((bot["target"].as_str(), bot["backoff"].as_str()), (Some("8h"), Some("30s")));
    assert_eq!(bot["max_restarts"], 5);
    let simple = spec(&home, "simple");
    assert_eq!(simple["command"], serde_json::json!(["python3", "bot.py", "480"]));
    assert_eq!((simple["target"].as_str(), simple["restart"].as_str()), (Some("forever"), Some("never")));
    home.ok(&["start", "btc-bot"]);
    assert_eq!(home.has_lines("got", 1), ["it's here"]);
}

const SUPERVISORD: &str = r#"[supervisord]
logfile=/var/log/supervisord.log
environment=GLOBAL="1"
[program:web]
command=/usr/bin/python3 -m http.server %(ENV_PORT)s --name "%(program_name)s x" ; a comment
numprocs=2
process_name=%(program_name)s_%(process_num)02d
directory=/srv
autorestart=true
startsecs=5
stopsignal=QUIT
stopwaitsecs=20
umask=022
environment=A="1,2",B=two,
  C='3'
exitcodes=0,2
stdout_logfile_maxbytes=10MB
[program:job]
command=/bin/true
[group:all]
programs=job
[eventlistener:mail]
command=/bin/mail
"#;

#[test]
fn programs_of_supervisord_come_over_with_copies_groups_and_variables() {
    let home = Home::new();
    let output = import(&home, "supervisord", "s.conf", SUPERVISORD, &[]).expect(0);
    for said in
        ["s.conf:1: [supervisord] logfile", "s.conf:13: web_00: umask = 022", "s.conf:22: [eventlistener:mail] command"]
    {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
    let web = spec(&home, "web_01");
    assert_eq!(web["shell"], "exec /usr/bin/python3 -m http.server \"${PORT}\" --name 'web x'");
    assert_eq!(web["env"], serde_json::json!({"A": "1,2", "B": "two", "C": "3", "GLOBAL": "1"}));
    for (key, value) in
        [("cwd", "/srv"), ("grace", "20s"), ("stop_signal", "QUIT"), ("group", "web"), ("log_max", "10M")]
    {
        assert_eq!(web[key], value, "{key}");
    }
    assert_eq!(web["success_codes"], serde_json::json!([0, 2]));
    let job = spec(&home, "job");
    assert_eq!((job["target"].as_str(), job["restart"].as_str()), (Some("exit"), Some("on-failure")));
    assert_eq!(job["group"], "all");
}

#[test]
fn a_unit_of_systemd_comes_over_with_its_quoting_prefixes_and_specifiers() {
    let home = Home::new();
    let unit = r#"[Unit]
After=network.target
StartLimitBurst=3
StartLimitIntervalSec=1min
[Service]
Type=notify
ExecStartPre=-/bin/mkdir -p "/run/my app"
ExecStart=/usr/bin/app --port=${PORT} \
   --name %p '$$x' "a\x20b" $OPTS
Environment="A=b c" D=e
Environment=F=%N
EnvironmentFile=-/etc/default/app
Restart=on-failure
RestartSec=5
TimeoutStopSec=1min 30s
KillSignal=SIGINT
WatchdogSec=30
SuccessExitStatus=3 SIGUSR1
RestartPreventExitStatus=23
MemoryMax=1.5G
CPUQuota=150%
ProtectSystem=strict
ExecReload=/bin/kill -HUP $MAINPID
ExecStopPost=/bin/gone
ExecStopPost=
ExecStopPost=/bin/one
ExecStopPost=/bin/two
"#;
    let unit = format!("\u{feff}{}", unit.replace('\n', "\r\n"));
    let unit = unit.as_str();
    let output = import(&home, "systemd", "app.service", unit, &[]).expect(0);
    for said in [
        "app.service:2: app: [Unit] After=network.target",
        "app.service:12: app: EnvironmentFile=-/etc/default/app",
        "app.service:18: app: SuccessExitStatus: SIGUSR1",
        "app.service:22: app: ProtectSystem=strict",
        "guardian exec app",
        "guardian signal app HUP",
        "app.service:26: app: ExecStopPost=/bin/one",
        "app.service:27: app: ExecStopPost=/bin/two",
    ] {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
    assert!(!output.stdout.contains("/bin/gone"), "it was taken back: {}", output.stdout);
    let app = spec(&home, "app");
    assert_eq!(app["shell"], "exec /usr/bin/app '--port='\"${PORT}\" --name app '$x' 'a b' $OPTS");
    assert_eq!(app["preflight"], serde_json::json!(["/bin/mkdir -p '/run/my app' || :"]));
    assert_eq!(app["env"], serde_json::json!({"A": "b c", "D": "e", "F": "app"}));
    for (key, value) in [
        ("ready", "notify"),
        ("restart", "on-failure"),
        ("backoff", "5s"),
        ("grace", "1m30s"),
        ("stop_signal", "INT"),
        ("watchdog", "30s"),
        ("memory", "1536M"),
        ("window", "1m"),
        ("env_file", "/etc/default/app"),
    ] {
        assert_eq!(app[key], value, "{key}");
    }
    assert_eq!((app["cpu"].as_f64(), app["max_restarts"].as_u64()), (Some(1.5), Some(3)));
    assert_eq!(
        (app["success_codes"].clone(), app["never_restart"].clone()),
        (serde_json::json!([0, 3]), serde_json::json!([23]))
    );
}

#[test]
fn what_systemd_makes_of_a_line_is_what_comes_over() {
    let home = Home::new();
    let of = |line: &str| format!("[Service]\nExecStart=/bin/x\n{line}\n");
    let unit = |line: &str| format!("[Unit]\n{line}\n[Service]\nExecStart=/bin/x\n");
    for (file, text, key, value) in [
        ("a", of("StartLimitBurst=3"), "max_restarts", "3"),
        ("a", of("StartLimitBurst=3"), "window", "10s"),
        ("a", unit("StartLimitIntervalSec=1min"), "max_restarts", "5"),
        ("a", unit("StartLimitIntervalSec=0\nStartLimitBurst=5"), "max_restarts", "0"),
        (
            "a",
            of("ExecStart=/bin/echo one ; /bin/echo \"two ; \" \\;"),
            "shell",
            "/bin/x && /bin/echo one && exec /bin/echo 'two ; ' ';'",
        ),
        ("a", of("Environment=A=\\xc3\\xa9\\u00e9"), "env.A", "éé"),
        ("app-x@a-b", of("Environment=A=%i,%I,%j"), "env.A", "a-b,a/b,x"),
    ] {
        let output = import(&home, "systemd", &format!("{file}.service"), &text, &["--replace"]).expect(0);
        let name = file.replace('@', "-");
        let found = key.split('.').fold(spec(&home, &name), |found, part| found[part].clone());
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        assert_eq!(found, value, "{text}: {output:?}");
    }
    // A unit by its name, from its template, with what is put beside either.
    let units = home.root().join(".config/systemd/user");
    fs::create_dir_all(units.join("app@blue.service.d")).unwrap();
    fs::create_dir_all(units.join("app@.service.d")).unwrap();
    fs::write(units.join("app@.service"), of("WorkingDirectory=-/srv/%i\nKillMode=none\nIOWeight=5")).unwrap();
    let mut home = home;
    let root = home.root().to_str().unwrap().to_owned();
    home.set_env("HOME", &root);
    let output = home.run(&["import", "systemd", "app@blue", "--dry-run"]).expect(0);
    for said in [
        "app@blue.service.d: what it adds",
        "app@.service.d: what it adds",
        "cwd = \"/srv/blue\"",
        "WorkingDirectory=-/srv/%i: `-` would",
        "[process.app-blue]",
        "ExecStart=guardian exec app-blue",
    ] {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
}

#[test]
fn an_ecosystem_of_pm2_comes_over_and_one_in_javascript_is_refused_with_the_way_to_json() {
    let home = Home::new();
    let apps = r#"{"apps": [
  {"name": "api", "script": "./app.js", "args": "--port 3000", "instances": 2, "max_memory_restart": "300M",
   "env": {"NODE_ENV": "production", "API_TOKEN": "x"}, "env_staging": {"X": "1"}, "watch": true, "kill_timeout": 3000},
  {"name": "py", "script": "/srv/bot.py", "autorestart": false, "cwd": "/srv", "max_restarts": 0},
  {"name": "line", "cmd": "npm run start && true", "args": "-x", "instances": "max", "env": {"A": {"b": 1}}}
]}"#;
    let output = import(&home, "pm2", "e.json", apps, &[]).expect(0);
    for said in [
        "e.json:3: api-0: env_staging",
        "e.json:3: api-0: watch = true",
        "env API_TOKEN: it looks like a secret",
        "e.json:5: line: instances = max",
        "e.json:5: line: env A = {…}",
    ] {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
    assert_eq!(spec(&home, "line")["command"], serde_json::json!(["bash", "-c", "npm run start && true"]));
    assert_eq!(spec(&home, "py")["env"]["PYTHONUNBUFFERED"], "1", "as pm2 has it");
    let (api, here) = (spec(&home, "api-1"), home.path("app.js"));
    assert_eq!(api["command"], serde_json::json!(["node", here.to_str().unwrap(), "--port", "3000"]));
    assert_eq!(
        (api["memory"].as_str(), api["grace"].as_str(), api["group"].as_str()),
        (Some("300M"), Some("3s"), Some("api"))
    );
    assert_eq!(api["env"]["NODE_APP_INSTANCE"], "1");
    assert_eq!(spec(&home, "py")["command"], serde_json::json!(["python3", "/srv/bot.py"]));
    let refused = import(&home, "pm2", "ecosystem.config.js", "module.exports = {}", &[]).expect(65);
    assert!(refused.stderr.contains("node -p 'JSON.stringify(require(\"./ecosystem.config.js\"))'"), "{refused:?}");
    import(&home, "pm2", "ecosystem.yml", "apps: []", &[])
        .expect(65)
        .complains("it is YAML")
        .complains("yaml.safe_load");
}

#[test]
fn a_procfile_comes_over_with_its_env_file_and_ports() {
    let home = Home::new();
    fs::write(home.path(".env"), "A=1\nPORT=\"3000\"\n").unwrap();
    let output =
        import(&home, "procfile", "Procfile", "# ours\nweb: serve -p $PORT\nworker: work | tee log\n", &[]).expect(0);
    assert!(output.stdout.contains("Procfile:2: web: $PORT"), "{output:?}");
    let (web, worker) = (spec(&home, "web"), spec(&home, "worker"));
    assert_eq!((web["shell"].as_str(), web["env"]["PORT"].as_str()), (Some("serve -p $PORT"), Some("3000")));
    assert_eq!(worker["shell"], "work | tee log");
    assert_eq!(worker["env"]["PORT"], "3100", "a program may read it without naming it in its command");
    assert_eq!(worker["env_file"], home.path(".env").to_str().unwrap());
    assert_eq!(worker["cwd"], home.path("").to_str().unwrap().trim_end_matches('/'));
}

#[test]
fn lines_of_a_crontab_become_schedules_with_their_zone_shell_and_input() {
    let home = Home::new();
    let crontab = "SHELL=/bin/bash\nMAILTO=ops@example.org\nCRON_TZ=Europe/Kyiv\nA = 1\n\
                   */5 * * * * /usr/bin/backup --to 'a b' >/dev/null\n@daily cat >got%one%\\%two\n\
                   @reboot /usr/bin/daemon\n* * * * * guardian healthcheck --quiet\n\
                   PATH=/opt/bin:/bin\nHOME=/srv\n-0 3 * * * tail -n 1 >>got # as a comment%one%two\n";
    let output = import(&home, "crontab", "cron", crontab, &[]).expect(0);
    for said in ["cron:2: MAILTO", "cron:7: daemon: @reboot", "cron:8: guardian healthcheck"] {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
    let backup = spec(&home, "backup");
    assert_eq!((backup["schedule"].as_str(), backup["timezone"].as_str()), (Some("*/5 * * * *"), Some("Europe/Kyiv")));
    assert_eq!(backup["command"], serde_json::json!(["/bin/bash", "-c", "/usr/bin/backup --to 'a b' >/dev/null"]));
    assert_eq!(backup["env"]["A"], "1");
    assert_eq!(backup["env"]["PATH"], "/usr/bin:/bin", "cron looks nowhere else");
    assert_eq!(spec(&home, "daemon")["target"], "forever");
    let tail = spec(&home, "tail");
    assert_eq!((tail["env"]["PATH"].as_str(), tail["env"]["HOME"].as_str()), (Some("/opt/bin:/bin"), Some("/srv")));
    for job in ["cat", "tail"] {
        let line = spec(&home, job)["command"][2].as_str().unwrap().to_owned();
        home.ok(&["run", "--cwd", home.path("").to_str().unwrap(), "--", &line]);
    }
    assert_eq!(home.lines("got"), ["one", "%two", "two"]);
    let system = "17 * * * * nobody run-parts /etc/cron.hourly\n";
    let output = import(&home, "crontab", "system", system, &["--of-system", "--dry-run"]).expect(0);
    assert!(output.stdout.contains("shell = \"run-parts /etc/cron.hourly\""), "{output:?}");
}

#[test]
fn a_dry_run_prints_toml_that_is_valid_and_changes_nothing() {
    let home = Home::new();
    let output = import(&home, "supervisord", "s.conf", SUPERVISORD, &["--dry-run"]).expect(0);
    assert!(!home.registry_path().exists(), "{output:?}");
    fs::write(home.path("out.toml"), &output.stdout).unwrap();
    home.ok(&["config", "check", home.path("out.toml").to_str().unwrap()]);
    assert!(output.stdout.starts_with('#') && output.stdout.contains("[process.web_00]"), "{}", output.stdout);
}

#[test]
fn twice_is_once_and_a_name_with_another_spec_is_refused_as_a_whole() {
    let home = Home::new();
    home.write_registry("# mine\n[process.job]\ncommand = [\"sleep\", \"1\"] # keep\n");
    let before = home.registry();
    import(&home, "supervisord", "s.conf", SUPERVISORD, &[]).expect(5).complains("`job` is in the registry");
    assert_eq!(home.registry(), before);
    import(&home, "supervisord", "s.conf", SUPERVISORD, &["--dry-run"]).expect(5);
    import(&home, "supervisord", "s.conf", SUPERVISORD, &["--replace"]).expect(0);
    let after = home.registry();
    assert!(after.starts_with("# mine\n[process.job]\n") && after.contains("# keep"), "{after}");
    let again = import(&home, "supervisord", "s.conf", SUPERVISORD, &[]).expect(0);
    assert!(again.stdout.contains("job: unchanged"), "{again:?}");
    assert_eq!(home.registry(), after);
}

#[test]
fn names_that_cannot_stand_here_or_stand_twice_are_made_to_and_that_is_said() {
    let home = Home::new();
    let procfile = "Web_App: a\nweb_app: b\nweb_app: c\n";
    let output = import(&home, "procfile", "Procfile", procfile, &[]).expect(0);
    for said in ["it is `web_app-2` here", "there is another one of that name; it is `web_app-3` here"] {
        assert!(output.stdout.contains(said), "no `{said}` in {}", output.stdout);
    }
    assert_eq!(spec(&home, "web_app")["shell"], "b");
}

#[test]
fn garbage_is_named_with_file_line_and_cause_and_changes_nothing() {
    let home = Home::new();
    for (system, text, said) in [
        (
            "process-guardian",
            "{\"x\": {\"command\": \"a\",\n\"duration_min\": \"soon\"}}",
            ":2: \"x\": `duration_min` is soon",
        ),
        ("process-guardian", "{\n{", ":2: not JSON"),
        ("process-guardian", "[]", ":1: not an object"),
        ("process-guardian", "{\"x\": {}}", "has no `command`"),
        ("supervisord", "hello\n", ":1: \"hello\" is neither"),
        ("supervisord", "[program:x]\ncommand=a\nautorestart=maybe\n", ":3: `autorestart` is \"maybe\""),
        ("supervisord", "[program:x]\ndirectory=/\n", "has no `command`"),
        ("supervisord", "[program:x]\ncommand=a %(ENV)s\n", ":2: `command`: %(ENV)"),
        (
            "supervisord",
            "[program:x]\ncommand=a\ndirectory=%(ENV_SET_NOWHERE)s/x\n",
            ":3: `directory`: %(ENV_SET_NOWHERE)",
        ),
        ("supervisord", "", "no section"),
        ("pm2", "apps:\n  - script: x\n", "not JSON"),
        ("pm2", "{\"apps\": [{}]}", "without `script`"),
        ("procfile", "web: a\nnot a line\n", ":2: \"not a line\" is not"),
        ("procfile", "", "no process"),
        ("systemd", "[Service]\nExecStart=/bin/x \"a\n", ":2: `ExecStart`: a quote"),
        ("systemd", "[Timer]\nOnCalendar=daily\n", "no [Service]"),
        ("systemd", "x=1\n", ":1: \"x=1\" is neither"),
        ("systemd", "[Service]\nExecStart=/bin/x\nTimeoutStopSec=soon\n", ":3: `TimeoutStopSec=soon`"),
        ("crontab", "# c\n99 * * * * x\n", ":2: \"99 * * * *\""),
        ("crontab", "x\n", ":1: \"x\" is no line"),
        ("crontab", "CRON_TZ=Mars/Base\n", ":1: CRON_TZ"),
    ] {
        let output = import(&home, system, "garbage", text, &[]).expect(65);
        assert!(
            output.stderr.contains("garbage:") && output.stderr.contains(said),
            "{system} {text:?}: {}",
            output.stderr
        );
        let bytes = [text.as_bytes(), b"\n\xff\xfe\n"].concat();
        fs::write(home.path("garbage"), bytes).unwrap();
        home.run(&["import", system, home.path("garbage").to_str().unwrap()]).expect(65).complains("not UTF-8");
    }
    assert!(!home.registry_path().exists());
    home.run(&["import", "procfile", "/no/such/Procfile"]).expect(74).complains("/no/such/Procfile");
    home.run(&["import", "systemd", "no-such-unit"]).expect(74).complains("no-such-unit.service");
    home.run(&["import", "procfile"]).expect(2);
    home.run(&["import", "initd", "x"]).expect(2);
}
