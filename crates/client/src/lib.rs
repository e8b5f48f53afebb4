//! Dial a daemon: requests, operations, events, exec.
