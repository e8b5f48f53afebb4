use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

/// A directory that plays the root, and a file outside that nobody may reach.
struct Inside {
    base: tempfile::TempDir,
    root: Root,
}

impl Inside {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("root")).unwrap();
        fs::write(base.path().join("secret"), "outside").unwrap();
        let root = Root::at(base.path().join("root")).unwrap();
        Self { base, root }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.base.path().join("root").join(path.trim_start_matches('/'))
    }

    fn ask(&self, request: &FileRequest) -> Answer {
        handle(&self.root, request)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&FileRequest::Get { path: path.into() })
    }

    fn put(&self, path: &str) -> Answer {
        self.put_as(path, false, None, None)
    }

    fn put_as(&self, path: &str, append: bool, uid: Option<u32>, mode: Option<u32>) -> Answer {
        self.ask(&FileRequest::Put { path: path.into(), append, uid, gid: uid, mode })
    }

    fn make_dir(&self, path: &str, uid: Option<u32>, mode: Option<u32>) -> Answer {
        self.ask(&FileRequest::MakeDir { path: path.into(), uid, gid: uid, mode })
    }

    fn link(&self, path: &str, target: &str, uid: Option<u32>) -> Answer {
        self.ask(&FileRequest::Symlink { path: path.into(), target: target.into(), uid, gid: uid })
    }

    fn remove(&self, path: &str) -> Answer {
        self.ask(&FileRequest::Remove { path: path.into() })
    }

    fn write(&self, path: &str, content: &str) {
        let file = self.put(path).unwrap().1.unwrap();
        fs::File::from(file).write_all(content.as_bytes()).unwrap();
    }

    fn read(&self, path: &str) -> String {
        let mut text = String::new();
        fs::File::from(self.get(path).unwrap().1.unwrap()).read_to_string(&mut text).unwrap();
        text
    }
}

fn errno(answer: Answer) -> Errno {
    Errno::from_raw_os_error(answer.unwrap_err().errno.unwrap())
}

fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("SKIP {test}: giving files away needs root");
    }
    is_root
}

#[test]
fn a_new_file_has_the_defaults_and_an_old_one_keeps_its_own() {
    if !is_root("a_new_file_has_the_defaults_and_an_old_one_keeps_its_own") {
        return;
    }
    let inside = Inside::new();
    inside.write("/new", "one");
    let meta = fs::metadata(inside.path("new")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (0, 0, 0o640));
    inside.put_as("/new", false, Some(5), Some(0o4711)).unwrap();
    inside.write("/new", "two");
    let meta = fs::metadata(inside.path("new")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (5, 5));
    assert_eq!(inside.read("/new"), "two");
    let (reply, file) = inside.put_as("/new", true, None, None).unwrap();
    assert_eq!((reply.size, reply.uid), (3, 5));
    fs::File::from(file.unwrap()).write_all(b" three").unwrap();
    assert_eq!(inside.read("/new"), "two three");
}

#[test]
fn the_mode_is_exactly_what_was_asked_for() {
    let inside = Inside::new();
    let (reply, _) = inside.put_as("/tool", false, None, Some(0o6755)).unwrap();
    assert_eq!(reply.mode, 0o6755);
    let (reply, _) = inside.make_dir("/dir", None, Some(0o1777)).unwrap();
    assert_eq!(reply.mode, 0o1777);
    assert_eq!(inside.make_dir("/plain", None, None).unwrap().0.mode, 0o750);
}

#[test]
fn what_is_missing_is_named() {
    let inside = Inside::new();
    assert_eq!(errno(inside.get("/none")), Errno::NOENT);
    assert_eq!(errno(inside.remove("/none")), Errno::NOENT);
    for answer in
        [inside.put("/no/file"), inside.make_dir("/no/dir", None, None), inside.link("/no/l", "x", None)]
    {
        let error = answer.unwrap_err();
        assert_eq!(error.errno, Some(Errno::NOENT.raw_os_error()));
        assert_eq!(error.reason, "the directory /no does not exist");
    }
}

#[test]
fn a_directory_is_not_written_over() {
    let inside = Inside::new();
    inside.make_dir("/dir", None, None).unwrap();
    for path in ["/dir", "/dir/", "/"] {
        let error = inside.put(path).unwrap_err();
        assert_eq!(error.reason, "Path already exists as a directory");
    }
    inside.write("/file", "x");
    let error = inside.make_dir("/file", None, None).unwrap_err();
    assert_eq!(error.reason, "Path already exists and is not a directory");
    assert_eq!(inside.read("/file"), "x");
}

