//! Runs of real programs.

use super::*;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;

fn sh(script: &str) -> Run {
    Run::new("sh").args(["-c", script])
}

#[tokio::test]
async fn output_and_environment() {
    let output = sh("echo out; echo err >&2; pwd").output().await.expect("run");
    assert_eq!(output.stdout, b"out\n/\n");
    assert_eq!(output.stderr, "err\n");
    let output = Run::new("env").output().await.expect("run");
    let mut lines: Vec<_> = output.stdout.split(|&b| b == b'\n').filter(|l| !l.is_empty()).collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], b"LC_ALL=C");
    assert!(lines[1].starts_with(b"PATH=/usr/sbin:"));
}

#[tokio::test]
async fn stdin_larger_than_every_pipe() {
    let bytes = vec![b'x'; 3 << 20];
    let output = Run::new("cat").stdin(bytes.clone()).output().await.expect("run");
    assert_eq!(output.stdout, bytes);
    // A program that does not read is judged by its status, not by the broken pipe.
    assert!(Run::new("true").stdin(bytes).output().await.is_ok());
}

#[tokio::test]
async fn files_in_and_out() {
    let dir = tempfile::tempdir().expect("temporary directory");
    std::fs::write(dir.path().join("in"), b"some text").expect("write");
    let input = File::open(dir.path().join("in")).expect("open");
    let output = File::create(dir.path().join("out")).expect("create");
    Run::new("cat").stdin_file(input).output_to(output).await.expect("run");
    assert_eq!(std::fs::read(dir.path().join("out")).expect("read"), b"some text");
}

#[tokio::test]
async fn stdout_end_of_file_is_seen_by_a_reader() {
    let (mut reader, writer) = std::io::pipe().expect("pipe");
    let file = File::from(std::os::fd::OwnedFd::from(writer));
    let text = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    Run::new("echo").arg("hi").output_to(file).await.expect("run");
    assert_eq!(text.join().expect("join").expect("read"), "hi\n");
}

#[tokio::test]
async fn failures_carry_status_arguments_and_the_end_of_stderr() {
    let error = sh("head -c 9000 /dev/zero | tr '\\0' a >&2; echo the-end >&2; exit 3").output().await;
    let Err(RunError::Failed { program, args, status, stderr }) = error else { panic!("{error:?}") };
    assert_eq!((program.as_str(), args.len(), status.code()), ("sh", 2, Some(3)));
    assert!(stderr.len() <= STDERR_TAIL && stderr.ends_with("the-end\n"));

    let error = sh("kill -9 $$").output().await;
    let Err(RunError::Failed { status, .. }) = error else { panic!("{error:?}") };
    assert_eq!(status.signal(), Some(9));
    assert_eq!(
        sh("echo no space >&2; exit 1").output().await.expect_err("fails").to_string(),
        "sh failed (exit status: 1): no space"
    );
}

#[tokio::test]
async fn a_missing_program_says_what_to_install() {
    let error = Run::new("no-such-program").output().await.expect_err("missing");
    assert_eq!(error.to_string(), "no-such-program is not installed");
    let error = RunError::NotFound { program: "nft".into(), package: Some("nftables") };
    assert_eq!(error.to_string(), "nft is not installed: install the package nftables");
}

/// Waits for a pid file and returns its number.
async fn pid_from(path: &std::path::Path) -> i32 {
    for _ in 0..500 {
        if let Ok(text) = std::fs::read_to_string(path)
            && let Ok(pid) = text.trim().parse()
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no pid in {}", path.display());
}

/// True once the process is gone or a zombie.
async fn ends(pid: i32) -> bool {
    for _ in 0..500 {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Err(_) => return true,
            Ok(stat) if stat.rsplit(')').next().is_some_and(|s| s.trim_start().starts_with(['Z', 'X'])) => {
                return true;
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    false
}

#[tokio::test]
async fn the_deadline_kills_the_whole_group() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("pid");
    let script = format!("sleep 300 & echo $! > {}; echo started >&2; wait", file.display());
    let error = sh(&script).deadline(Duration::from_millis(300)).output().await;
    let Err(RunError::TimedOut { stderr, .. }) = error else { panic!("{error:?}") };
    assert_eq!(stderr, "started\n");
    assert!(ends(pid_from(&file).await).await);
}

#[tokio::test]
async fn dropping_the_future_kills_the_whole_group() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("pid");
    let script = format!("sleep 300 & echo $! > {}; wait", file.display());
    let task = tokio::spawn(async move { sh(&script).output().await });
    let pid = pid_from(&file).await;
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    assert!(ends(pid).await);
}

#[tokio::test]
async fn output_has_a_bound() {
    let run = Run::new("yes").max_output(1000);
    let error = run.output().await;
    assert!(matches!(error, Err(RunError::TooMuchOutput { limit: 1000, .. })), "{error:?}");
    assert_eq!(Run::new("printf").arg("abcd").max_output(4).output().await.expect("run").stdout, b"abcd");
}

#[tokio::test]
async fn lines_can_be_stopped() {
    let mut seen = Vec::new();
    let complete = sh("printf 'a\\n\\nb'")
        .lines(|l| {
            seen.push(l.to_owned());
            true
        })
        .await
        .expect("run");
    assert!(complete);
    assert_eq!(seen, ["a", "", "b"]);
    let mut count = 0;
    let complete = Run::new("yes")
        .lines(|_| {
            count += 1;
            count < 10
        })
        .await
        .expect("run");
    assert!(!complete);
    assert_eq!(count, 10);
}

#[tokio::test]
async fn something_left_behind_does_not_keep_us() {
    // The background process holds stdout and stderr; the program itself is done.
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("pid");
    let script = format!("sleep 300 & echo $! > {}; echo done", file.display());
    let output = sh(&script).deadline(Duration::from_secs(60)).output().await.expect("run");
    assert_eq!(output.stdout, b"done\n");
    let pid = pid_from(&file).await;
    let left = rustix::process::Pid::from_raw(pid).expect("pid");
    rustix::process::kill_process(left, rustix::process::Signal::KILL).expect("kill");
}

#[tokio::test]
async fn what_we_hold_open_is_closed_in_children() {
    let null = File::open("/dev/null").expect("open");
    let held = rustix::io::fcntl_dupfd_cloexec(&null, 700).expect("dup");
    let output = sh("for f in /proc/$$/fd/*; do echo ${f##*/}; done").output().await.expect("run");
    let numbers = String::from_utf8(output.stdout).expect("digits");
    let number = std::os::fd::AsRawFd::as_raw_fd(&held).to_string();
    assert!(numbers.lines().any(|n| n == "2"), "{numbers}");
    assert!(!numbers.lines().any(|n| n == number), "{numbers}");
}
