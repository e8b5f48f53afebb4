//! The API as bytes on a socket: a plain HTTP/1.1 client that shares no code with the product.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Asks a daemon over its unix socket, one connection per request.
#[derive(Clone)]
pub struct Api {
    socket: PathBuf,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header lines: lower-case names and values.
    pub headers: Vec<(String, String)>,
    /// The body, without transfer coding.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}", String::from_utf8_lossy(&self.body)))
    }

    /// The `metadata` of a synchronous answer.
    ///
    /// # Panics
    /// When the answer is an error.
    #[must_use]
    #[track_caller]
    pub fn metadata(&self) -> Value {
        let body = self.json();
        assert!(self.status < 300 && body["type"] != "error", "{} {body}", self.status);
        body["metadata"].clone()
    }

    /// The text of an error answer; empty for others.
    #[must_use]
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

impl Api {
    /// A client of the daemon that listens here.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `GET`.
    #[must_use]
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], &[])
    }

    /// `DELETE`.
    #[must_use]
    #[track_caller]
    pub fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path, &[], &[])
    }

    /// A request with a JSON body.
    #[must_use]
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Response {
        self.request(method, path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Any request.
    ///
    /// # Panics
    /// When there is no complete answer within two minutes.
    #[must_use]
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        match self.try_request(method, path, headers, body) {
            Ok(response) => response,
            Err(e) => panic!("{method} {path}: {e}"),
        }
    }

    /// Any request.
    ///
    /// # Errors
    /// When there is no complete answer within two minutes.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Response> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.set_write_timeout(Some(Duration::from_secs(120)))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: lxd\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        // The answer to a refused upload may come, and the connection end, before all of it is sent.
        let sent = stream.write_all(body);
        let response = read_response(&mut BufReader::new(stream), method);
        match (sent, response) {
            (_, Ok(response)) => Ok(response),
            (Err(e), Err(_)) | (Ok(()), Err(e)) => Err(e),
        }
    }

    /// Send a request that is answered by an operation, and wait for its end.
    ///
    /// # Panics
    /// When it is answered otherwise.
    #[must_use]
    #[track_caller]
    pub fn operation(&self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.send(method, path, body);
        assert_eq!(response.status, 202, "{method} {path}: {}", String::from_utf8_lossy(&response.body));
        self.wait(response.json()["operation"].as_str().expect("the operation's URL"))
    }

    /// Wait for the end of an operation.
    ///
    /// # Panics
    /// When it does not end within a minute.
    #[must_use]
    #[track_caller]
    pub fn wait(&self, operation: &str) -> Value {
        let ended = self.get(&format!("{operation}/wait?timeout=60")).metadata();
        assert!(ended["status_code"].as_u64().is_some_and(|code| code >= 200), "still at work: {ended}");
        ended
    }
}

fn read_response<R: BufRead>(from: &mut R, method: &str) -> std::io::Result<Response> {
    let short = |what: &str| std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what.to_owned());
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| short(&format!("no status line: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if method == "HEAD" || status == 101 || status == 204 {
        return Ok(response);
    }
    if response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        loop {
            line.clear();
            from.read_line(&mut line)?;
            let size = line.trim().split(';').next().and_then(|n| usize::from_str_radix(n, 16).ok());
            let size = size.ok_or_else(|| short(&format!("no size of a chunk: {line:?}")))?;
            let mut chunk = vec![0; size + 2];
            from.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(response);
            }
            response.body.extend_from_slice(&chunk[..size]);
        }
    }
    match response.header("content-length").and_then(|v| v.parse::<usize>().ok()) {
        Some(length) => {
            response.body.resize(length, 0);
            from.read_exact(&mut response.body)?;
        }
        None => {
            from.read_to_end(&mut response.body)?;
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_ways_of_sending_a_body() {
        let plain = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabcmore";
        let response = read_response(&mut &plain[..], "GET").unwrap();
        assert_eq!((response.status, response.body.as_slice()), (404, &b"abc"[..]));
        assert_eq!(response.header("x-a"), Some("b"));
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(read_response(&mut &chunked[..], "GET").unwrap().body, b"abc0123456789");
        assert!(read_response(&mut &chunked[..60], "GET").is_err());
    }
}
