//! Files that an image has written into its containers, and cloud-init's seed among them.

use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{TestDaemon, busybox_image, daemon, eventually, run};

/// The busybox image with other templates and further files, imported under a name.
fn import(d: &TestDaemon, name: &str, metadata: &str, files: &[(&str, &str)]) {
    let dir: PathBuf = d.scratch().join(name);
    std::fs::create_dir(&dir).unwrap();
    let image = busybox_image().unwrap_or_else(|e| panic!("{}", e.0));
    let _ = run(Command::new("tar").arg("-C").arg(&dir).arg("-xzf").arg(image)).expect_success();
    let head = std::fs::read_to_string(dir.join("metadata.yaml")).unwrap();
    let head = head.split("templates:").next().unwrap();
    std::fs::write(dir.join("metadata.yaml"), format!("{head}templates:\n{metadata}")).unwrap();
    for (path, text) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
    let file = d.scratch().join(format!("{name}.tar"));
    let _ = run(Command::new("tar").arg("-C").arg(&dir).arg("--numeric-owner").arg("-cf").arg(&file).args([
        "metadata.yaml",
        "templates",
        "rootfs",
    ]))
    .expect_success();
    d.lxc_ok(&["image", "import", &file.to_string_lossy(), "--alias", name]);
}

#[test]
fn each_trigger_writes_its_files() {
    let d = daemon!();
    let metadata = "  /etc/made: {when: [create], template: t.tpl}
  /etc/copied: {when: [copy], template: t.tpl}
  /etc/renamed: {when: [rename], template: t.tpl}
  /etc/started: {when: [start], template: t.tpl, properties: {greeting: hello}}
  /etc/once: {when: [start], template: t.tpl, create_only: true}
";
    let template = "{{ trigger }} {{ path }} {{ instance.name }} {{ properties.greeting|default:\"-\"|upper }} \
                    {% if config_get(\"user.x\", \"\") == \"1\" %}one{% elif container.privileged == \"true\" %}root\
                    {% else %}none{% endif %}";
    import(&d, "t", metadata, &[("templates/t.tpl", template)]);
    d.lxc_ok(&["init", "t", "c1"]);
    d.lxc_ok(&["start", "c1"]);
    let read = |container: &str, file: &str| d.exec(container, &["cat", &format!("/etc/{file}")]);
    assert_eq!(read("c1", "made"), "create /etc/made c1 - none");
    assert_eq!(read("c1", "started"), "start /etc/started c1 HELLO none");
    assert_eq!(d.exec("c1", &["stat", "-c", "%a %u %g", "/etc/made"]).trim(), "644 0 0");
    for file in ["copied", "renamed"] {
        assert_ne!(d.lxc(&["exec", "c1", "--", "test", "-e", &format!("/etc/{file}")]).code(), 0, "{file}");
    }
    d.exec("c1", &["sh", "-c", "chmod 600 /etc/started; echo mine > /etc/once; echo mine > /etc/made"]);
    d.lxc_ok(&["config", "set", "c1", "user.x", "1"]);
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(read("c1", "started"), "start /etc/started c1 HELLO one");
    assert_eq!(d.exec("c1", &["stat", "-c", "%a", "/etc/started"]).trim(), "600", "its mode is kept");
    assert_eq!((read("c1", "once"), read("c1", "made")), ("mine\n".to_owned(), "mine\n".to_owned()));
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["copy", "c1", "c2"]);
    d.lxc_ok(&["move", "c1", "c3"]);
    for (name, file) in [("c2", "copied"), ("c3", "renamed")] {
        d.lxc_ok(&["start", name]);
        assert!(read(name, file).contains(&format!("/etc/{file} {name} ")), "{}", read(name, file));
    }
    let (two, three) = (uuid(&d, "c2"), uuid(&d, "c3"));
    assert!(two.len() == 36 && three.len() == 36 && two != three, "{two} {three}");
}

fn uuid(d: &TestDaemon, name: &str) -> String {
    d.lxc_ok(&["config", "get", name, "volatile.uuid"]).trim().to_owned()
}

