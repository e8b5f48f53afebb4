//! Policies about system calls: what a program gets back that makes them.

use testkit::{TestDaemon, daemon};

fn launch(d: &TestDaemon, name: &str, settings: &[&str]) {
    let mut arguments = vec!["launch", "busybox", name];
    for setting in settings {
        arguments.extend(["-c", setting]);
    }
    d.lxc_ok(&arguments);
}

/// What a script says and how it ends.
fn run(d: &TestDaemon, name: &str, script: &str) -> (i32, String) {
    let finished = d.lxc(&["exec", name, "--", "sh", "-c", script]);
    (finished.code(), finished.errors())
}

#[test]
fn a_list_of_forbidden_calls_kills_or_refuses() {
    let d = daemon!();
    launch(
        &d,
        "c1",
        &["security.syscalls.blacklist=mkdir errno 28\nsync\nchmod errno 1 [1,511,SCMP_CMP_EQ]"],
    );
    let (code, said) = run(&d, "c1", "mkdir /x");
    assert!(code != 0 && said.contains("No space left"), "{said}");
    assert_eq!(run(&d, "c1", "sync").0, 128 + 31, "SIGSYS");
    let (code, said) = run(&d, "c1", "touch /f; chmod 700 /f && chmod 777 /f");
    assert!(code != 0 && said.contains("not permitted"), "{said}");
    assert_eq!(d.exec("c1", &["stat", "-c", "%a", "/f"]).trim(), "700");
    launch(&d, "c2", &["security.syscalls.deny=mkdir errno 28"]);
    assert!(run(&d, "c2", "mkdir /x").1.contains("No space left"), "the later name means the same");
    launch(&d, "c3", &[]);
    assert_eq!(run(&d, "c3", "mkdir /x && sync").0, 0);
}

#[test]
fn a_list_of_allowed_calls_is_all_there_is() {
    let d = daemon!();
    // Everything that this machine has but two calls.
    let all: Vec<String> = (0..470)
        .filter_map(|number| {
            let call = libseccomp::ScmpSyscall::from(number).get_name().ok()?;
            (!["mkdir", "mkdirat"].contains(&call.as_str())).then_some(call)
        })
        .collect();
    launch(&d, "c1", &[&format!("security.syscalls.whitelist={}", all.join("\n"))]);
    assert_eq!(run(&d, "c1", "echo alive; touch /f").0, 0);
    assert_eq!(run(&d, "c1", "mkdir /x").0, 128 + 31);
}

#[test]
fn the_usual_list_can_be_switched_off() {
    let d = daemon!();
    let filtered = |name: &str| {
        let line = d.exec(name, &["grep", "^Seccomp:", "/proc/self/status"]);
        line.split_whitespace().nth(1) == Some("2")
    };
    launch(&d, "c1", &[]);
    assert!(filtered("c1"));
    let (code, said) = run(&d, "c1", "mount -t tmpfs x /mnt && umount -f /mnt");
    assert!(code != 0 && said.contains("ermission denied"), "{said}");
    launch(&d, "c2", &["security.syscalls.blacklist_default=false"]);
    assert!(!filtered("c2"));
    assert_eq!(run(&d, "c2", "mount -t tmpfs x /mnt && umount -f /mnt").0, 0);
}

