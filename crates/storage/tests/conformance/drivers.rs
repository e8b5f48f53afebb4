//! The drivers, each with what a machine must have for it and how its pools are made.

use crate::commands::{installed, must, run};
use crate::host::{Host, text};
use std::collections::BTreeMap;
use storage::{DriverKind, Error, Pool};

/// Keys and values.
pub(crate) type Config = BTreeMap<String, String>;

/// A driver, as it is used with certain keys or on certain ground.
pub(crate) struct Driver {
    /// As in the names of tests.
    pub(crate) name: &'static str,
    pub(crate) kind: DriverKind,
    /// What the machine lacks.
    lacks: fn() -> Result<(), String>,
    /// The configuration of a pool of about a gigabyte, with volumes of about 100 MB where they need a
    /// size.
    pub(crate) config: fn(&Host, &str) -> Config,
    /// The same for a pool that is full after some 200 MB; `None`: that would be the host's own disk.
    pub(crate) small: Option<fn(&Host, &str) -> Config>,
    /// Other sources for a pool.
    pub(crate) sources: &'static [Source],
    /// Programs that list what the driver makes on a host, and what to call that.
    pub(crate) listings: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// Removes everything whose name begins with this.
    pub(crate) sweep: fn(&str),
}

/// Something that a pool can be put on.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    /// Makes it, and gives the configuration of a pool on it.
    pub(crate) make: fn(&Host, &str) -> Config,
}

impl Driver {
    /// What this machine or this program lacks for it.
    pub(crate) fn ready(&self) -> Result<(), String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting needs root".to_owned());
        }
        let Ok(name) = model::PoolName::parse("any") else { return Err("no name".to_owned()) };
        match Pool::open("/nonexistent".as_ref(), name, self.kind, &Config::new()) {
            Err(Error::Config(storage::ConfigError::UnknownDriver { .. })) => {
                return Err(format!("there is no driver {} yet", self.kind.name()));
            }
            Err(error) => return Err(error.to_string()),
            Ok(_) => {}
        }
        (self.lacks)()
    }
}

