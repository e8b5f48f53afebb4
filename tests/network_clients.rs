//! Clients that others wrote, over the network: Debian's `lxc` 5.0.2, pylxd, Ansible's modules. `curl` is in
//! `network_access`. What a machine lacks is skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{TestDaemon, Unavailable, or_skip, run, run_with_input};

const AT: &str = "127.0.0.1:8443";

/// A daemon that listens, with a password.
fn server() -> Result<TestDaemon, Unavailable> {
    let d = TestDaemon::builder().start()?;
    d.lxc_ok(&["config", "set", "core.https_address", AT]);
    d.lxc_ok(&["config", "set", "core.trust_password", "some-password"]);
    Ok(d)
}

/// Debian's client with a configuration of its own.
struct Theirs {
    d: TestDaemon,
    conf: PathBuf,
}

impl Theirs {
    fn new() -> Result<Self, Unavailable> {
        let version =
            Command::new("/usr/bin/lxc").arg("--version").env("LXD_CONF", "/tmp/no-such-conf").output();
        let is_theirs =
            |out: &std::process::Output| String::from_utf8_lossy(&out.stdout).starts_with("5.0.2");
        if !version.is_ok_and(|out| is_theirs(&out)) {
            return Err(Unavailable("Debian's package lxd-client 5.0.2 is not installed".to_owned()));
        }
        let d = server()?;
        let conf = d.scratch().join("their-conf");
        Ok(Self { d, conf })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.d.inside("/usr/bin/lxc");
        self.d.configure(&mut command).env("LXD_CONF", &self.conf).args(arguments);
        command
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments)).expect_success().text()
    }
}

