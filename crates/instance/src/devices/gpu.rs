//! `gpu`: the nodes of graphics cards, found in `/sys/class/drm`.

use super::part::{Node, Part, Source};
use super::trees::Trees;
use crate::Error;
use model::DeviceName;
use model::devices::{Gpu, NodeAccess};
use model::runtime::devices::NodeKind;
use rustix::fs::{major, minor};
use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

const NVIDIA: &str = "10de";
/// Nodes that all cards of Nvidia share.
const NVIDIA_SHARED: [&str; 4] = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"];

/// A graphics card of the host.
#[derive(Clone, Debug)]
struct Card {
    id: u32,
    vendor: String,
    product: String,
    pci: String,
    /// Names below `/dev/dri` and their numbers.
    nodes: BTreeMap<String, (u32, u32)>,
}

/// What appears inside: the nodes of every card that fits.
pub(super) fn parts(name: &DeviceName, gpu: &Gpu, trees: &Trees) -> Result<Vec<Part>, Error> {
    let cards: Vec<Card> = cards(trees).into_iter().filter(|card| fits(gpu, card)).collect();
    if cards.is_empty() {
        return Err(Error::NoMatch { device: name.to_string(), wanted: wanted(gpu) });
    }
    // By path: what cards share comes once.
    let mut nodes = BTreeMap::new();
    for card in &cards {
        nodes.extend(card.nodes.iter().map(|(name, number)| (format!("dri/{name}"), *number)));
        if card.vendor == NVIDIA {
            nodes.extend(nvidia_nodes(card, trees));
        }
    }
    Ok(nodes.into_iter().map(|(path, number)| part(gpu, &path, number, trees)).collect())
}

fn fits(gpu: &Gpu, card: &Card) -> bool {
    let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
    // The domain may be left out of an address.
    let address = gpu.pci.as_ref().is_none_or(|pci| *pci == card.pci || format!("0000:{pci}") == card.pci);
    same(&gpu.vendor, &card.vendor)
        && same(&gpu.product, &card.product)
        && address
        && gpu.card.is_none_or(|id| id == card.id)
}

fn wanted(gpu: &Gpu) -> String {
    let mut text = "graphics card".to_owned();
    let number = gpu.card.map(|id| id.to_string());
    let all = [("id", &number), ("vendorid", &gpu.vendor), ("productid", &gpu.product), ("pci", &gpu.pci)];
    for (key, value) in all {
        if let Some(value) = value {
            text.push_str(&format!(" {key}={value}"));
        }
    }
    text
}

fn part(gpu: &Gpu, path: &str, (major, minor): (u32, u32), trees: &Trees) -> Part {
    let NodeAccess { uid, gid, mode } = gpu.access;
    let node = Node {
        kind: NodeKind::Char,
        major,
        minor,
        uid,
        gid,
        mode: mode.unwrap_or(NodeAccess::DEFAULT_MODE),
        host: Some(trees.dev.join(path)).filter(|path| path.exists()),
    };
    Part { target: format!("dev/{path}"), source: Source::Node(node) }
}

/// Every card: `card<N>`, not its connectors such as `card0-HDMI-A-1`.
fn cards(trees: &Trees) -> Vec<Card> {
    let Ok(entries) = std::fs::read_dir(trees.sys.join("class/drm")) else { return Vec::new() };
    let mut cards: Vec<Card> = entries
        .flatten()
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.strip_prefix("card")?.parse().ok()?;
            card(id, &entry.path())
        })
        .collect();
    cards.sort_by_key(|card| card.id);
    cards
}

fn card(id: u32, directory: &Path) -> Option<Card> {
    // A card that the kernel makes up has no hardware behind it.
    let device = directory.join("device");
    let hex = |name: &str| {
        let text = Trees::attribute(&device, name).unwrap_or_default();
        text.trim_start_matches("0x").to_ascii_lowercase()
    };
    let behind = std::fs::canonicalize(&device).ok();
    let address = behind.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    let mut nodes = BTreeMap::from([(format!("card{id}"), Trees::number(directory)?)]);
    for entry in std::fs::read_dir(device.join("drm")).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let known = ["card", "renderD", "controlD"].iter().any(|kind| {
            name.strip_prefix(kind).is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
        });
        if let Some(number) = Trees::number(&entry.path()).filter(|_| known) {
            nodes.insert(name, number);
        }
    }
    Some(Card {
        id,
        vendor: hex("vendor"),
        product: hex("device"),
        pci: address.unwrap_or_default().to_ascii_lowercase(),
        nodes,
    })
}

