//! Noticing that the other end of a connection is gone when nothing says so: its power or its wire.

use rustix::net::sockopt;
use std::os::fd::AsFd;
use std::time::Duration;

/// How long a connection may be silent before the other end is asked.
const IDLE: Duration = Duration::from_secs(30);
/// How long between two questions.
const PAUSE: Duration = Duration::from_secs(10);
/// How many questions may stay without an answer.
const QUESTIONS: u32 = 6;
/// How long what was sent may stay without an answer, in milliseconds.
const UNANSWERED: u32 = 90_000;

/// Has the kernel break a TCP connection a minute and a half after its other end is gone; otherwise it
/// would be hours, or never. Without these options that is all that is lost.
pub fn watch(tcp: impl AsFd) {
    let _ = sockopt::set_socket_keepalive(&tcp, true);
    let _ = sockopt::set_tcp_keepidle(&tcp, IDLE);
    let _ = sockopt::set_tcp_keepintvl(&tcp, PAUSE);
    let _ = sockopt::set_tcp_keepcnt(&tcp, QUESTIONS);
    let _ = sockopt::set_tcp_user_timeout(&tcp, UNANSWERED);
}