/// What Ubuntu's images have, as their templates and `metadata.yaml` say.
pub(crate) const UBUNTU: &str =
    "  /var/lib/cloud/seed/nocloud-net/meta-data: {when: [create, copy], template: meta.tpl}
  /var/lib/cloud/seed/nocloud-net/user-data:
    when: [create, copy]
    template: user.tpl
    properties: {default: \"#cloud-config\\n{}\\n\"}
  /var/lib/cloud/seed/nocloud-net/vendor-data:
    when: [create, copy]
    template: vendor.tpl
    properties: {default: \"#cloud-config\\n{}\\n\"}
  /var/lib/cloud/seed/nocloud-net/network-config: {when: [create, copy], template: network.tpl}
";
pub(crate) const META: &str = "#cloud-config
instance-id: {{ container.name }}
local-hostname: {{ container.name }}
{{ config_get(\"user.meta-data\", \"\") }}
";
pub(crate) const USER: &str = "{{ config_get(\"user.user-data\", properties.default) }}\n";
pub(crate) const VENDOR: &str = "{{ config_get(\"user.vendor-data\", properties.default) }}\n";
pub(crate) const NETWORK: &str = "{% if config_get(\"user.network-config\", \"\") == \"\" %}version: 1
config:
    - type: physical
      name: eth0
      subnets:
          - type: {% if config_get(\"user.network_mode\", \"\") == \"link-local\" %}manual{% else %}dhcp{% endif %}
            control: auto{% else %}{{ config_get(\"user.network-config\", \"\") }}{% endif %}
";
/// What cloud-init does with a NoCloud seed, for the two things tried here: the host name of the
/// meta-data, and user data that are a script, once for each instance.
const STUB: &str = "#!/bin/sh
seed=/var/lib/cloud/seed/nocloud-net
id=$(sed -n 's/^instance-id: //p' $seed/meta-data)
[ -e /var/lib/cloud/instances/$id ] && exit 0
mkdir -p /var/lib/cloud/instances/$id
hostname $(sed -n 's/^local-hostname: //p' $seed/meta-data)
case $(head -n 1 $seed/user-data) in
    '#!'*) sh $seed/user-data > /var/log/cloud-init-output.log 2>&1 ;;
esac
touch /var/lib/cloud/instances/$id/done
";

#[test]
fn cloud_init_finds_its_seed() {
    let d = daemon!();
    let files = [
        ("templates/meta.tpl", META),
        ("templates/user.tpl", USER),
        ("templates/vendor.tpl", VENDOR),
        ("templates/network.tpl", NETWORK),
        ("rootfs/etc/rc.local", STUB),
    ];
    import(&d, "ubuntu", UBUNTU, &files);
    let script = "#!/bin/sh\necho \"user data of $(hostname)\" > /root/said\n";
    d.lxc_ok(&[
        "init",
        "ubuntu",
        "c1",
        "-c",
        "user.meta-data=local: yes",
        "-c",
        "user.network_mode=link-local",
    ]);
    let _ =
        d.lxc_with_input(&["config", "set", "c1", "user.user-data", "-"], script.as_bytes()).expect_success();
    d.lxc_ok(&["start", "c1"]);
    let seed = |container: &str, file: &str| {
        d.exec(container, &["cat", &format!("/var/lib/cloud/seed/nocloud-net/{file}")])
    };
    let up = |container: &str| {
        let done = format!("/var/lib/cloud/instances/{container}/done");
        eventually("cloud-init has run", || {
            (d.lxc(&["exec", container, "--", "test", "-e", &done]).code() == 0).then_some(())
        });
    };
    up("c1");
    assert_eq!(d.exec("c1", &["cat", "/root/said"]), "user data of c1\n");
    assert_eq!(seed("c1", "meta-data"), "#cloud-config\ninstance-id: c1\nlocal-hostname: c1\nlocal: yes\n");
    assert_eq!(seed("c1", "vendor-data"), "#cloud-config\n{}\n\n");
    assert!(seed("c1", "network-config").contains("type: manual\n            control: auto\n"));
    // A copy is another instance, and does it all again.
    d.lxc_ok(&["stop", "--force", "c1"]);
    let network = "user.network-config=version: 2";
    d.lxc_ok(&["copy", "c1", "c2", "-c", network]);
    d.lxc_ok(&["start", "c2"]);
    up("c2");
    assert_eq!(d.exec("c2", &["cat", "/root/said"]), "user data of c2\n");
    assert_eq!(seed("c2", "network-config"), "version: 2\n");
    // The next start of the same instance does not.
    d.exec("c2", &["rm", "/root/said"]);
    d.lxc_ok(&["restart", "--force", "c2"]);
    assert_ne!(d.lxc(&["exec", "c2", "--", "test", "-e", "/root/said"]).code(), 0);
}

#[test]
fn metadata_and_templates_are_shown_and_changed() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let shown = d.lxc_ok(&["config", "metadata", "show", "c1"]);
    assert!(shown.contains("os: Busybox") && shown.contains("template: hostname.tpl"), "{shown}");
    assert_eq!(d.lxc_ok(&["config", "template", "list", "c1", "--format", "csv"]), "hostname.tpl\n");
    assert_eq!(d.lxc_ok(&["config", "template", "show", "c1", "hostname.tpl"]), "{{ container.name }}\n");
    let text = b"welcome to {{ container.name }}\n";
    let with = |arguments: &[&str], input: &[u8]| d.lxc_with_input(arguments, input);
    let _ = with(&["config", "template", "create", "c1", "motd.tpl"], text).expect_success();
    assert!(!with(&["config", "template", "create", "c1", "motd.tpl"], text).status.success());
    assert!(!with(&["config", "template", "create", "c1", "../motd.tpl"], text).status.success());
    let edited = format!("{shown}  /etc/motd:\n    when: [start]\n    template: motd.tpl\n");
    let edited = edited.replace("os: Busybox", "os: Mine");
    let _ = with(&["config", "metadata", "edit", "c1"], edited.as_bytes()).expect_success();
    assert!(d.lxc_ok(&["config", "metadata", "show", "c1"]).contains("os: Mine"));
    let nonsense = edited.replace("architecture:", "artichoke:");
    assert!(!with(&["config", "metadata", "edit", "c1"], nonsense.as_bytes()).status.success());
    d.lxc_ok(&["start", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/etc/motd"]), "welcome to c1\n");
    let _ = with(&["config", "template", "edit", "c1", "motd.tpl"], b"go away\n").expect_success();
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(d.exec("c1", &["cat", "/etc/motd"]), "go away\n");
    d.lxc_ok(&["config", "template", "delete", "c1", "motd.tpl"]);
    d.lxc_fails(&["config", "template", "show", "c1", "motd.tpl"]);
    let empty = serde_json::json!({"name": "c2", "source": {"type": "none"}});
    let _ = d.api().operation("POST", "/1.0/containers", &empty);
    d.lxc_fails(&["config", "metadata", "show", "c2"]);
}