#[test]
fn directories_are_listed_in_order_and_taken_over() {
    let inside = Inside::new();
    inside.make_dir("/dir", None, None).unwrap();
    for name in ["b", "a", "c"] {
        inside.write(&format!("/dir/{name}"), "");
    }
    let (reply, fd) = inside.get("/dir").unwrap();
    assert_eq!(reply.kind, FileKind::Directory(Some(vec!["a".into(), "b".into(), "c".into()])));
    assert!(fd.is_none());
    assert_eq!(errno(inside.remove("/dir")), Errno::NOTEMPTY);
    if is_root("directories_are_listed_in_order_and_taken_over") {
        assert_eq!(inside.make_dir("/dir", Some(7), Some(0o700)).unwrap().0.uid, 7);
        assert_eq!(inside.make_dir("/dir", None, None).unwrap().0.uid, 0);
    }
    // A link to a directory is one, as it is for programs inside.
    symlink("dir", inside.path("link")).unwrap();
    inside.make_dir("/link", None, None).unwrap();
    inside.make_dir("/", None, None).unwrap();
}

#[test]
fn links_are_made_once_and_shown_not_followed() {
    let inside = Inside::new();
    inside.link("/link", "/target", None).unwrap();
    inside.link("/link", "/other", None).unwrap();
    assert_eq!(inside.get("/link").unwrap().0.kind, FileKind::Symlink("/target".into()));
    // Writing follows them, also to what is not there yet.
    inside.write("/link", "through");
    assert_eq!(inside.read("/target"), "through");
    inside.remove("/link").unwrap();
    assert_eq!(inside.read("/target"), "through");
}

#[test]
fn hostile_links_stay_inside() {
    let inside = Inside::new();
    let secret = inside.base.path().join("secret");
    symlink(&secret, inside.path("absolute")).unwrap();
    symlink("../secret", inside.path("relative")).unwrap();
    symlink("../../../../../../..", inside.path("up")).unwrap();
    let outside = inside.base.path().to_str().unwrap().to_owned();
    for path in ["/absolute", "/relative", "/up/secret", "/../secret", &format!("/up{outside}/secret")] {
        let _ = inside.put_as(path, false, Some(0), Some(0o777));
        let _ = inside.remove(path);
        let _ = inside.make_dir(path, None, Some(0o777));
        let _ = inside.link(path, "x", None);
        if let Ok((_, Some(file))) = inside.get(path) {
            let mut text = String::new();
            fs::File::from(file).read_to_string(&mut text).unwrap();
            assert_ne!(text, "outside");
        }
        assert_eq!(fs::read_to_string(&secret).unwrap(), "outside", "{path}");
        assert_ne!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o777);
    }
    symlink("/proc/self/root", inside.path("magic")).unwrap();
    assert!(inside.get("/magic/etc").is_err());
    symlink("loop", inside.path("loop")).unwrap();
    assert_eq!(errno(inside.put("/loop")), Errno::LOOP);
}

#[test]
fn what_could_block_is_not_opened() {
    let inside = Inside::new();
    mknodat(CWD, inside.path("fifo"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(inside.path("socket")).unwrap();
    for path in ["/fifo", "/socket"] {
        assert_eq!(errno(inside.get(path)), Errno::OPNOTSUPP);
        assert_eq!(errno(inside.put(path)), Errno::OPNOTSUPP);
    }
    assert!(fs::symlink_metadata(inside.path("fifo")).unwrap().file_type().is_fifo());
    inside.remove("/fifo").unwrap();
    assert!(!inside.path("fifo").exists());
}

#[test]
fn the_id_that_means_unchanged_is_no_id() {
    let inside = Inside::new();
    let error = inside.put_as("/file", false, Some(u32::MAX), None).unwrap_err();
    assert!(error.reason.contains("4294967295"), "{error}");
    assert!(!inside.path("file").exists());
}

#[test]
fn requests_are_answered_until_the_socket_closes() {
    let (ours, theirs) = sys::seqpacket::pair(MAX_PACKET).unwrap();
    let server = std::thread::spawn(move || serve(theirs));
    let directory = tempfile::tempdir().unwrap();
    for number in 0..5000 {
        let name = format!("a-name-that-is-rather-long-so-that-the-listing-gets-large-{number:05}");
        fs::write(directory.path().join(name), "").unwrap();
    }
    let mut buffer = vec![0; MAX_PACKET];
    let mut ask = |packet: &[u8]| {
        sys::scm::send(ours.as_fd(), packet, &[]).unwrap();
        let packet = sys::scm::recv(ours.as_fd(), &mut buffer).unwrap();
        let result: FileResult = serde_json::from_slice(&buffer[..packet.len]).unwrap();
        (result, packet.fds)
    };
    assert!(ask(b"{\"garbage\":").0.is_err());
    let get = FileRequest::Get { path: directory.path().to_str().unwrap().into() };
    let (result, mut descriptors) = ask(&serde_json::to_vec(&get).unwrap());
    assert_eq!(result.unwrap().kind, FileKind::Directory(None));
    let mut json = String::new();
    fs::File::from(descriptors.pop().unwrap()).read_to_string(&mut json).unwrap();
    assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap().len(), 5000);
    drop(ours);
    assert_eq!(server.join().unwrap(), 0);
}
