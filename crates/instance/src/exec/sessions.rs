//! Who waits for the end of which program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How a program ended, or who wants to know. The keeper may tell the end before whoever started
/// the program has got its number.
enum Session {
    Waiting(oneshot::Sender<i32>),
    Ended(i32),
}

/// Programs that run, by the keeper's numbers. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Sessions(Arc<Mutex<HashMap<u64, Session>>>);

impl Sessions {
    fn table(&self) -> MutexGuard<'_, HashMap<u64, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of a program that was just started.
    pub(super) fn wait_for(&self, session: u64) -> oneshot::Receiver<i32> {
        let (sender, receiver) = oneshot::channel();
        let mut table = self.table();
        match table.remove(&session) {
            // The receiver is in our hands.
            Some(Session::Ended(status)) => drop(sender.send(status)),
            _ => drop(table.insert(session, Session::Waiting(sender))),
        }
        receiver
    }

    /// The keeper says that a program has ended.
    pub(crate) fn ended(&self, session: u64, status: i32) {
        let mut table = self.table();
        match table.remove(&session) {
            Some(Session::Waiting(sender)) => drop(sender.send(status)),
            _ => drop(table.insert(session, Session::Ended(status))),
        }
    }

    /// Another keeper is there, which does not watch these programs: nobody will hear of them.
    pub(crate) fn lost(&self) {
        self.table().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_heard_whichever_comes_first() {
        let sessions = Sessions::default();
        let early = sessions.wait_for(1);
        sessions.ended(1, 3);
        sessions.ended(2, 137);
        assert_eq!((early.await, sessions.wait_for(2).await), (Ok(3), Ok(137)));
        assert!(sessions.table().is_empty());
        let lost = sessions.wait_for(4);
        sessions.lost();
        assert!(lost.await.is_err());
    }
}