#[test]
fn policies_of_both_versions_are_understood_whole() {
    let d = daemon!();
    launch(&d, "c1", &["raw.seccomp=2\ndenylist\n[all]\nmkdir errno 5\nrmdir kill\n[x32]\nsync\n"]);
    let (code, said) = run(&d, "c1", "mkdir /x");
    assert!(code != 0 && (said.contains("I/O error") || said.contains("Input/output error")), "{said}");
    assert_eq!(run(&d, "c1", "rmdir /tmp").0, 128 + 31);
    // The usual list is not part of it.
    assert_eq!(run(&d, "c1", "mount -t tmpfs x /mnt && umount -f /mnt && sync").0, 0);
    let all =
        (0..470).filter(|n| *n != 83 && *n != 258).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
    if cfg!(target_arch = "x86_64") {
        launch(&d, "c2", &[&format!("raw.seccomp=1\nwhitelist\n{all}\n")]);
        assert_eq!(run(&d, "c2", "echo alive").0, 0);
        assert_eq!(run(&d, "c2", "mkdir /x").0, 128 + 31);
    }
    let policy = d.scratch().join("policy");
    std::fs::write(&policy, "2\nblacklist\n[all]\nmkdir errno 28\n").unwrap();
    launch(&d, "c3", &[&format!("raw.lxc=lxc.seccomp.profile = {}", policy.display())]);
    assert!(run(&d, "c3", "mkdir /x").1.contains("No space left"));
}

#[test]
fn programs_of_32_bits_are_bound_as_well() {
    let d = daemon!();
    if !cfg!(target_arch = "x86_64") {
        testkit::skip!("only x86_64 has programs of 32 bits");
    }
    // A program of four instructions: open_by_handle_at, then ioctl, each by the old way to call;
    // it exits with how the wanted one failed.
    let program = |call: u32| -> Vec<u8> {
        let mut code = vec![0xb8];
        code.extend(call.to_le_bytes()); // mov eax, call
        code.extend([0x31, 0xdb, 0x31, 0xc9, 0x31, 0xd2]); // xor ebx/ecx/edx
        code.extend([0xcd, 0x80]); // int 0x80
        code.extend([0xf7, 0xd8, 0x89, 0xc3]); // neg eax; mov ebx, eax
        code.extend([0xb8, 1, 0, 0, 0, 0xcd, 0x80]); // exit(ebx)
        let mut elf = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        elf.extend([2, 0, 3, 0, 1, 0, 0, 0]);
        elf.extend(0x0804_8054_u32.to_le_bytes());
        elf.extend(52_u32.to_le_bytes());
        elf.extend([0; 8]);
        elf.extend([52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let size = u32::try_from(84 + code.len()).unwrap();
        for word in [1, 0, 0x0804_8000, 0x0804_8000, size, size, 5, 0x1000_u32] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(code);
        elf
    };
    let put = |name: &str, call: u32| {
        let pushed = d
            .lxc_with_input(&["file", "push", "--mode", "755", "-", &format!("{name}/call")], &program(call));
        assert_eq!(pushed.code(), 0, "{pushed:?}");
        d.lxc(&["exec", name, "--", "/call"]).code()
    };
    launch(&d, "plain", &[]);
    let probe = put("plain", 20);
    if probe == 126 || probe == 127 {
        testkit::skip!("the kernel runs no programs of 32 bits");
    }
    // open_by_handle_at is refused with ENOSYS; ioctl of descriptor 0 fails with its own error.
    assert_eq!(put("plain", 342), 38);
    assert_ne!(put("plain", 54), 38);
    launch(&d, "compat", &["security.syscalls.blacklist_compat=true"]);
    assert_eq!(put("compat", 54), 38);
}

#[test]
fn what_excludes_each_other_and_what_cannot_be_read_is_refused() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    d.lxc_ok(&["config", "set", "c1", "security.syscalls.whitelist", "read"]);
    for (key, value, words) in [
        ("security.syscalls.blacklist", "write", "mutually exclusive"),
        ("security.syscalls.deny_default", "true", "mutually exclusive"),
        ("raw.seccomp", "2\nblacklist\n", "mutually exclusive"),
        ("security.syscalls.whitelist", "read perhaps", "line 1"),
    ] {
        let said = d.lxc_fails(&["config", "set", "c1", key, value]);
        assert!(said.contains(words), "{key}: {said}");
    }
    d.lxc_ok(&["config", "unset", "c1", "security.syscalls.whitelist"]);
    let said = d.lxc_fails(&["config", "set", "c1", "raw.seccomp", "2\nblacklist\nmknod notify\n"]);
    assert!(said.contains("line 3") && said.contains("notify"), "{said}");
}
