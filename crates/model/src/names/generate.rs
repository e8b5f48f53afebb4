//! Two-word names for containers that were created without one.

use super::InstanceName;

/// First words: how it is.
#[rustfmt::skip]
pub(super) const MOODS: [&str; 100] = [
    "able", "airy", "amber", "apt", "arctic", "bold", "brave", "brief", "bright", "brisk",
    "calm", "candid", "careful", "cheery", "civil", "clean", "clear", "clever", "cosy", "crisp",
    "curious", "daring", "dapper", "deft", "eager", "early", "easy", "even", "exact", "fair",
    "famous", "fine", "firm", "fleet", "fluent", "fond", "frank", "fresh", "frosty", "gentle",
    "glad", "golden", "grand", "green", "handy", "happy", "hardy", "honest", "humble", "ideal",
    "jolly", "keen", "kind", "large", "light", "lively", "loyal", "lucid", "lucky", "mellow",
    "merry", "mild", "modest", "neat", "nimble", "noble", "novel", "open", "patient", "plain",
    "pleasant", "polite", "prompt", "proud", "quick", "quiet", "rapid", "ready", "robust", "round",
    "rustic", "sharp", "silver", "simple", "smooth", "snug", "solid", "sound", "spry", "steady",
    "sunny", "swift", "tidy", "tranquil", "upbeat", "vivid", "warm", "wise", "witty", "young",
];

/// Second words: what it is.
#[rustfmt::skip]
pub(super) const THINGS: [&str; 100] = [
    "acorn", "alder", "apple", "aspen", "badger", "barley", "basin", "bay", "beacon", "beaver",
    "birch", "bison", "bluff", "bramble", "breeze", "brook", "canyon", "cedar", "cherry", "cliff",
    "clover", "comet", "coral", "cove", "crane", "creek", "curlew", "dale", "delta", "dune",
    "egret", "elm", "ember", "falcon", "fen", "fern", "finch", "fjord", "forest", "fox",
    "garnet", "glacier", "glade", "gorge", "granite", "grove", "gull", "harbour", "hare", "hazel",
    "heath", "heron", "hill", "holly", "island", "ivy", "jasper", "juniper", "kestrel", "lagoon",
    "lake", "larch", "lark", "lichen", "lynx", "maple", "marsh", "marten", "meadow", "mesa",
    "moor", "moss", "nettle", "oak", "onyx", "orchard", "osprey", "otter", "pebble", "pine",
    "plover", "pond", "poplar", "quail", "quartz", "rapids", "reef", "ridge", "river", "robin",
    "rowan", "sable", "shore", "spruce", "stork", "summit", "thicket", "valley", "willow", "wren",
];

impl InstanceName {
    /// A name such as `brave-otter` from a random number; equal numbers give equal names. There
    /// are 10,000, so the caller tries another number when a name is taken.
    #[must_use]
    pub fn generate(random: u64) -> Self {
        let pick = |words: &[&'static str; 100], number: u64| {
            // In range by the remainder; the fallback keeps this free of panics.
            words.get(usize::try_from(number % 100).unwrap_or(0)).copied().unwrap_or("new")
        };
        Self(format!("{}-{}", pick(&MOODS, random), pick(&THINGS, random / 100)).into())
    }
}
