//! `usb`: the nodes of USB devices, found in `/sys/bus/usb/devices`.

use super::part::{Node, Part, Source};
use super::trees::Trees;
use crate::Error;
use model::DeviceName;
use model::devices::{NodeAccess, Usb};
use model::runtime::devices::NodeKind;

/// A USB device of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    vendor: String,
    product: String,
    bus: u32,
    number: u32,
    major: u32,
    minor: u32,
}

/// What appears inside: every device that fits.
pub(super) fn parts(name: &DeviceName, usb: &Usb, trees: &Trees) -> Result<Vec<Part>, Error> {
    let parts: Vec<Part> =
        found(trees).iter().filter(|found| fits(usb, found)).map(|found| part(usb, found, trees)).collect();
    if parts.is_empty() && usb.required {
        let product = usb.product.as_ref().map_or_else(String::new, |product| format!(":{product}"));
        let wanted = format!("USB device {}{product}", usb.vendor);
        return Err(Error::NoMatch { device: name.to_string(), wanted });
    }
    Ok(parts)
}

fn fits(usb: &Usb, found: &Found) -> bool {
    usb.vendor == found.vendor && usb.product.as_ref().is_none_or(|product| *product == found.product)
}

fn part(usb: &Usb, found: &Found, trees: &Trees) -> Part {
    let NodeAccess { uid, gid, mode } = usb.access;
    let path = format!("bus/usb/{:03}/{:03}", found.bus, found.number);
    let node = Node {
        kind: NodeKind::Char,
        major: found.major,
        minor: found.minor,
        uid,
        gid,
        mode: mode.unwrap_or(NodeAccess::DEFAULT_MODE),
        host: Some(trees.dev.join(&path)).filter(|path| path.exists()),
    };
    Part { target: format!("dev/{path}"), source: Source::Node(node) }
}

/// Every USB device. Interfaces, which lie beside the devices, have no vendor.
fn found(trees: &Trees) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir(trees.sys.join("bus/usb/devices")) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let directory = entry.path();
            let attribute = |name: &str| Trees::attribute(&directory, name);
            let (major, minor) = Trees::number(&directory)?;
            Some(Found {
                vendor: attribute("idVendor")?.to_ascii_lowercase(),
                product: attribute("idProduct")?.to_ascii_lowercase(),
                bus: attribute("busnum")?.parse().ok()?,
                number: attribute("devnum")?.parse().ok()?,
                major,
                minor,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn device(root: &Path, name: &str, attributes: &[(&str, &str)]) {
        let directory = root.join("bus/usb/devices").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        for (attribute, value) in attributes {
            std::fs::write(directory.join(attribute), format!("{value}\n")).unwrap();
        }
    }

    fn targets(usb: &Usb, trees: &Trees) -> Vec<String> {
        let name = DeviceName::parse("stick").unwrap();
        let mut targets: Vec<_> =
            parts(&name, usb, trees).unwrap().into_iter().map(|part| part.target).collect();
        targets.sort();
        targets
    }

    #[test]
    fn devices_are_matched_by_vendor_and_product() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let trees = Trees { sys: root.to_owned(), dev: root.join("dev"), proc: root.join("proc") };
        let usb = |vendor: &str, product: Option<&str>, required| Usb {
            vendor: vendor.to_owned(),
            product: product.map(str::to_owned),
            access: NodeAccess::default(),
            required,
        };
        assert_eq!(targets(&usb("0781", None, false), &trees), [""; 0], "a host without USB");
        for (name, vendor, product, bus, number) in [
            ("1-1", "0781", "5567", "1", "4"),
            ("1-2", "0781", "5590", "1", "12"),
            ("2-1", "046D", "C52B", "2", "3"),
        ] {
            let dev = format!("189:{}", number.parse::<u32>().unwrap() - 1);
            let attributes = [
                ("idVendor", vendor),
                ("idProduct", product),
                ("busnum", bus),
                ("devnum", number),
                ("dev", dev.as_str()),
            ];
            device(root, name, &attributes);
        }
        device(root, "1-1:1.0", &[("bInterfaceClass", "08")]);
        assert_eq!(targets(&usb("0781", Some("5567"), true), &trees), ["dev/bus/usb/001/004"]);
        let both = ["dev/bus/usb/001/004", "dev/bus/usb/001/012"];
        assert_eq!(targets(&usb("0781", None, false), &trees), both);
        assert_eq!(targets(&usb("046d", Some("c52b"), false), &trees), ["dev/bus/usb/002/003"]);
        let name = DeviceName::parse("stick").unwrap();
        let missing = parts(&name, &usb("ffff", Some("0001"), true), &trees).unwrap_err().to_string();
        assert!(missing.contains("ffff:0001") && missing.contains("stick"), "{missing}");
        let found = parts(&name, &usb("046d", None, true), &trees).unwrap();
        let Source::Node(node) = &found[0].source else { panic!() };
        assert_eq!((node.major, node.minor, node.mode), (189, 2, 0o660));
    }
}
