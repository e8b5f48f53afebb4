//! The heart: one verb per file.
