//! Image files: unpack, pack, metadata, templates, fingerprints.
