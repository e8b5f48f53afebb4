//! Which members of an archive are wanted, and what rules hold for them.

use super::error::Refusal;
use super::names::RelativePath;
use crate::archive::Kind;
use crate::metadata::FILE_NAME;

/// What an archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `metadata.yaml`, `templates/` and `rootfs/`.
    Unified,
    /// `metadata.yaml` and `templates/`.
    Metadata,
    /// Its top level is the root directory.
    Rootfs,
}

/// Where a member goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: images may carry things that only their makers know.
    Ignored,
    /// It belongs to the host's side: metadata and templates.
    Host,
    /// It belongs to the container; its path there.
    Container(RelativePath),
}

impl Shape {
    /// Where the container's root is, as the beginning of a path.
    pub(super) fn rootfs(self) -> &'static str {
        if self == Self::Rootfs { "" } else { "rootfs/" }
    }

    /// Where a member of this path goes, and whether it may be of this kind there.
    pub(super) fn place(self, path: &RelativePath, kind: Kind) -> Result<Place, Refusal> {
        if self == Self::Rootfs {
            return container(path.clone(), kind);
        }
        let Some((first, below)) = path.first() else {
            return if kind == Kind::Directory { Ok(Place::Host) } else { wrong("directory") };
        };
        match first {
            b"rootfs" if self == Self::Unified => container(below, kind),
            b"templates" if below.is_root() && kind != Kind::Directory => wrong("directory"),
            b"templates" if !matches!(kind, Kind::Directory | Kind::File) => wrong("file"),
            b"templates" => Ok(Place::Host),
            _ if path.as_bytes() == FILE_NAME.as_bytes() => match kind {
                Kind::File => Ok(Place::Host),
                _ => wrong("file"),
            },
            _ => Ok(Place::Ignored),
        }
    }
}

fn container(path: RelativePath, kind: Kind) -> Result<Place, Refusal> {
    match kind {
        Kind::CharDevice | Kind::BlockDevice => {
            let in_dev = path.first().is_some_and(|(first, below)| first == b"dev" && !below.is_root());
            if !in_dev {
                return Err(Refusal::DeviceOutsideDev);
            }
        }
        Kind::Directory => {}
        _ if path.is_root() => return wrong("directory"),
        _ => {}
    }
    Ok(Place::Container(path))
}

fn wrong(expected: &'static str) -> Result<Place, Refusal> {
    Err(Refusal::WrongKind { expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(shape: Shape, path: &str, kind: Kind) -> Result<Place, Refusal> {
        shape.place(&RelativePath::parse(path.as_bytes()).unwrap(), kind)
    }

    fn inside(path: &str) -> Result<Place, Refusal> {
        Ok(Place::Container(RelativePath::parse(path.as_bytes()).unwrap()))
    }

    #[test]
    fn each_shape_has_its_members() {
        assert_eq!(place(Shape::Unified, "rootfs/etc/passwd", Kind::File), inside("etc/passwd"));
        assert_eq!(place(Shape::Rootfs, "rootfs/x", Kind::File), inside("rootfs/x"));
        assert_eq!(place(Shape::Metadata, "rootfs/x", Kind::File), Ok(Place::Ignored));
        assert_eq!(place(Shape::Unified, "metadata.yaml", Kind::File), Ok(Place::Host));
        assert_eq!(place(Shape::Unified, "templates/a.tpl", Kind::File), Ok(Place::Host));
        assert_eq!(place(Shape::Unified, "README", Kind::Symlink), Ok(Place::Ignored));
        assert_eq!(place(Shape::Unified, "./", Kind::Directory), Ok(Place::Host));
    }

    #[test]
    fn the_parts_of_an_image_must_be_what_they_are() {
        let file = Err(Refusal::WrongKind { expected: "file" });
        let directory = Err(Refusal::WrongKind { expected: "directory" });
        assert_eq!(place(Shape::Unified, "metadata.yaml", Kind::Symlink), file);
        assert_eq!(place(Shape::Unified, "templates/a", Kind::Symlink), file);
        assert_eq!(place(Shape::Unified, "templates/a", Kind::HardLink), file);
        assert_eq!(place(Shape::Unified, "templates", Kind::Symlink), directory);
        assert_eq!(place(Shape::Unified, "rootfs", Kind::Symlink), directory);
        assert_eq!(place(Shape::Rootfs, ".", Kind::Symlink), directory);
    }

    #[test]
    fn devices_belong_in_dev() {
        let refused = Err(Refusal::DeviceOutsideDev);
        for kind in [Kind::CharDevice, Kind::BlockDevice] {
            assert_eq!(place(Shape::Rootfs, "dev/null", kind), inside("dev/null"));
            assert_eq!(place(Shape::Unified, "rootfs/dev/disk/a", kind), inside("dev/disk/a"));
            assert_eq!(place(Shape::Rootfs, "dev", kind), refused);
            assert_eq!(place(Shape::Rootfs, "devices/null", kind), refused);
            assert_eq!(place(Shape::Rootfs, "tmp/dev/null", kind), refused);
            assert_eq!(place(Shape::Unified, "rootfs/sda", kind), refused);
        }
    }
}
