//! `export`: the files are what their systems' own checkers and programs take, and come back as the same processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::home::{Home, Output, finish};
use crate::procs::{eventually, signal};

/// A program of the virtual environment that scripts/test makes.
fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/test", path.display());
    path
}

fn python(code: &str, files: &[PathBuf]) -> Output {
    let mut command = Command::new(tool("python"));
    command.arg("-c").arg(code).args(files);
    finish(command)
}

/// Processes of every kind.
fn rich(home: &Home) {
    home.write_registry(format!(
        r#"
[process.plain]
command = ["/bin/sleep", "600 s", "a;b", "%n", "$HOME", "it's \"x\"", " #y ;z"]
cwd = "/tmp"
env = {{ A = "b c", P = "50%", D = "$x" }}
clean_env = true
stop_signal = "INT"
grace = "20s"
success_codes = [0, 3]
[process.job]
shell = "echo \"$HOME\" | cat; exit 3"
target = "exit"
restart = "on-failure"
cwd = "/srv"
clean_env = true
[process.near]
command = ["./true"]
cwd = "/bin"
[process.timed]
command = ["/bin/true"]
schedule = "*/5 3 * * MON-FRI"
timezone = "Europe/Kyiv"
[process.bot]
command = ["/bin/sleep", "600"]
target = "8h"
heartbeat = "1m"
env = {{ API_TOKEN = "hunter2", OPEN = "1" }}
env_file = "{}"
depends_on = ["plain"]
memory = "512M"
"#,
        home.path("secrets.env").display()
    ));
    fs::write(home.path("secrets.env"), "K=very-secret\n").unwrap();
}

/// Exports all into a directory; the files.
fn export(home: &Home, to: &str, more: &[&str]) -> Vec<PathBuf> {
    let dir = home.path(to);
    let mut arguments = vec!["export", to, "--output", dir.to_str().unwrap()];
    arguments.extend(more);
    home.ok(&arguments);
    let mut files: Vec<PathBuf> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("very-secret"), "{text}");
    }
    files
}

fn text(files: &[PathBuf], name: &str) -> String {
    let file = files.iter().find(|file| file.file_name().unwrap() == name);
    fs::read_to_string(file.unwrap_or_else(|| panic!("no {name} in {files:?}"))).unwrap()
}

#[test]
fn units_of_systemd_are_verified_by_systemd() {
    let home = Home::new();
    rich(&home);
    let files = export(&home, "systemd", &[]);
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").arg("--man=no").args(&files);
    let verified = finish(verify).expect(0);
    assert!(!verified.stderr.contains(".service") && !verified.stderr.contains(".timer"), "{}", verified.stderr);
    let bot = text(&files, "bot.service");
    for said in [
        "systemd has no word for",
        "target = \"8h\"",
        "heartbeat = \"1m\"",
        "API_TOKEN, a secret",
        " exec bot\n",
        "GUARDIAN_HOME=",
    ] {
        assert!(bot.contains(said), "no `{said}` in {bot}");
    }
    assert!(text(&files, "timed.timer").contains("OnCalendar=Mon..Fri *-*-* 3:0/5:00 Europe/Kyiv\n"));
    assert!(!text(&files, "plain.service").contains("guardian exec"));
    assert!(text(&files, "near.service").contains("ExecStart=/bin/true\n"), "systemd takes no relative path");
}

#[test]
fn what_is_exported_to_systemd_and_imported_again_is_the_same() {
    comes_back("systemd", "plain.service", "plain");
    comes_back("systemd", "job.service", "job");
}