#[test]
fn debians_lxc_with_a_password() {
    let t = or_skip!(Theirs::new());
    let refused =
        run(&mut t.command(&["remote", "add", "srv", AT, "--accept-certificate", "--password", "wrong"]));
    assert!(!refused.status.success(), "{refused:?}");
    t.ok(&["remote", "add", "srv", AT, "--accept-certificate", "--password", "some-password"]);
    assert!(t.ok(&["remote", "list"]).contains("https://127.0.0.1:8443"));
    assert_eq!(t.ok(&["config", "trust", "list", "srv:", "--format", "csv"]).lines().count(), 1);
    t.ok(&["launch", "srv:busybox", "srv:c1"]);
    assert!(t.ok(&["list", "srv:"]).contains("RUNNING"));
    assert_eq!(t.ok(&["exec", "srv:c1", "--", "echo", "hello"]), "hello\n");
    let piped =
        run_with_input(&mut t.command(&["exec", "srv:c1", "--", "cat"]), b"to and fro").expect_success();
    assert_eq!(piped.text(), "to and fro");
    assert_eq!(run(&mut t.command(&["exec", "srv:c1", "--", "sh", "-c", "exit 7"])).code(), 7);
    let file = t.d.scratch().join("file");
    std::fs::write(&file, "content").unwrap();
    t.ok(&["file", "push", file.to_str().unwrap(), "srv:c1/root/file"]);
    assert_eq!(t.ok(&["file", "pull", "srv:c1/root/file", "-"]), "content");
    t.ok(&["config", "set", "srv:c1", "user.mark", "x"]);
    assert_eq!(t.ok(&["config", "get", "srv:c1", "user.mark"]), "x\n");
    t.ok(&["snapshot", "srv:c1", "s1"]);
    t.ok(&["restore", "srv:c1", "s1"]);
    assert!(t.ok(&["image", "list", "srv:"]).contains("busybox"));
    let exported = t.d.scratch().join("exported");
    t.ok(&["image", "export", "srv:busybox", exported.to_str().unwrap()]);
    assert!(t.ok(&["info", "srv:c1"]).contains("Name: c1"));
    assert!(t.ok(&["info", "srv:"]).contains("127.0.0.1:8443"));
    t.ok(&["delete", "--force", "srv:c1"]);
    // A guest of the same server sees what is public.
    t.d.lxc_ok(&["query", "-X", "PATCH", "-d", r#"{"public": true, "properties": {}}"#, &image(&t.d)]);
    t.ok(&["remote", "add", "pub", AT, "--accept-certificate", "--public"]);
    assert!(t.ok(&["image", "list", "pub:"]).contains("busybox"));
    assert!(!run(&mut t.command(&["list", "pub:"])).status.success());
}

fn image(d: &TestDaemon) -> String {
    let images = d.api().get("/1.0/images").metadata();
    images[0].as_str().unwrap().to_owned()
}

#[test]
fn debians_lxc_with_a_token() {
    let t = or_skip!(Theirs::new());
    let token = t.d.lxc_ok(&["config", "trust", "add", "--name", "laptop", "--quiet"]);
    t.ok(&["remote", "add", "srv", token.trim()]);
    assert!(t.ok(&["list", "srv:"]).contains("NAME"));
    assert!(t.d.lxc_ok(&["config", "trust", "list", "--format", "csv"]).ends_with(",laptop\n"));
    // Theirs makes a token, for another client of theirs.
    t.ok(&["remote", "switch", "srv"]);
    let printed = t.ok(&["config", "trust", "add", "--name", "second"]);
    let token = printed.lines().last().unwrap().to_owned();
    let mut second = t.d.inside("/usr/bin/lxc");
    t.d.configure(&mut second).env("LXD_CONF", t.d.scratch().join("second"));
    let _ = run(second.args(["remote", "add", "srv", &token])).expect_success();
    t.ok(&["config", "trust", "list", "srv:"]);
}

/// A Python that has a module.
fn python(module: &str) -> Result<PathBuf, Unavailable> {
    let program = std::env::var_os("LIGHTERVISOR_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&program).args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|found| found.status.success()) {
        return Err(Unavailable(format!("the Python library {module} is not installed")));
    }
    Ok(program.into())
}

const PYLXD: &str = r#"
import sys, pylxd, pylxd.exceptions, urllib3
urllib3.disable_warnings()
at, key = sys.argv[1], sys.argv[2]
client = pylxd.Client(endpoint="https://" + at, cert=(key + ".crt", key + ".key"), verify=False)
assert not client.trusted
try:
    client.authenticate("wrong")
    raise SystemExit("a wrong password was taken")
except pylxd.exceptions.LXDAPIException:
    pass
client.authenticate("some-password")
assert client.trusted
assert len(client.certificates.all()) == 1
assert client.certificates.all()[0].type == "client"
c = client.containers.create({"name": "c1", "source": {"type": "image", "alias": "busybox"}}, wait=True)
c.start(wait=True)
assert c.status == "Running"
assert c.execute(["echo", "hello"]).stdout == "hello\n"
c.files.put("/root/v", b"1")
assert c.files.get("/root/v") == b"1"
c.stop(force=True, wait=True)
c.delete(wait=True)
client.certificates.all()[0].delete()
assert not pylxd.Client(endpoint="https://" + at, cert=(key + ".crt", key + ".key"), verify=False).trusted
print("done")
"#;

fn key_pair(d: &TestDaemon) -> Result<String, Unavailable> {
    testkit::find_program("openssl").ok_or_else(|| Unavailable("openssl is not installed".to_owned()))?;
    let path = d.scratch().join("client").to_string_lossy().into_owned();
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes"]);
    command.args(["-days", "30", "-subj", "/CN=client", "-keyout", &format!("{path}.key")]);
    let _ = run(command.args(["-out", &format!("{path}.crt")])).expect_success();
    Ok(path)
}

#[test]
fn pylxd_over_the_network() {
    let python = or_skip!(python("pylxd"));
    let d = or_skip!(server());
    let key = or_skip!(key_pair(&d));
    let mut command = d.inside(python.to_str().unwrap());
    // Where these name authorities, "verify=False" means nothing to it.
    command.env_remove("REQUESTS_CA_BUNDLE").env_remove("CURL_CA_BUNDLE");
    d.configure(&mut command).args(["-", AT, &key]);
    let said = run_with_input(&mut command, PYLXD.as_bytes()).expect_success();
    assert_eq!(said.text(), "done\n");
}

const PLAYBOOK: &str = r#"
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    there: &there
      url: "https://127.0.0.1:8443"
      client_cert: "{{ key }}.crt"
      client_key: "{{ key }}.key"
  tasks:
    - name: a profile
      community.general.lxd_profile:
        <<: *there
        trust_password: some-password
        name: web
        config: {user.mark: "1"}
        description: made by Ansible
    - name: a container that runs
      community.general.lxd_container:
        <<: *there
        name: c1
        state: started
        source: {type: image, alias: busybox}
        profiles: ["default", "web"]
        wait_for_ipv4_addresses: true
        timeout: 120
      register: made
    - name: the same again
      community.general.lxd_container:
        <<: *there
        name: c1
        state: started
        profiles: ["default", "web"]
      register: again
    - assert: {that: ["made is changed", "again is not changed", "made.addresses.eth0 | length > 0"]}
    - name: no container
      community.general.lxd_container: {url: "https://127.0.0.1:8443", client_cert: "{{ key }}.crt", client_key: "{{ key }}.key", name: c1, state: absent, force_stop: true}
    - name: no profile
      community.general.lxd_profile: {url: "https://127.0.0.1:8443", client_cert: "{{ key }}.crt", client_key: "{{ key }}.key", name: web, state: absent}
"#;

#[test]
fn ansibles_modules_over_the_network() {
    let python = or_skip!(python("ansible_collections.community.general"));
    let d = or_skip!(server());
    let key = or_skip!(key_pair(&d));
    let playbook = d.scratch().join("playbook.yaml");
    std::fs::write(&playbook, PLAYBOOK).unwrap();
    let beside = Path::new(&python).with_file_name("ansible-playbook");
    let mut command = d.inside(python.to_str().unwrap());
    d.configure(&mut command).arg(if beside.is_file() { beside } else { "/usr/bin/ansible-playbook".into() });
    command.arg("-i").arg("localhost,").arg(&playbook).args(["-e", &format!("key={key}")]);
    command.args(["-e", &format!("ansible_python_interpreter={}", python.display())]);
    // The modules want to know the server's certificate, and under the name they dial.
    command.env("SSL_CERT_FILE", d.lxd_dir().join("server.crt"));
    command.env("HOME", d.scratch()).env("LC_ALL", "C.UTF-8");
    let said = run(&mut command);
    assert!(said.status.success() && said.text().contains("failed=0"), "{said:?}");
    assert!(d.api().get("/1.0/containers").metadata().as_array().unwrap().is_empty());
}
