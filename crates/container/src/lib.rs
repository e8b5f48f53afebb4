//! The runtime library: a specification becomes a running container; attach, files, cgroups.
