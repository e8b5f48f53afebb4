//! A container that stays as it is while its files are sent: nobody else can change, move or remove it.

use crate::Error;
use crate::instances::owner::{Owner, Reply};
use tokio::sync::oneshot;

/// Keeps a container as it is until this is dropped.
pub(crate) struct Hold {
    _release: oneshot::Sender<()>,
}

impl Owner {
    /// Does nothing until whoever asked for it has finished or is gone. What runs is frozen meanwhile.
    pub(in crate::instances) async fn hold(&mut self, reply: Reply<Hold>) {
        let mut reply = Some(reply);
        let held = self
            .still(async {
                let (release, released) = oneshot::channel();
                if let Some(reply) = reply.take()
                    && reply.send(Ok(Hold { _release: release })).is_ok()
                {
                    // It never gets a message: it ends with its sender.
                    let _ = released.await;
                }
                Ok::<(), Error>(())
            })
            .await;
        if let (Err(error), Some(reply)) = (held, reply) {
            let _ = reply.send(Err(error));
        }
    }
}
