//! Tests of every kind of device, good and bad.

use super::*;
use crate::units::{BitRate, Bytes, DiskRate};
use proptest::prelude::*;

fn properties(text: &str) -> Properties {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    text.split_whitespace().map(pair).collect()
}

fn parse(text: &str) -> Result<Device, String> {
    Device::parse("dev0", &properties(text)).map_err(|e| e.to_string())
}

fn devices(all: &[(&str, &str)]) -> Devices {
    all.iter().map(|(name, text)| ((*name).to_owned(), properties(text))).collect()
}

#[test]
fn types_and_properties_are_known() {
    assert_eq!(parse("type=none"), Ok(Device::None));
    assert!(parse("path=/").unwrap_err().starts_with("Missing device type for device 'dev0'"));
    assert_eq!(
        parse("type=floppy").unwrap_err(),
        "Invalid device type for device 'dev0': \"floppy\" (there are none, nic, disk, unix-char, unix-block, \
         usb, gpu, infiniband, proxy)"
    );
    assert_eq!(
        parse("type=none x=y").unwrap_err(),
        "Invalid device configuration key for none: x (there are none)"
    );
    assert_eq!(
        parse("type=disk path=/ readonyl=1").unwrap_err(),
        "Invalid device configuration key for disk: readonyl (did you mean readonly?)"
    );
    for kind in ["none", "nic", "disk", "unix-char", "unix-block", "usb", "gpu", "infiniband", "proxy"] {
        let error = parse(&format!("type={kind} no.such=1")).unwrap_err();
        assert!(error.starts_with(&format!("Invalid device configuration key for {kind}: no.such (")));
    }
    for kind in KINDS {
        assert!(!kind.doc.is_empty() && !kind.doc.ends_with('.'), "{}", kind.name);
        for row in kind.properties {
            assert!(!row.doc.is_empty() && !row.doc.ends_with('.'), "{} {}", kind.name, row.name);
            assert!(!row.allowed.is_empty() && (!row.required || row.default.is_empty()), "{}", row.name);
        }
    }
}

#[test]
fn nics() {
    assert_eq!(parse("type=nic").unwrap_err(), "Missing nic type");
    assert_eq!(parse("type=nic nictype=x").unwrap_err(), "Bad nic type: x");
    for kind in ["bridged", "macvlan", "physical", "sriov"] {
        assert_eq!(
            parse(&format!("type=nic nictype={kind}")).unwrap_err(),
            format!("Missing parent for {kind} type nic")
        );
        assert!(parse(&format!("type=nic nictype={kind} parent=eth0")).is_ok());
    }
    let nic = parse(
        "type=nic nictype=bridged parent=lxdbr0 name=eth0 hwaddr=00:16:3E:AA:BB:CC mtu=1400 \
         limits.ingress=1Mbit limits.max=10Mbit ipv4.address=10.0.0.2 security.mac_filtering=yes vlan=7",
    );
    let Ok(Device::Nic(nic)) = nic else { panic!("{nic:?}") };
    assert_eq!(nic.nictype, NicType::Bridged);
    assert_eq!(nic.hwaddr.as_deref(), Some("00:16:3e:aa:bb:cc"));
    assert_eq!(nic.limits.ingress, Some(BitRate(10_000_000)));
    assert_eq!(nic.limits.egress, Some(BitRate(10_000_000)));
    assert!(nic.mac_filtering);
    for wrong in [
        "hwaddr=1",
        "mtu=10",
        "mtu=-1",
        "vlan=4095",
        "ipv4.address=::1",
        "name=a/b",
        "host_name=waytoolongname00",
        "limits.max=1MB",
        "security.mac_filtering=2",
    ] {
        let error = parse(&format!("type=nic nictype=p2p {wrong}")).unwrap_err();
        assert!(error.starts_with("Invalid value") && error.contains("dev0"), "{error}");
    }
}

