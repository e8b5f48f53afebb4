//! A keeper that the test plays itself.
