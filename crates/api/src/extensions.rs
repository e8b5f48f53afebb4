//! The API extensions that work, all of them and nothing else.
//!
//! Clients test names and change their behaviour as soon as they see one, so a name is added in
//! the same change that makes the last part of it work.

/// Names in the order in which LXD introduced them.
pub const EXTENSIONS: &[&str] = &[
    "container_last_used_at",
    "etag",
    "patch",
    "usb_devices",
    "directory_manipulation",
    "container_cpu_time",
    "profile_usedby",
    "container_exec_recording",
    "container_exec_signal_handling",
    "gpu_devices",
    "container_image_properties",
    "file_delete",
    "file_append",
    "unix_device_rename",
    "container_only_migration",
    "entity_description",
    "file_symlinks",
    "console",
    "restrict_devlxd",
    "devlxd_events",
    "file_get_symlink",
    "unix_device_hotplug",
    "operation_description",
    "event_lifecycle",
    "container_protection_delete",
    "container_full",
    "snapshot_scheduling",
    "snapshot_schedule_aliases",
    "snapshot_expiry",
    "snapshot_expiry_creation",
    "container_exec_user_group_cwd",
    "api_filtering",
    "instances",
    "instance_get_full",
    "metadata_configuration",
];