fn config(keys: &[(&str, &str)]) -> Config {
    keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn need(programs: &[&str]) -> Result<(), String> {
    match programs.iter().find(|program| !installed(program)) {
        Some(program) => Err(format!("{program} is not installed")),
        None => Ok(()),
    }
}

fn need_loop() -> Result<(), String> {
    need(&["losetup", "unshare"])?;
    if std::path::Path::new("/dev/loop-control").exists() {
        Ok(())
    } else {
        Err("the kernel has no loop devices".to_owned())
    }
}

fn need_filesystem(name: &str) -> Result<(), String> {
    need_loop()?;
    need(&[&format!("mkfs.{name}")])?;
    let _ = run("modprobe", &["--quiet", name]);
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known.lines().any(|line| line.split_whitespace().last() == Some(name)) {
        Ok(())
    } else {
        Err(format!("the kernel has no {name}"))
    }
}

// --- dir --------------------------------------------------------------------------------------------

pub(crate) const DIR: Driver = Driver {
    name: "dir",
    kind: DriverKind::Dir,
    lacks: need_loop,
    config: |_, _| Config::new(),
    small: Some(|host, pool| on(host, pool, "ext4", "200M", &[], "loop")),
    sources: &[
        Source { name: "a new directory", make: |host, pool| config(&[("source", text(&host.path(pool)))]) },
        Source {
            name: "an empty directory",
            make: |host, pool| {
                must("mkdir", &[text(&host.path(pool))]);
                config(&[("source", text(&host.path(pool)))])
            },
        },
    ],
    listings: &[],
    sweep: |_| {},
};

/// On ext4 that counts blocks of projects.
pub(crate) const DIR_EXT4: Driver = Driver {
    name: "dir_ext4",
    lacks: || quotas("ext4", &["-O", "quota,project"], "loop,prjquota"),
    config: |host, pool| on(host, pool, "ext4", "1G", &["-O", "quota,project"], "loop,prjquota"),
    sources: &[],
    ..DIR
};

/// On XFS that counts blocks of projects.
pub(crate) const DIR_XFS: Driver = Driver {
    name: "dir_xfs",
    lacks: || quotas("xfs", &[], "loop,prjquota"),
    config: |host, pool| on(host, pool, "xfs", "1G", &[], "loop,prjquota"),
    sources: &[],
    ..DIR
};

/// A pool in a directory of a file system of its own.
fn on(host: &Host, pool: &str, filesystem: &str, size: &str, make: &[&str], options: &str) -> Config {
    let (file, place) = (host.path(&format!("{pool}.fs")), host.path(&format!("{pool}.mnt")));
    must("truncate", &["-s", size, text(&file)]);
    must(&format!("mkfs.{filesystem}"), &[&["-q"], make, &[text(&file)]].concat());
    must("mkdir", &[text(&place)]);
    host.later(&["rm", text(&file)]);
    host.later(&["rmdir", text(&place)]);
    must("mount", &["-t", filesystem, "-o", options, text(&file), text(&place)]);
    host.later(&["umount", text(&place)]);
    config(&[("source", text(&place.join("pool")))])
}

fn quotas(filesystem: &str, make: &[&str], options: &str) -> Result<(), String> {
    need_filesystem(filesystem)?;
    let Ok(dir) = tempfile::tempdir() else { return Err("no temporary directory".to_owned()) };
    let (file, place) = (dir.path().join("file"), dir.path().join("mnt"));
    run("truncate", &["-s", "400M", text(&file)])?;
    run(&format!("mkfs.{filesystem}"), &[&["-q"], make, &[text(&file)]].concat())?;
    run("mkdir", &[text(&place)])?;
    let mounted = run("mount", &["-t", filesystem, "-o", options, text(&file), text(&place)]);
    let _ = run("umount", &[text(&place)]);
    mounted.map(drop).map_err(|_| format!("the kernel has no project quotas on {filesystem}"))
}

// --- btrfs ------------------------------------------------------------------------------------------

pub(crate) const BTRFS: Driver = Driver {
    name: "btrfs",
    kind: DriverKind::Btrfs,
    lacks: || need_filesystem("btrfs").and_then(|()| need(&["btrfs"])),
    config: |_, _| config(&[("size", "1GB")]),
    small: Some(|_, _| config(&[("size", "250MB")])),
    sources: &[
        Source {
            name: "a block device",
            make: |host, pool| config(&[("source", &host.device(pool, "600M"))]),
        },
        Source {
            name: "a new directory on btrfs",
            make: |host, pool| {
                let on = on(host, pool, "btrfs", "600M", &[], "loop,user_subvol_rm_allowed");
                config(&[("source", &on["source"])])
            },
        },
        Source {
            name: "an empty subvolume",
            make: |host, pool| {
                let on = on(host, pool, "btrfs", "600M", &[], "loop,user_subvol_rm_allowed");
                must("btrfs", &["subvolume", "create", &on["source"]]);
                config(&[("source", &on["source"])])
            },
        },
    ],
    listings: &[],
    sweep: |_| {},
};

// --- lvm --------------------------------------------------------------------------------------------

const VOLUME_SIZE: (&str, &str) = ("volume.size", "100MB");

pub(crate) const LVM_THIN: Driver = Driver {
    name: "lvm_thin",
    kind: DriverKind::Lvm,
    lacks: || {
        need_loop()?;
        need(&["lvs", "vgs", "pvs", "mkfs.ext4", "thin_check"])?;
        run("dmsetup", &["version"]).map_err(|_| "the kernel has no device mapper".to_owned())?;
        for target in ["dm_thin_pool", "dm_snapshot"] {
            let _ = run("modprobe", &["--quiet", target]);
        }
        let targets = run("dmsetup", &["targets"])?;
        if targets.contains("thin-pool") {
            Ok(())
        } else {
            Err("the device mapper has no thin pools".to_owned())
        }
    },
    config: |_, _| config(&[("size", "3GB"), VOLUME_SIZE]),
    small: Some(|_, _| config(&[("size", "300MB"), VOLUME_SIZE])),
    sources: &[
        Source {
            name: "a block device",
            make: |host, pool| config(&[("source", &host.device(pool, "2G")), VOLUME_SIZE]),
        },
        Source {
            name: "an empty volume group",
            make: |host, pool| {
                let group = volume_group(host, pool);
                config(&[("source", &group), VOLUME_SIZE])
            },
        },
        Source {
            name: "a volume group with a thin pool",
            make: |host, pool| {
                let group = volume_group(host, pool);
                must("lvcreate", &["-y", "-q", "--type", "thin-pool", "-L", "1G", "-n", "Mine", &group]);
                config(&[("source", &group), ("lvm.thinpool_name", "Mine"), VOLUME_SIZE])
            },
        },
        Source {
            name: "names for group and thin pool",
            make: |_, pool| {
                let group = format!("{pool}vg");
                config(&[
                    ("size", "2GB"),
                    ("lvm.vg_name", &group),
                    ("lvm.thinpool_name", "Mine"),
                    VOLUME_SIZE,
                ])
            },
        },
        Source {
            name: "xfs",
            make: |_, _| {
                config(&[("size", "3GB"), ("volume.size", "320MB"), ("volume.block.filesystem", "xfs")])
            },
        },
        Source {
            name: "btrfs",
            make: |_, _| {
                config(&[("size", "3GB"), ("volume.size", "320MB"), ("volume.block.filesystem", "btrfs")])
            },
        },
    ],
    listings: &[
        ("volume group", "vgs", &["--noheadings", "-o", "vg_name"]),
        ("physical volume", "pvs", &["--noheadings", "-o", "pv_name,vg_name"]),
        ("device", "dmsetup", &["ls"]),
    ],
    sweep: |prefix| {
        let groups = run("vgs", &["--noheadings", "-o", "vg_name"]).unwrap_or_default();
        for group in groups.split_whitespace().filter(|group| group.starts_with(prefix)) {
            let _ = run("vgremove", &["-f", "-y", group]);
        }
        let devices = run("dmsetup", &["ls"]).unwrap_or_default();
        for device in devices.lines().filter_map(|line| line.split_whitespace().next()) {
            if device.starts_with(prefix) {
                let _ = run("dmsetup", &["remove", "--force", device]);
            }
        }
    },
};

fn volume_group(host: &Host, pool: &str) -> String {
    let group = format!("{pool}vg");
    must("vgcreate", &["-q", &group, &host.device(pool, "2G")]);
    host.later(&["vgremove", "-f", "-y", &group]);
    group
}

pub(crate) const LVM_THICK: Driver = Driver {
    name: "lvm_thick",
    config: |_, _| config(&[("size", "4GB"), ("lvm.use_thinpool", "false"), VOLUME_SIZE]),
    small: Some(|_, _| config(&[("size", "300MB"), ("lvm.use_thinpool", "false"), VOLUME_SIZE])),
    sources: &[Source {
        name: "an empty volume group",
        make: |host, pool| {
            let group = volume_group(host, pool);
            config(&[("source", &group), ("lvm.use_thinpool", "false"), VOLUME_SIZE])
        },
    }],
    ..LVM_THIN
};

// --- zfs --------------------------------------------------------------------------------------------

pub(crate) const ZFS: Driver = Driver {
    name: "zfs",
    kind: DriverKind::Zfs,
    lacks: || {
        need_loop()?;
        need(&["zfs", "zpool"])?;
        let _ = run("modprobe", &["--quiet", "zfs"]);
        if std::path::Path::new("/dev/zfs").exists() {
            Ok(())
        } else {
            Err("the kernel has no ZFS".to_owned())
        }
    },
    config: |_, _| config(&[("size", "1GB")]),
    small: Some(|_, _| config(&[("size", "200MB")])),
    sources: &[
        Source {
            name: "a block device",
            make: |host, pool| config(&[("source", &host.device(pool, "600M"))]),
        },
        Source {
            name: "a zpool",
            make: |host, pool| {
                let zpool = zpool(host, pool);
                config(&[("source", &zpool)])
            },
        },
        Source {
            name: "a new dataset",
            make: |host, pool| {
                let zpool = zpool(host, pool);
                config(&[("source", &format!("{zpool}/some/where"))])
            },
        },
        Source {
            name: "a name for the zpool",
            make: |_, pool| config(&[("size", "600MB"), ("zfs.pool_name", &format!("{pool}z"))]),
        },
        Source {
            name: "full copies",
            make: |_, _| config(&[("size", "600MB"), ("zfs.clone_copy", "false")]),
        },
    ],
    listings: &[("zpool", "zpool", &["list", "-H", "-o", "name"])],
    sweep: |prefix| {
        let pools = run("zpool", &["list", "-H", "-o", "name"]).unwrap_or_default();
        for pool in pools.lines().filter(|pool| pool.starts_with(prefix)) {
            let _ = run("zpool", &["destroy", "-f", pool]);
        }
    },
};

fn zpool(host: &Host, pool: &str) -> String {
    let zpool = format!("{pool}z");
    must("zpool", &["create", "-f", "-m", "none", &zpool, &host.device(pool, "600M")]);
    host.later(&["zpool", "destroy", "-f", &zpool]);
    zpool
}

// --- ceph -------------------------------------------------------------------------------------------

const GROUPS: (&str, &str) = ("ceph.osd.pg_num", "8");

pub(crate) const CEPH: Driver = Driver {
    name: "ceph",
    kind: DriverKind::Ceph,
    lacks: || {
        need(&["ceph", "rbd", "mkfs.ext4", "unshare"])?;
        if !std::path::Path::new("/etc/ceph/ceph.conf").exists() {
            return Err("there is no Ceph cluster".to_owned());
        }
        run("ceph", &["--connect-timeout", "20", "osd", "stat"]).map(drop)
    },
    config: |_, _| config(&[GROUPS, VOLUME_SIZE]),
    // How much a cluster can hold is not the pool's affair.
    small: None,
    sources: &[
        Source {
            name: "a new OSD pool by name",
            make: |_, pool| config(&[("source", &format!("{pool}osd")), GROUPS, VOLUME_SIZE]),
        },
        Source {
            name: "an OSD pool that is there",
            make: |host, pool| {
                let osd = format!("{pool}osd");
                must("ceph", &["osd", "pool", "create", &osd, "8"]);
                host.later(&["ceph", "osd", "pool", "delete", &osd, &osd, "--yes-i-really-really-mean-it"]);
                config(&[("source", &osd), GROUPS, VOLUME_SIZE])
            },
        },
        Source {
            name: "full copies",
            make: |_, _| config(&[("ceph.rbd.clone_copy", "false"), GROUPS, VOLUME_SIZE]),
        },
    ],
    listings: &[("OSD pool", "ceph", &["osd", "pool", "ls"]), ("mapped device", "rbd", &["showmapped"])],
    sweep: |prefix| {
        let mapped = run("rbd", &["showmapped"]).unwrap_or_default();
        for line in mapped.lines().filter(|line| line.contains(prefix)) {
            let _ = run("rbd", &["unmap", line.split_whitespace().last().unwrap_or_default()]);
        }
        let pools = run("ceph", &["osd", "pool", "ls"]).unwrap_or_default();
        for pool in pools.lines().filter(|pool| pool.starts_with(prefix)) {
            let _ = run("ceph", &["osd", "pool", "delete", pool, pool, "--yes-i-really-really-mean-it"]);
        }
    },
};
