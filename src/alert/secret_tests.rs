//! Where secrets come from, and that none is read from a file that others may read.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_secret_is_the_first_line_of_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "  hunter2 \nsecond\n").unwrap();
    let file = SecretSource::File(path.to_str().unwrap().to_owned());
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    let program = |script: &str| SecretSource::Command(["/bin/sh", "-c", script].map(str::to_owned).to_vec());
    for source in [file.clone(), program("echo hunter2"), SecretSource::Inline(Secret::new("hunter2".into()))] {
        assert_eq!(read(&source, "password", Duration::from_secs(20)).unwrap().expose(), "hunter2", "{source:?}");
    }
    mode(0o644);
    assert!(read(&file, "password", Duration::from_secs(20)).unwrap_err().contains("chmod 600"));
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let pipe = SecretSource::File(pipe.to_str().unwrap().to_owned());
    assert!(read(&pipe, "password", Duration::from_secs(20)).unwrap_err().contains("it is a pipe"), "and nobody waits");
}

#[test]
fn a_secret_that_is_missing_says_where_it_should_be_and_never_what_was_there() {
    let program = SecretSource::Command(["/bin/sh", "-c", "echo hunter2; exit 1"].map(str::to_owned).to_vec());
    let cases = [
        (SecretSource::Env("GUARDIAN_TEST_NO_SUCH_VARIABLE".into()), "GUARDIAN_TEST_NO_SUCH_VARIABLE"),
        (SecretSource::File("/nonexistent/password".into()), "/nonexistent/password"),
        (SecretSource::Inline(Secret::new(String::new())), "empty"),
        (program, "/bin/sh"),
    ];
    for (source, names) in cases {
        let error = read(&source, "password", Duration::from_secs(20)).unwrap_err();
        assert!(error.contains(names) && error.starts_with("password: ") && !error.contains("hunter2"), "{error}");
    }
}
