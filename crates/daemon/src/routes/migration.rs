//! Containers and snapshots that go to another server or come from one: operations whose streams the
//! other server connects, or that connect to the other server's.

use crate::operations::{Operation, Operations, Reporter, Sockets, Task};
use crate::wire::{Answer, Refusal, accepted};
use instance::Work;
use instance::instances::{Departure, StreamSender};
use migration::Streams;
use std::sync::Arc;

/// Begins to send; `resources` are what the operation is about.
pub(crate) fn depart(
    operations: &Operations,
    reporter: &Reporter,
    departure: Departure,
    resources: crate::operations::Resources,
) -> Answer {
    let Departure { description, streams, work } = departure;
    let task = Task { description, resources, may_cancel: true };
    let operation = begin(operations, reporter, task, streams, work)?;
    accepted(&operation)
}

/// Begins work that may have to wait for the other server's streams.
pub(crate) fn begin(
    operations: &Operations,
    reporter: &Reporter,
    task: Task,
    streams: Option<StreamSender>,
    work: Work,
) -> Result<Arc<Operation>, Refusal> {
    let Some(sender) = streams else {
        return Ok(operations.run_reporting(task, reporter, |_| work));
    };
    let operation = operations.run_migrating(task, reporter, |sockets| async move {
        let arrive = async {
            if let Some(streams) = connected(sockets).await {
                // The work may have been given up.
                let _ = sender.send(streams);
            }
        };
        tokio::pin!(work);
        // The work goes on when it has its streams, and may end without them.
        tokio::select! {
            result = &mut work => result,
            () = arrive => work.await,
        }
    })?;
    Ok(operation)
}

async fn connected(sockets: Sockets) -> Option<Streams> {
    let mut connections = sockets.all().await?.into_iter();
    let (control, fs) = (connections.next()?, connections.next()?);
    Some(Streams { control: control.into_socket().await, fs: fs.into_socket().await })
}
