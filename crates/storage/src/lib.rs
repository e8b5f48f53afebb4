//! Pools and volumes.
