//! Templates of an image, written into the root file system they came with.

use super::*;
use crate::templates::{Applied, ApplyError, Context, Trigger, apply};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

struct Container {
    place: Place,
    metadata: Metadata,
}

impl Container {
    fn new(templates: &str) -> Self {
        let place = Place::new();
        std::fs::create_dir_all(place.path("c/rootfs/etc")).unwrap();
        std::fs::create_dir_all(place.path("c/templates")).unwrap();
        std::fs::write(place.path("c/templates/name.tpl"), "{{ container.name }}|{{ trigger }}|{{ path }}\n")
            .unwrap();
        let metadata = Metadata::parse(&format!("{METADATA}templates:\n{templates}")).unwrap();
        Self { place, metadata }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path("c/rootfs").join(name)
    }

    fn apply(&self, trigger: Trigger) -> Result<Applied, ApplyError> {
        let open = |name: &str| std::fs::File::open(self.place.path("c").join(name)).unwrap();
        let (templates, rootfs) = (open("templates"), open("rootfs"));
        let context =
            Context { container: [("name".to_owned(), "web".to_owned())].into(), ..Context::default() };
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        apply(&self.metadata, trigger, Some(templates.as_fd()), rootfs.as_fd(), &context, owner)
    }
}

#[test]
fn templates_of_the_trigger_are_written() {
    let container = Container::new(
        "  /etc/hostname: {when: [create, copy], template: name.tpl}\n  /new/dir/file: {when: [create], template: name.tpl}\n",
    );
    assert!(container.apply(Trigger::Start).unwrap().written.is_empty());
    assert!(!container.path("etc/hostname").exists());
    let applied = container.apply(Trigger::Create).unwrap();
    assert_eq!(applied.written, ["/etc/hostname", "/new/dir/file"]);
    let text = |name: &str| std::fs::read_to_string(container.path(name)).unwrap();
    assert_eq!(text("etc/hostname"), "web|create|/etc/hostname\n");
    let mode = |name: &str| container.path(name).metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode("new"), mode("new/dir"), mode("new/dir/file")), (0o755, 0o755, 0o644));
    container.apply(Trigger::Copy).unwrap();
    assert_eq!(text("etc/hostname"), "web|copy|/etc/hostname\n");
}

#[test]
fn files_that_exist_keep_what_they_are() {
    let container = Container::new(
        "  /etc/a: {when: [start], template: name.tpl}\n  /etc/b: {when: [start], template: name.tpl, create_only: true}\n",
    );
    for name in ["etc/a", "etc/b"] {
        std::fs::write(container.path(name), "something that was longer than what is written now, by far")
            .unwrap();
        std::fs::set_permissions(container.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let applied = container.apply(Trigger::Start).unwrap();
    assert_eq!((applied.written, applied.kept), (vec!["/etc/a".to_owned()], vec!["/etc/b".to_owned()]));
    assert_eq!(std::fs::read_to_string(container.path("etc/a")).unwrap(), "web|start|/etc/a\n");
    assert_eq!(container.path("etc/a").metadata().unwrap().mode() & 0o7777, 0o600);
    assert!(std::fs::read_to_string(container.path("etc/b")).unwrap().starts_with("something"));
}

#[test]
fn links_of_the_container_stay_inside() {
    let container = Container::new(
        "  /etc/a: {when: [start], template: name.tpl}\n  /out/b: {when: [start], template: name.tpl}\n  /../../d: {when: [start], template: name.tpl}\n  /etc/c: {when: [start], template: name.tpl}\n",
    );
    let outside = container.place.path("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("victim"), "untouched").unwrap();
    symlink(outside.join("victim"), container.path("etc/a")).unwrap();
    symlink("../../../../../../../../../../../etc", container.path("out")).unwrap();
    symlink("/etc/real", container.path("etc/c")).unwrap();
    // The link of the first leads, inside, to a directory that does not exist.
    let error = container.apply(Trigger::Start).map(|_| ());
    std::fs::create_dir_all(container.path("etc")).unwrap();
    assert!(error.is_err());
    std::fs::remove_file(container.path("etc/a")).unwrap();
    container.apply(Trigger::Start).unwrap();
    assert_eq!(std::fs::read_to_string(outside.join("victim")).unwrap(), "untouched");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert!(container.path("etc/b").exists() && container.path("d").exists());
    assert!(container.path("etc/real").exists());
    assert!(!Path::new("/etc/b").exists());
}

#[test]
fn devices_and_pipes_are_not_written_to() {
    let container = Container::new("  /etc/a: {when: [start], template: name.tpl}\n");
    assert!(shell(&container.path("etc"), "mkfifo a"));
    assert!(matches!(container.apply(Trigger::Start), Err(ApplyError::Target { .. })));
    std::fs::remove_file(container.path("etc/a")).unwrap();
    std::fs::create_dir(container.path("etc/a")).unwrap();
    assert!(matches!(container.apply(Trigger::Start), Err(ApplyError::Target { .. })));
}

#[test]
fn templates_are_files_of_the_image() {
    for name in ["missing.tpl", "../rootfs/etc/secret", "/etc/hostname", "link.tpl", "."] {
        let container = Container::new(&format!("  /etc/a: {{when: [start], template: \"{name}\"}}\n"));
        std::fs::write(container.path("etc/secret"), "x").unwrap();
        symlink("/etc/hostname", container.place.path("c/templates/link.tpl")).unwrap();
        assert!(matches!(container.apply(Trigger::Start), Err(ApplyError::Template { .. })), "{name}");
        assert!(!container.path("etc/a").exists());
    }
}

#[test]
fn a_wrong_template_changes_nothing_and_is_reported() {
    let container = Container::new(
        "  /etc/a: {when: [start], template: wrong.tpl}\n  /etc/b: {when: [start], template: name.tpl}\n",
    );
    std::fs::write(container.place.path("c/templates/wrong.tpl"), "{% include \"/etc/shadow\" %}").unwrap();
    std::fs::write(container.path("etc/a"), "before").unwrap();
    let applied = container.apply(Trigger::Start).unwrap();
    assert_eq!(applied.failed.len(), 1);
    assert_eq!(applied.written, ["/etc/b"]);
    assert_eq!(std::fs::read_to_string(container.path("etc/a")).unwrap(), "before");
}
