//! The priority of packets: version 1 has a number for each interface of the host.

use container::cgroup::Cgroup;
use model::config::Priority;
use model::runtime::spec::CgroupSetting;

/// Gives packets that leave by these interfaces a priority. The kernel knows interfaces of the
/// initial network namespace only, and any may be gone by now: those are passed over. Writes files.
pub(crate) fn give(group: &Cgroup, priority: Option<Priority>, interfaces: &[String]) {
    for setting in settings(priority, interfaces) {
        if let Err(error) = group.set(&setting) {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(group = group.path(), error, value = setting.value, "no priority of packets");
        }
    }
}

fn settings(priority: Option<Priority>, interfaces: &[String]) -> Vec<CgroupSetting> {
    let priority = priority.map_or(0, Priority::get);
    let one = |interface: &String| CgroupSetting {
        controller: "net_prio".to_owned(),
        file: "net_prio.ifpriomap".to_owned(),
        value: format!("{interface} {priority}"),
    };
    interfaces.iter().map(one).collect()
}

/// The interfaces of the daemon's network namespace. Reads a directory.
pub(crate) fn interfaces() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_gets_it_and_loses_it() {
        let interfaces = ["lo".to_owned(), "eth0".to_owned()];
        let values = |priority: Option<Priority>| -> Vec<String> {
            settings(priority, &interfaces).into_iter().map(|setting| setting.value).collect()
        };
        assert_eq!(values(Priority::parse("5")), ["lo 5", "eth0 5"]);
        assert_eq!(values(None), ["lo 0", "eth0 0"]);
    }
}
