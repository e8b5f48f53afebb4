//! Files inside containers, through a server that sits inside.
//!
//! A server answers one question at a time; [`FileQueue`] is the line before it, shared by all
//! requests for one container, so that pushing a tree enters the container once.

use crate::Error;
pub use crate::keeper::Owner as Ownership;
use crate::keeper::{FileError, FileServer};
use model::runtime::protocol::{FileReply, FileRequest};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use storage::Mounted;
use tokio::sync::{mpsc, oneshot};

/// How long a server is kept for the next request.
const IDLE: Duration = Duration::from_secs(10);
/// How many requests may wait for one server.
const QUEUE: usize = 64;

type Answer = Result<(Option<FileReply>, Option<OwnedFd>), FileError>;
type Question = (FileRequest, oneshot::Sender<Answer>);

/// The line before a container's file server.
pub(crate) struct FileQueue(mpsc::Sender<Question>);

impl FileQueue {
    /// Serves questions until nobody asks any more. The volume of a container that does not run stays
    /// mounted for as long.
    pub(crate) fn new(server: FileServer, volume: Option<Mounted>) -> Self {
        let (sender, questions) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            serve(server, questions).await;
            drop(volume);
        });
        Self(sender)
    }

    /// False when the server is gone and another one is needed.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }
}

async fn serve(mut server: FileServer, mut questions: mpsc::Receiver<Question>) {
    while let Ok(Some((request, reply))) = tokio::time::timeout(IDLE, questions.recv()).await {
        let answer = put_to(&mut server, request).await;
        let over = matches!(answer, Err(FileError::Silent(_) | FileError::Ended | FileError::Socket(_)));
        // Whoever asked may have gone away.
        let _ = reply.send(answer);
        if over {
            return;
        }
    }
    questions.close();
    // Asked between the silence and the closing.
    while let Some((request, reply)) = questions.recv().await {
        let _ = reply.send(put_to(&mut server, request).await);
    }
}

async fn put_to(server: &mut FileServer, request: FileRequest) -> Answer {
    Ok(match request {
        FileRequest::Get { path } => {
            let (reply, fd) = server.get(&path).await?;
            (Some(reply), fd)
        }
        FileRequest::Put { path, append, uid, gid, mode } => {
            let (reply, fd) = server.put(&path, append, Ownership { uid, gid, mode }).await?;
            (Some(reply), Some(fd))
        }
        FileRequest::MakeDir { path, uid, gid, mode } => {
            (Some(server.make_dir(&path, Ownership { uid, gid, mode }).await?), None)
        }
        FileRequest::Symlink { path, target, uid, gid } => {
            let owner = Ownership { uid, gid, mode: None };
            (Some(server.symlink(&path, &target, owner).await?), None)
        }
        FileRequest::Remove { path } => (Some(server.remove(&path).await?), None),
    })
}

/// A file that was opened for writing.
pub struct Put {
    /// Its content.
    pub file: File,
    /// It was not there before.
    pub is_new: bool,
}

/// The files of one container. Paths are absolute and mean what they mean inside. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    queue: Arc<FileQueue>,
}

impl Files {
    pub(crate) fn new(queue: Arc<FileQueue>) -> Self {
        Self { queue }
    }

    async fn ask(&self, request: FileRequest) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.queue.0.send((request, reply)).await.map_err(|_| FileError::Ended)?;
        answer.await.unwrap_or(Err(FileError::Ended))
    }

    /// Looks at a path; a regular file comes with its content.
    ///
    /// # Errors
    /// Nothing there.
    pub async fn get(&self, path: &str) -> Result<(FileReply, Option<File>), Error> {
        match self.ask(FileRequest::Get { path: path.to_owned() }).await? {
            (Some(reply), fd) => Ok((reply, fd.map(File::from))),
            (None, _) => Err(Error::File(FileError::Answer)),
        }
    }

    /// Opens a file for writing.
    ///
    /// # Errors
    /// A directory is in the way; the parent is missing.
    pub async fn put(&self, path: &str, append: bool, owner: Ownership) -> Result<Put, Error> {
        let Ownership { uid, gid, mode } = owner;
        let request = FileRequest::Put { path: path.to_owned(), append, uid, gid, mode };
        match self.ask(request).await? {
            (Some(reply), Some(fd)) => Ok(Put { file: File::from(fd), is_new: reply.is_new }),
            _ => Err(Error::File(FileError::Answer)),
        }
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// Something else is in the way; the parent is missing.
    pub async fn make_dir(&self, path: &str, owner: Ownership) -> Result<(), Error> {
        let Ownership { uid, gid, mode } = owner;
        self.ask(FileRequest::MakeDir { path: path.to_owned(), uid, gid, mode }).await?;
        Ok(())
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// The parent is missing.
    pub async fn symlink(&self, path: &str, target: &str, owner: Ownership) -> Result<(), Error> {
        let Ownership { uid, gid, .. } = owner;
        let request = FileRequest::Symlink { path: path.to_owned(), target: target.to_owned(), uid, gid };
        self.ask(request).await?;
        Ok(())
    }

    /// Removes a file, a link or an empty directory.
    ///
    /// # Errors
    /// Nothing there; a directory that is not empty.
    pub async fn remove(&self, path: &str) -> Result<(), Error> {
        self.ask(FileRequest::Remove { path: path.to_owned() }).await?;
        Ok(())
    }
}
