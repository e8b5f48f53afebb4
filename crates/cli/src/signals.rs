//! Signals: those that are passed on to the command in the container, and those that ask us to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Forwarded besides SIGWINCH, which becomes a change of size.
///
/// SIGTSTP, SIGTTIN and SIGTTOU keep their meaning for this process, or the shell's job control
/// would stop working around it.
fn forwarded() -> [SignalKind; 7] {
    [
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()),
    ]
}

/// Signals that ask this program to end. While this exists, and afterwards, they do not end it.
#[derive(Debug)]
pub(crate) struct Ending([Signal; 3]);

impl Ending {
    pub(crate) fn catch() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    /// Returns when one came.
    pub(crate) async fn asked(&mut self) {
        std::future::poll_fn(|context| {
            // All are asked, so that each of them wakes us.
            let came = self.0.iter_mut().map(|signal| signal.poll_recv(context).is_ready());
            if came.fold(false, |any, came| any | came) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// The terminal has another size.
    Resize,
    /// A signal for the command.
    Signal(i32),
}

/// Catches signals from its making on, so that none is lost while a session is being set up.
#[derive(Debug)]
pub(crate) struct Signals {
    streams: Vec<(SignalKind, Signal)>,
    resize: Signal,
}

impl Signals {
    pub(crate) fn catch() -> std::io::Result<Self> {
        let streams = forwarded().into_iter().map(|kind| Ok((kind, signal(kind)?)));
        Ok(Self {
            streams: streams.collect::<std::io::Result<_>>()?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Arrived {
        std::future::poll_fn(|context| {
            if self.resize.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(Arrived::Resize);
            }
            for (kind, stream) in &mut self.streams {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(Arrived::Signal(kind.as_raw_value()));
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}