#[test]
fn what_is_exported_to_supervisord_and_imported_again_is_the_same() {
    let home = Home::new();
    // supervisord knows no ends that are never followed by a restart, and takes the environment that it finds.
    home.write_registry(
        "[process.plain]\ncommand = [\"/bin/sleep\", \"600 s\", \"a;b\", \"%n\", \"$HOME\", \"it's \\\"x\\\"\", \" #y ;z\"]\ncwd = \"/tmp\"\n\
         never_restart = []\nhealthy_after = \"7s\"\nmax_failures = 4\nenv = { A = \"b, c\", P = \"50%\" }\n\
         [process.job]\nshell = \"echo $HOME | cat\"\ntarget = \"exit\"\nrestart = \"on-failure\"\nnever_restart = []\ncwd = \"/\"\n",
    );
    let before = [
        home.json(&["config", "show", "plain"])["spec"].clone(),
        home.json(&["config", "show", "job"])["spec"].clone(),
    ];
    let files = export(&home, "supervisord", &[]);
    let other = Home::new();
    other.ok(&["import", "supervisord", files[0].to_str().unwrap()]);
    let mut plain = other.json(&["config", "show", "plain"])["spec"].clone();
    let mut job = other.json(&["config", "show", "job"])["spec"].clone();
    assert_eq!(plain, before[0]);
    // A shell line comes back as what a shell is given.
    assert_eq!(job["command"], serde_json::json!(["/bin/sh", "-c", "echo $HOME | cat"]));
    (job["command"], job["shell"]) = (before[1]["command"].clone(), before[1]["shell"].clone());
    assert_eq!(job, before[1]);
    plain.take();
}

fn comes_back(system: &str, file: &str, name: &str) {
    let home = Home::new();
    rich(&home);
    let before = home.json(&["config", "show", name])["spec"].clone();
    let files = export(&home, system, &[]);
    let path = files.iter().find(|path| path.file_name().unwrap() == file).unwrap();
    let other = Home::new();
    other.ok(&["import", system, path.to_str().unwrap()]);
    assert_eq!(other.json(&["config", "show", name])["spec"], before, "{}", fs::read_to_string(path).unwrap());
}

