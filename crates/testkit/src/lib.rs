//! A real daemon in a temporary directory, tiny root file systems, printed skip reasons.
