//! Attaching to a container's console.

use crate::websocket::{self, control::ControlStream};
use crate::{Client, DataReader, DataWriter, Error, Pending, containers::at, exec};
use api::exec::ConsolePost;
use http::Method;

/// An attached console. Its data streams block and want a thread each.
#[derive(Debug)]
pub struct Console {
    /// Window size; ending it detaches.
    pub control: ControlStream,
    /// The keyboard.
    pub input: DataWriter,
    /// What the console shows.
    pub output: DataReader,
    /// Ends when the console does.
    pub pending: Pending,
}

impl Client {
    /// Attaches to the console of a running container.
    ///
    /// # Errors
    /// 400 when it does not run or somebody else is attached.
    pub async fn console(&self, container: &str, width: u16, height: u16) -> Result<Console, Error> {
        let path = format!("{}/console", at(container));
        let request = ConsolePost { width, height, kind: "console".to_owned() };
        let pending = self.begin(Method::POST, &path, &request, None).await?;
        let secrets = exec::secrets(&path, &pending)?;
        let open = |key: &'static str| {
            let url = exec::stream_url(&path, &pending, &secrets, key);
            async move { websocket::open(&self.pool, &url?).await }
        };
        // Control first: its end is how the daemon learns that we are gone.
        let control = ControlStream::new(open("control").await?.into_messages().await);
        let (output, input) = exec::split(open("0").await?)?;
        Ok(Console { control, input, output, pending })
    }
}