#[test]
fn disks() {
    let root = parse("type=disk path=/ pool=default size=10GB").unwrap();
    let Device::Disk(root) = root else { panic!() };
    assert!(root.is_root());
    assert_eq!(root.size, Some(Bytes(10_000_000_000)));
    assert_eq!(
        parse("type=disk path=/mnt source=/srv size=1GB").unwrap_err(),
        "Only the root disk may have a size quota."
    );
    assert!(parse("type=disk source=/srv").unwrap_err().contains("Missing property \"path\""));
    assert!(parse("type=disk path=/mnt").unwrap_err().contains("Missing property \"source\""));
    assert!(parse("type=disk path=/ source=/srv").unwrap_err().contains("\"source\""));
    assert!(parse("type=disk path=/mnt source=/v pool=default").unwrap_err().contains("absolute paths"));
    for source in ["v", "custom/v"] {
        let volume = parse(&format!("type=disk path=/mnt source={source} pool=default")).unwrap();
        let Device::Disk(volume) = volume else { panic!("{volume:?}") };
        let (pool, name) = volume.custom_volume().unwrap();
        assert_eq!((pool.as_str(), name.as_str(), volume.source.as_ref()), ("default", "v", None));
    }
    for wrong in ["source=image/v", "source=v shift=true", "source=v recursive=true"] {
        assert!(parse(&format!("type=disk path=/mnt pool=default {wrong}")).is_err(), "{wrong}");
    }
    for wrong in [
        "path=/mnt source=srv",
        "path=/mnt/../.. source=/srv",
        "path=// source=/srv",
        "path=/mnt source=/srv readonly=2",
        "path=/mnt source=/srv limits.read=1.5MB",
        "path=/ pool=a/b",
    ] {
        assert!(parse(&format!("type=disk {wrong}")).unwrap_err().starts_with("Invalid"), "{wrong}");
    }
    let Device::Disk(disk) = parse("type=disk path=mnt source=/srv limits.write=200iops readonly=1").unwrap()
    else {
        panic!()
    };
    assert_eq!(disk.limits, DiskLimits { read: None, write: Some(DiskRate::Iops(200)) });
    assert!(disk.readonly && !disk.optional && !disk.is_root());
}

