//! The table of the types of devices and of their properties: what is refused, what the reference
//! says and what a shell completes comes from here.

use crate::config::{BOOL, INTERFACE};

/// A type of device.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The value of `type`.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// What can be said about it, besides `type`.
    pub properties: &'static [Property],
}

/// A property of a type of device.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What values may be, to follow "use".
    pub allowed: &'static str,
    /// What holds when it is not set.
    pub default: &'static str,
    /// It has to be set.
    pub required: bool,
    /// A change is made in place; a change of any other property takes the device away from a
    /// running container and adds it anew.
    pub in_place: bool,
    /// One line of documentation.
    pub doc: &'static str,
}

/// The row about a type.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
    /// The row about a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }
}

const fn prop(
    name: &'static str,
    allowed: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Property {
    Property { name, allowed, default, required: false, in_place: false, doc }
}

const fn must(name: &'static str, allowed: &'static str, doc: &'static str) -> Property {
    Property { required: true, ..prop(name, allowed, "", doc) }
}

/// Changed in place.
const fn live(name: &'static str, allowed: &'static str, doc: &'static str) -> Property {
    Property { in_place: true, ..prop(name, allowed, "", doc) }
}

const TEXT: &str = "any text";
const PATH: &str = "a path without .. in it";
const BITS: &str = "bits per second such as 10Mbit";
const RATE: &str = "a size (per second) such as 30MB, or 200iops";
const MTU: &str = "a number of bytes from 68 to 65536";
const HEX: &str = "four hexadecimal digits";
const ID: &str = "a number from 0 to 4294967295";
const SOCKETS: &str = "tcp:<address>:<ports>, udp:<address>:<ports>, unix:<path> or unix:@<name>, with ports such as 80, 80-90 or 80,443";
const NODE_MODE: &str = "permission bits in octal such as 0660";
const NUMBER: &str = "a device number";

const UID: Property = prop("uid", ID, "0", "The user inside that owns it");
const GID: Property = prop("gid", ID, "0", "The group inside that owns it");
const MODE: Property = prop("mode", NODE_MODE, "the host's, else 0660", "Permissions inside");

/// Every type of device.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind { name: "none", doc: "Nothing: hides a device of a profile that has this name", properties: &[] },
    Kind { name: "nic", doc: "A network interface", properties: &[
        must("nictype", "one of bridged, macvlan, p2p, physical, sriov", "How it is connected"),
        prop("parent", INTERFACE, "", "The host's interface that it hangs on; needed unless it is p2p"),
        prop("name", INTERFACE, "the first free eth<N>", "Its name inside"),
        prop("hwaddr", "an address such as 00:16:3e:01:02:03", "one is made up and kept", "Its Ethernet address"),
        prop("mtu", MTU, "the parent's", "The largest packet, in bytes"),
        prop("host_name", INTERFACE, "made up", "Name of the host's end"),
        prop("vlan", "a number from 1 to 4094", "", "VLAN on the parent; macvlan and physical"),
        live("limits.ingress", BITS, "At most this much comes in; bridged and p2p"),
        live("limits.egress", BITS, "At most this much goes out; bridged and p2p"),
        live("limits.max", BITS, "Both limits at once"),
        live("ipv4.address", "an IPv4 address", "Address that it gets by DHCP; bridged"),
        live("ipv6.address", "an IPv6 address", "Address that it gets by DHCP; bridged"),
        prop("security.mac_filtering", BOOL, "false", "Drop packets with another source address than its own; bridged"),
        prop("maas.subnet.ipv4", TEXT, "", "Subnet in MAAS"),
        prop("maas.subnet.ipv6", TEXT, "", "Subnet in MAAS"),
    ] },
    Kind { name: "disk", doc: "A directory, file or block device of the host mounted inside, or the root", properties: &[
        must("path", PATH, "Where it appears inside; / is the root"),
        prop("source", "an absolute path of the host, or a volume's name together with pool", "", "What appears there; the root has none, all others need one"),
        prop("pool", "the name of a storage pool", "", "The storage pool of the root, or of the volume"),
        prop("size", "a size such as 10GB", "", "How large the root may grow"),
        prop("readonly", BOOL, "false", "It cannot be written to"),
        prop("optional", BOOL, "false", "A source that is missing is no error"),
        prop("recursive", BOOL, "false", "With what is mounted below the source"),
        prop("shift", BOOL, "false", "The owners of the source's files are users of the container, by an id-mapped mount"),
        live("limits.read", RATE, "How much may be read"),
        live("limits.write", RATE, "How much may be written"),
        live("limits.max", RATE, "Both limits at once"),
    ] },
    Kind { name: "unix-char", doc: "A character device of the host", properties: UNIX },
    Kind { name: "unix-block", doc: "A block device of the host", properties: UNIX },
    Kind { name: "usb", doc: "The USB devices of a vendor, or of one kind", properties: &[
        must("vendorid", HEX, "The vendor, as lsusb prints it"),
        prop("productid", HEX, "all of the vendor's", "The product, as lsusb prints it"),
        UID, GID, MODE,
        prop("required", BOOL, "false", "One must be there at start"),
    ] },
    Kind { name: "gpu", doc: "Graphics cards: those that fit all that is said, or all", properties: &[
        prop("vendorid", HEX, "", "The vendor"),
        prop("productid", HEX, "", "The product"),
        prop("id", "the number of the card in /dev/dri", "", "The card"),
        prop("pci", "a PCI address such as 0000:01:00.0", "", "The card by its place on the bus"),
        UID, GID, MODE,
    ] },
    Kind { name: "infiniband", doc: "An InfiniBand interface", properties: &[
        must("nictype", "one of physical, sriov", "How it is passed through"),
        must("parent", INTERFACE, "The host's interface"),
        prop("name", INTERFACE, "the first free ib<N>", "Its name inside"),
        prop("hwaddr", "20 or 8 bytes in hexadecimal with colons between", "the parent's", "Its address"),
        prop("mtu", MTU, "the parent's", "The largest packet, in bytes"),
    ] },
    Kind { name: "proxy", doc: "Forwarded ports and sockets", properties: &[
        must("listen", SOCKETS, "Where connections or packets are taken"),
        must("connect", SOCKETS, "Where they are passed on to: as many ports as in listen, or one"),
        prop("bind", "host or container", "host", "The side that listens; it connects on the other"),
        prop("uid", ID, "0", "Who owns the unix socket that is listened at, on the side where it is"),
        prop("gid", ID, "0", "The group that owns it"),
        prop("mode", NODE_MODE, "0644", "Its permissions"),
        prop("security.uid", ID, "0", "Who connects, on the side where that happens"),
        prop("security.gid", ID, "0", "The group that connects"),
        prop("proxy_protocol", BOOL, "false", "Begin each connection with a line that says who has called"),
        prop("nat", BOOL, "false", "Forward by the firewall"),
    ] },
];

const UNIX: &[Property] = &[
    prop("source", PATH, "path", "The device node on the host"),
    prop("path", PATH, "source", "Where it appears inside"),
    prop("major", NUMBER, "the host node's", "Major number; with both, no node of the host is needed"),
    prop("minor", NUMBER, "the host node's", "Minor number"),
    UID,
    GID,
    MODE,
    prop("required", BOOL, "true", "It must be there at start; otherwise it is added when it appears"),
];
