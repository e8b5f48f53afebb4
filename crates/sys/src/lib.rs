//! Every unsafe line: thin wrappers of system calls that rustix lacks, one file per man page.

pub mod packet;
pub mod unix_socket;
