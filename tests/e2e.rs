//! End-to-end tests: the built programs, real containers, nothing faked.
//!
//! One module per area, named after what it tries. Every test has a daemon of its own in namespaces
//! of its own (see the crate `testkit`), so tests do not see each other. `cargo build -p daemon
//! -p keeper -p cli` comes first; `make test` does all of it.

mod apparmor;
mod bad_input;
mod cloud_init;
mod completion;
mod configuration;
mod crash;
mod debian;
mod debian_client;
mod devices;
mod disk_limits;
mod downloads;
mod escapes;
mod events;
mod exec;
mod files;
mod formats;
mod full_disk;
mod guest;
mod hostile_images;
mod http_api;
mod ids;
mod image_server;
mod images;
mod images_copy;
mod images_store;
mod images_update;
mod initialise;
mod inside;
mod launch;
mod life;
mod limits;
mod listing;
mod migrate;
mod nested;
mod network;
mod network_access;
mod network_clients;
mod network_removed;
mod nics;
mod oracle;
mod pools;
mod profiles;
mod proxies;
mod publish;
mod pylxd;
mod raw_lxc;
mod recover;
mod remotes;
mod rules;
mod seccomp;
mod services;
mod simplestreams;
mod snapshots;
mod storage_tour;
mod survive;
mod templates;
mod terminal;
mod volumes;