#[test]
fn nodes_of_the_host() {
    let Device::UnixChar(fuse) = parse("type=unix-char path=/dev/fuse mode=0666 uid=7").unwrap() else {
        panic!()
    };
    assert_eq!((fuse.source.as_str(), fuse.path.as_str()), ("/dev/fuse", "/dev/fuse"));
    assert_eq!(fuse.access, NodeAccess { uid: 7, gid: 0, mode: Some(0o666) });
    assert!(fuse.required);
    let Device::UnixBlock(disk) = parse("type=unix-block source=/dev/sda path=/dev/x required=no").unwrap()
    else {
        panic!()
    };
    assert_eq!((disk.source.as_str(), disk.path.as_str(), disk.required), ("/dev/sda", "/dev/x", false));
    assert!(parse("type=unix-char").unwrap_err().contains("\"source\" or \"path\""));
    for wrong in ["mode=999", "mode=0x1ff", "uid=-1", "major=x", "gid=root"] {
        assert!(parse(&format!("type=unix-char path=/dev/x {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn hardware() {
    let Device::Usb(usb) = parse("type=usb vendorid=0A5C").unwrap() else { panic!() };
    assert_eq!((usb.vendor.as_str(), usb.product, usb.required), ("0a5c", None, false));
    assert!(parse("type=usb").unwrap_err().contains("vendorid"));
    assert!(parse("type=usb vendorid=a5c").is_err());
    assert!(parse("type=gpu").is_ok());
    assert!(parse("type=gpu pci=0000:01:00.0 id=0 vendorid=10de").is_ok());
    for wrong in ["pci=1", "pci=0000:01:00", "pci=:::.0", "id=x"] {
        assert!(parse(&format!("type=gpu {wrong}")).is_err(), "{wrong}");
    }
    assert_eq!(parse("type=infiniband").unwrap_err(), "Missing nic type");
    assert_eq!(parse("type=infiniband nictype=bridged parent=ib0").unwrap_err(), "Bad nic type: bridged");
    assert_eq!(parse("type=infiniband nictype=sriov").unwrap_err(), "Missing parent for sriov type nic");
    assert!(parse("type=infiniband nictype=physical parent=ib0 hwaddr=00:11:22:33:44:55:66:77").is_ok());
    assert!(parse("type=infiniband nictype=physical parent=ib0 hwaddr=00:11").is_err());
}

fn proxy(properties: &[(&str, &str)]) -> Result<Proxy, String> {
    let mut all: Properties = [("type", "proxy"), ("listen", "tcp:0.0.0.0:80"), ("connect", "tcp:1.2.3.4:1")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    all.extend(properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    match Device::parse("p", &all) {
        Ok(Device::Proxy(proxy)) => Ok(proxy),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn proxies() {
    let listens = |listen: &str| proxy(&[("listen", listen)]).unwrap().listen;
    assert_eq!(listens("tcp:[::1]:8080"), ProxyAddress::Tcp("::1".into(), vec![8080]));
    assert_eq!(
        listens("tcp:localhost:80-82,443"),
        ProxyAddress::Tcp("localhost".into(), vec![80, 81, 82, 443])
    );
    assert_eq!(listens("unix:/run/x.sock"), ProxyAddress::Unix("/run/x.sock".into()));
    assert_eq!(listens("unix:@x"), ProxyAddress::Abstract("x".into()));
    for bind in ["container", "instance", "guest"] {
        assert_eq!(proxy(&[("bind", bind)]).unwrap().bind, ProxySide::Container);
    }
    let owned = [("listen", "unix:/s"), ("uid", "5"), ("mode", "0660"), ("security.gid", "7")];
    let owned = proxy(&owned).unwrap();
    assert_eq!((owned.owner, owned.mode, owned.identity), ((5, 0), 0o660, Some((0, 7))));
    let udp = proxy(&[("listen", "udp:0.0.0.0:1-3"), ("connect", "udp:10.0.0.1:1-3")]).unwrap();
    assert_eq!((udp.listen.count(), udp.connect.count()), (3, 3));
    assert!(parse("type=proxy listen=tcp:0.0.0.0:80").unwrap_err().contains("connect"));
    for wrong in [
        "sctp:0.0.0.0:80",
        "tcp:80",
        "tcp::80",
        "tcp:a b:80",
        "tcp:1.2.3.4:0",
        "tcp:1.2.3.4:70000",
        "tcp:[x]:1",
        "tcp:1.2.3.4:9-8",
        "tcp:1.2.3.4:1-",
        "tcp:1.2.3.4:",
        "unix:relative",
        "unix:/a/../b",
        "unix:@",
        "unix:",
        "tcp:1.2.3.4:1-65535",
    ] {
        assert!(proxy(&[("listen", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn parts_of_a_proxy_fit_together() {
    for (properties, complaint) in [
        (&[("listen", "tcp:0.0.0.0:80-82"), ("connect", "tcp:1.2.3.4:1-2")][..], "as many"),
        (&[("listen", "udp:0.0.0.0:80")], "udp on both sides"),
        (&[("listen", "unix:/s"), ("connect", "udp:1.2.3.4:1")], "udp on both sides"),
        (&[("proxy_protocol", "true"), ("connect", "unix:/s")], "connect=tcp"),
        (&[("mode", "0600")], "unix:<path>"),
        (&[("listen", "unix:@x"), ("uid", "0")], "unix:<path>"),
    ] {
        let refused = proxy(properties).unwrap_err();
        assert!(refused.contains(complaint), "{refused}");
    }
}

#[test]
fn local_disks_have_different_paths() {
    let same = devices(&[("a", "type=disk path=/mnt source=/a"), ("b", "type=disk path=mnt/ source=/b")]);
    assert!(matches!(validate_local(&same), Err(DeviceError::SamePath { .. })));
    let other = devices(&[("a", "type=disk path=/mnt source=/a"), ("b", "type=disk path=/ pool=x")]);
    assert_eq!(validate_local(&other), Ok(()));
    assert!(matches!(validate_local(&devices(&[("", "type=none")])), Err(DeviceError::Name(_))));
}

#[test]
fn there_is_exactly_one_root() {
    let root = |all: &[(&str, &str)]| {
        let parsed = parse_all(&devices(all)).unwrap();
        root_device(&parsed).map(|(name, _)| name.to_string())
    };
    assert_eq!(root(&[]), Err(DeviceError::NoRoot));
    assert_eq!(root(&[("root", "type=none")]), Err(DeviceError::NoRoot));
    assert_eq!(
        root(&[("r", "type=disk path=/ pool=a"), ("m", "type=disk path=/m source=/m")]),
        Ok("r".into())
    );
    assert!(matches!(
        root(&[("r", "type=disk path=/ pool=a"), ("s", "type=disk path=/ pool=b")]),
        Err(DeviceError::TwoRoots { .. })
    ));
}

#[test]
fn what_changed() {
    let old = devices(&[
        ("a", "type=nic nictype=p2p"),
        ("b", "type=nic nictype=p2p"),
        ("c", "type=nic nictype=p2p limits.max=1Mbit"),
        ("d", "type=none"),
    ]);
    let new = devices(&[
        ("b", "type=nic nictype=p2p name=x"),
        ("c", "type=nic nictype=p2p limits.egress=2Mbit"),
        ("d", "type=none x="),
        ("e", "type=none"),
    ]);
    let changed = changes(&old, &new);
    assert_eq!(changed.removed, ["a", "b"]);
    assert_eq!(changed.added, ["b", "e"]);
    assert_eq!(changed.updated, ["c"]);
    assert_eq!(changes(&old, &old), Changes::default());
}

proptest! {
    #[test]
    fn parsing_never_panics(
        kind in prop::sample::select(vec!["nic", "disk", "unix-char", "usb", "gpu", "infiniband", "proxy", "x"]),
        key in prop::sample::select(vec![
            "nictype", "parent", "path", "source", "mode", "pci", "listen", "hwaddr", "limits.max", "size", "vlan",
        ]),
        value in "\\PC{0,20}",
    ) {
        let properties: Properties =
            [("type", kind), (key, value.as_str())].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let _ = Device::parse("dev", &properties);
    }
}