#[test]
fn a_real_supervisord_runs_what_was_exported() {
    let home = Home::new();
    home.write_registry(format!(
        "[process.plain]\nshell = \"echo \\\"$P; it's\\\" >>{0}/got; exec sleep 600\"\nenv = {{ P = \"50%\" }}\nnever_restart = []\n\
         [process.bot]\nshell = \"echo up >>{0}/bot; exec sleep 600\"\ntarget = \"8h\"\n",
        home.path("").display()
    ));
    let files = export(&home, "supervisord", &[]);
    let conf = home.path("supervisord.conf");
    let text = format!(
        "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={}\n[include]\nfiles={}\n",
        home.path("pid").display(),
        files[0].display()
    );
    fs::write(&conf, text).unwrap();
    let mut command = home.other_command(&tool("supervisord"));
    let mut supervisord = command.arg("-c").arg(&conf).stdout(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(home.has_lines("got", 1), ["50%; it's"]);
    home.has_lines("bot", 1);
    home.reaches("bot", "running");
    // It is supervisord that restarts, with guardian's certificate of each end.
    signal(home.pid("bot"), Signal::SIGKILL);
    home.has_lines("bot", 2);
    eventually("run 2 is up", || (home.status("bot")["run"] == 2).then_some(()));
    assert!(home.ok(&["why", "bot"]).contains("SIGKILL"));
    signal(i32::try_from(supervisord.id()).unwrap(), Signal::SIGTERM);
    supervisord.wait().unwrap();
    assert_eq!(home.state("bot"), "stopped");
}

#[test]
fn objects_of_kubernetes_are_valid_by_its_own_schemas() {
    let home = Home::new();
    rich(&home);
    for more in [&[][..], &["--wrap", "--image", "example.org/x:1", "--replace"]] {
        let files = export(&home, "kubernetes", more);
        let check = "import sys, yaml, kubernetes_validate as k\n\
                     for path in sys.argv[1:]:\n    for object in yaml.safe_load_all(open(path)):\n        \
                     k.validate(object, '1.30', strict=True)\n        print(object['kind'], object['metadata']['name'])\n";
        let checked = python(check, &files).expect(0).stdout;
        for said in ["Deployment plain", "Job job", "CronJob timed", "Job bot", "ConfigMap bot-guardian"] {
            assert!(checked.contains(said), "no `{said}` in {checked}");
        }
        // What stands in the ConfigMap is a registry.
        let registry =
            "import sys, yaml\nprint(next(yaml.safe_load_all(open(sys.argv[1])))['data']['registry.toml'])\n";
        let bot = files.iter().find(|file| file.ends_with("bot.yaml")).unwrap().clone();
        fs::write(home.path("inner.toml"), python(registry, &[bot]).expect(0).stdout).unwrap();
        home.ok(&["config", "check", home.path("inner.toml").to_str().unwrap()]);
    }
}

#[test]
fn services_of_compose_are_read_by_compose() {
    let home = Home::new();
    rich(&home);
    let files = export(&home, "compose", &[]);
    let yaml = home.path("compose/compose.yaml");
    let mut compose = Command::new("docker-compose");
    compose.arg("-f").arg(&yaml).arg("config").env("API_TOKEN", "x");
    let read = finish(compose).expect(0);
    for said in ["guardian", "stop_grace_period", "mem_limit"] {
        assert!(read.stdout.contains(said), "no `{said}` in {}", read.stdout);
    }
    let job = "import sys, yaml\nprint(yaml.safe_load(open(sys.argv[1]))['services']['job']['command'][2])\n";
    assert_eq!(python(job, &[yaml]).expect(0).stdout, "echo \"$$HOME\" | cat; exit 3\n");
    let registry = files.iter().find(|file| file.ends_with("bot.registry.toml")).unwrap();
    home.ok(&["config", "check", registry.to_str().unwrap()]);
}

#[test]
fn jobs_of_nomad_are_hcl() {
    let home = Home::new();
    rich(&home);
    let files = export(&home, "nomad", &[]);
    let check = "import sys, hcl2\nfor path in sys.argv[1:]:\n    job = hcl2.load(open(path))\n    print(job['job'])\n";
    let checked = python(check, &files).expect(0).stdout;
    for said in ["raw_exec", "Europe/Kyiv", "'exec', 'bot'", "batch", "service"] {
        assert!(checked.replace('"', "").contains(said), "no `{said}` in {checked}");
    }
}

#[test]
fn what_a_line_of_another_system_cannot_hold_stays_with_guardian_and_all_else_means_the_same() {
    let home = Home::new();
    let words = "[\"/bin/echo\", \"$$ $(A) ${A} %d\", \"\\u007f\\u0085\\u2028\"]";
    home.write_registry(format!(
        "[process.123]\ncommand = {words}\ncwd = \"/\"\nclean_env = true\nenv = {{ A = \"$$ $(A)\" }}\ncpu = 0.29\n\
         [process.true]\ncommand = [\"/bin/echo\"]\ncwd = \"/tmp/a\\nExecStartPre=/bin/evil\"\ntarget = \"8h\"\nenv = {{ Z = \"\\u0085\" }}\n\
         [process.quotes]\ncommand = [\"/bin/echo\", \"a\\nb\"]\ncwd = \"/\"\nnever_restart = []\n\
         [process.value]\ncommand = [\"/bin/echo\"]\ncwd = \"/\"\nnever_restart = []\nenv = {{ A = \"a ;b\", B = \"'\\\"x\", \"a.b\" = \"1\" }}\n\
         [process.secret]\ncommand = [\"/bin/echo\"]\ncwd = \"/\"\nnever_restart = []\nenv = {{ API_TOKEN = \"hunter2\", A = \"b\" }}\n"
    ));
    let files = export(&home, "systemd", &[]);
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").arg("--man=no").args(&files);
    let verified = finish(verify).expect(0);
    assert!(!verified.stderr.contains(".service"), "{}", verified.stderr);
    assert!(text(&files, "123.service").contains("CPUQuota=29%\n"));
    assert!(!text(&files, "true.service").contains("\nExecStartPre"));
    assert!(text(&files, "value.service").contains("#   env a.b\n"), "systemd would pass over it");

    let files = export(&home, "supervisord", &[]);
    let conf = text(&files, "guardian.conf");
    let wrapped = |name: &str| conf.contains(&format!(" exec {name}\n"));
    assert_eq!(["true", "quotes", "value"].map(wrapped), [true, true, true], "{conf}");
    assert!(conf.contains("; API_TOKEN is what supervisord has") && conf.contains("environment=A=\"b\"\n"), "{conf}");
    assert!(!conf.lines().any(|line| line.starts_with("ExecStartPre") || line.starts_with("b'")), "{conf}");

    export(&home, "kubernetes", &[]);
    export(&home, "compose", &[]);
    let check = "import sys, yaml\n\
                 objects = [object for path in sys.argv[2:] for object in yaml.safe_load_all(open(path))]\n\
                 pod = objects[0]['spec']['template']['spec']['containers'][0]\n\
                 service = yaml.safe_load(open(sys.argv[1]))['services']\n\
                 assert objects[0]['metadata'] == {'name': '123', 'labels': {'app': '123'}}, objects[0]\n\
                 assert sorted(service) == ['123', 'quotes', 'secret', 'true', 'value'], service\n\
                 words = ['/bin/echo', '$$ $(A) ${A} %d', '\\x7f\\x85\\u2028']\n\
                 for command in (pod['command'], service['123']['command']):\n    \
                 assert [word.replace('$$', '$') for word in command] == words, command\n\
                 assert pod['env'][0]['value'] == '$$$$ $$(A)', pod\n";
    let paths = ["compose/compose.yaml", "kubernetes/123.yaml", "kubernetes/true.yaml"].map(|path| home.path(path));
    python(check, &paths).expect(0);
    home.ok(&["register", "a.b", "--", "true"]);
    home.ok(&["register", "a_b", "--", "true"]);
    for system in ["kubernetes", "compose"] {
        home.run(&["export", system]).expect(5).complains("`a.b` and `a_b` would both be called `a-b`");
        assert!(home.ok(&["export", system, "a_b"]).contains("a-b"));
    }
}

#[test]
fn what_is_run_as_a_user_finds_the_home_of_that_user() {
    let home = Home::of_user();
    home.ok(&["register", "x", "--", "true"]);
    let own = home.env().get("HOME").cloned().unwrap_or_else(|| home.path("home").display().to_string());
    for more in [&[][..], &["--wrap"]] {
        let conf = home.ok(&[&["export", "supervisord", "x"][..], more].concat());
        assert!(conf.contains(&format!("HOME=\"{own}\",LOGNAME=")) && conf.contains("\nuser="), "{conf}");
        let job = home.ok(&[&["export", "nomad", "x"][..], more].concat());
        assert!(job.contains(&format!("HOME = \"{own}\"\n")), "{job}");
    }
}

#[test]
fn a_file_that_is_there_with_another_content_is_left_alone() {
    let home = Home::new();
    home.run(&["export", "systemd"]).expect(1).complains("nothing to export");
    rich(&home);
    let files = export(&home, "compose", &[]);
    export(&home, "compose", &[]);
    let first = files.iter().find(|file| file.ends_with("compose.yaml")).unwrap();
    fs::write(first, "mine").unwrap();
    let dir = home.path("compose");
    home.run(&["export", "compose", "--output", dir.to_str().unwrap()]).expect(5).complains("--replace");
    assert_eq!(fs::read_to_string(first).unwrap(), "mine");
    export(&home, "compose", &["--replace"]);
    assert!(home.ok(&["export", "systemd", "job"]).contains("ExecStart=/bin/sh -c"));
    home.run(&["export", "systemd", "nobody"]).expect(4);
}
