//! Limits: how much of the host a container may use.
//!
//! | file | what |
//! |---|---|
//! | [`groups`] | keys of the configuration → files of control groups (pure) |
//! | [`rates`] | limits of disks → files of control groups, averaged per block device (pure) |
//! | [`blocks`] | which block devices are behind a path |
//! | [`disks`] | what the disks of a container come to |
//! | [`balance`] | which processors for whom (pure) |
//! | [`balancer`] | the task that keeps processors balanced |
//! | [`hotplug`] | processors and interfaces that come and go |
//! | [`packets`] | the priority of packets per interface |
//! | [`missing`] | which keys have no effect on this host |
//!
//! A container gets its limits with its control groups, before its init exists; later changes write
//! the files that differ.

mod balance;
mod balancer;
mod blocks;
pub(crate) mod disks;
pub(crate) mod groups;
mod hotplug;
pub(crate) mod missing;
pub(crate) mod packets;
pub(crate) mod rates;

pub(crate) use balancer::Balancer;

use model::runtime::spec::CgroupSetting;

/// A file of a control group, and the key that it is written for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// `limits.memory`, …, or the device whose limit it is.
    pub(crate) key: String,
    /// What is written.
    pub(crate) file: CgroupSetting,
}

impl Setting {
    pub(crate) fn new(key: &str, controller: &str, file: &str, value: &(impl ToString + ?Sized)) -> Self {
        Self {
            key: key.to_owned(),
            file: CgroupSetting {
                controller: controller.to_owned(),
                file: file.to_owned(),
                value: value.to_string(),
            },
        }
    }
}

/// Settings for both versions: each is written where its controller is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) v1: Vec<Setting>,
    pub(crate) v2: Vec<Setting>,
}

impl Settings {
    /// These and those.
    pub(crate) fn extend(&mut self, other: Self) {
        self.v1.extend(other.v1);
        self.v2.extend(other.v2);
    }

    /// All, of both versions.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Setting> {
        self.v1.iter().chain(&self.v2)
    }
}