/// What Nvidia's own driver has for a card: its node, and those that all share.
fn nvidia_nodes(card: &Card, trees: &Trees) -> BTreeMap<String, (u32, u32)> {
    let information = trees.proc.join("driver/nvidia/gpus").join(&card.pci).join("information");
    let information = std::fs::read_to_string(information).unwrap_or_default();
    let own = information.lines().find_map(|line| line.strip_prefix("Device Minor:"));
    let own = own.and_then(|number| number.trim().parse::<u32>().ok()).map(|n| format!("nvidia{n}"));
    let shared = NVIDIA_SHARED.iter().map(ToString::to_string);
    own.into_iter()
        .chain(shared)
        .filter_map(|name| {
            let metadata = std::fs::metadata(trees.dev.join(&name)).ok()?;
            let number = metadata.rdev();
            metadata.file_type().is_char_device().then_some((name, (major(number), minor(number))))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A host with an Intel card at 0, an Nvidia card at 1, and a virtual one at 2.
    fn host(root: &Path) -> Trees {
        let trees = Trees { sys: root.join("sys"), dev: root.join("dev"), proc: root.join("proc") };
        let cards =
            [(0, "0000:00:02.0", "0x8086", "0x5916", 128), (1, "0000:01:00.0", "0x10DE", "0x1B80", 129)];
        for (id, pci, vendor, product, render) in cards {
            let device = trees.sys.join("devices/pci0000:00").join(pci);
            for (name, minor) in [(format!("card{id}"), id), (format!("renderD{render}"), render)] {
                let node = device.join("drm").join(&name);
                std::fs::create_dir_all(&node).unwrap();
                std::fs::write(node.join("dev"), format!("226:{minor}\n")).unwrap();
                symlink("../..", node.join("device")).unwrap();
                let class = trees.sys.join("class/drm");
                std::fs::create_dir_all(&class).unwrap();
                symlink(&node, class.join(&name)).unwrap();
            }
            std::fs::create_dir_all(device.join(format!("drm/card{id}/card{id}-HDMI-A-1"))).unwrap();
            std::fs::write(device.join("vendor"), format!("{vendor}\n")).unwrap();
            std::fs::write(device.join("device"), format!("{product}\n")).unwrap();
        }
        let virtual_card = trees.sys.join("class/drm/card2");
        std::fs::create_dir_all(&virtual_card).unwrap();
        std::fs::write(virtual_card.join("dev"), "226:2\n").unwrap();
        std::fs::create_dir_all(trees.sys.join("class/drm/card0-HDMI-A-1")).unwrap();
        let information = trees.proc.join("driver/nvidia/gpus/0000:01:00.0");
        std::fs::create_dir_all(&information).unwrap();
        std::fs::write(information.join("information"), "Model: X\nDevice Minor: \t 3\n").unwrap();
        trees
    }

    fn gpu() -> Gpu {
        Gpu { vendor: None, product: None, card: None, pci: None, access: NodeAccess::default() }
    }

    fn targets(gpu: &Gpu, trees: &Trees) -> Vec<String> {
        let name = DeviceName::parse("gpu").unwrap();
        parts(&name, gpu, trees).unwrap().into_iter().map(|part| part.target).collect()
    }

    #[test]
    fn cards_are_matched_by_everything_that_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let trees = host(dir.path());
        let intel = ["dev/dri/card0", "dev/dri/renderD128"];
        let nvidia = ["dev/dri/card1", "dev/dri/renderD129"];
        for chosen in [
            Gpu { card: Some(0), ..gpu() },
            Gpu { vendor: Some("8086".into()), ..gpu() },
            Gpu { vendor: Some("8086".into()), product: Some("5916".into()), ..gpu() },
            Gpu { pci: Some("0000:00:02.0".into()), ..gpu() },
            Gpu { pci: Some("00:02.0".into()), ..gpu() },
        ] {
            assert_eq!(targets(&chosen, &trees), intel, "{chosen:?}");
        }
        assert_eq!(targets(&Gpu { vendor: Some("10de".into()), ..gpu() }, &trees), nvidia);
        let all = targets(&gpu(), &trees);
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(all.contains(&"dev/dri/card2".to_owned()));
        let none = Gpu { card: Some(1), vendor: Some("8086".into()), ..gpu() };
        let name = DeviceName::parse("gpu").unwrap();
        let said = parts(&name, &none, &trees).unwrap_err().to_string();
        assert!(said.contains("id=1") && said.contains("vendorid=8086"), "{said}");
    }

    #[test]
    fn nvidia_has_nodes_of_its_own() {
        use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
        let dir = tempfile::tempdir().unwrap();
        let trees = host(dir.path());
        std::fs::create_dir_all(&trees.dev).unwrap();
        for (name, number) in [("nvidia3", 3), ("nvidia4", 4), ("nvidiactl", 255)] {
            let path = trees.dev.join(name);
            let made = mknodat(CWD, &path, FileType::CharacterDevice, Mode::RUSR, makedev(195, number));
            if made.is_err() {
                eprintln!("SKIP nvidia_has_nodes_of_its_own: device nodes cannot be made here");
                return;
            }
        }
        let found = targets(&Gpu { card: Some(1), ..gpu() }, &trees);
        let expected = ["dev/dri/card1", "dev/dri/renderD129", "dev/nvidia3", "dev/nvidiactl"];
        assert_eq!(found, expected);
        assert!(!targets(&Gpu { card: Some(0), ..gpu() }, &trees).iter().any(|t| t.contains("nvidia")));
    }
}
