//! A small web server that serves a directory and misbehaves on demand, for tests of downloads.
//!
//! Over HTTP, or over HTTPS with a certificate of a test's own [`Authority`]. It knows `HEAD`, `Range`
//! and `If-None-Match`, and remembers every request.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// An authority for certificates of web servers, which nobody but a test trusts.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    /// Makes one.
    ///
    /// # Panics
    /// When there is no room in the directory for temporary files.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let mut file = tempfile::Builder::new().prefix("lvt-authority-").tempfile_in("/tmp").expect("a file");
        file.write_all(issuer.pem().as_bytes()).expect("room for a file");
        Self { issuer, file }
    }

    /// Its certificate: the value for `SSL_CERT_FILE`.
    ///
    /// # Panics
    /// Never: the path is of plain letters.
    #[must_use]
    pub fn path(&self) -> &str {
        self.file.path().to_str().expect("a plain path")
    }

    fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names of hosts");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.expect("a certificate that goes with its key"))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// How a file is served.
#[derive(Clone, Debug)]
pub enum Manner {
    /// In pieces of this many bytes, with this long a pause after each.
    Slow(usize, Duration),
    /// One byte of it is another one.
    Lie,
    /// This many bytes follow that do not belong to it.
    TooMuch(usize),
    /// The connection ends after this many bytes of the body.
    EndAfter(usize),
    /// Nothing comes after this many bytes of the body, and the connection stays.
    StallAfter(usize),
    /// It is elsewhere.
    Redirect(String),
    /// With this code, and nothing else.
    Status(u16),
    /// A page for people comes instead.
    Page,
    /// With these headers besides.
    Headers(Vec<(String, String)>),
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct WebRequest {
    /// `GET` or `HEAD`.
    pub method: String,
    /// The path, with what follows a question mark.
    pub path: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
}

impl WebRequest {
    /// The value of a header, whose name is in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

struct Rule {
    path: String,
    manner: Manner,
    /// How often it still holds; None: always.
    times: Option<u32>,
}

struct Shared {
    directory: PathBuf,
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<WebRequest>>,
    no_ranges: AtomicBool,
    ended: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// A running web server; it ends with this value.
pub struct Web {
    address: SocketAddr,
    base: String,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Web {
    /// Serves a directory on a port of the loopback interface (0: any one) of a network namespace (None: this
    /// one), with a certificate of these names if there is an authority.
    ///
    /// # Panics
    /// When the port is taken.
    #[must_use]
    #[track_caller]
    pub fn serve(
        directory: &Path,
        namespace: Option<&Path>,
        port: u16,
        tls: Option<(&Authority, &[&str])>,
    ) -> Self {
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            rules: Mutex::default(),
            requests: Mutex::default(),
            no_ranges: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let name = tls.and_then(|(_, names)| names.first()).map(|name| (*name).to_owned());
        let config = tls.map(|(authority, names)| authority.server(names));
        let namespace = namespace.map(|path| File::open(path).expect("a network namespace"));
        let (tell, told) = mpsc::channel();
        let (inner, tls) = (Arc::clone(&shared), config.is_some());
        std::thread::spawn(move || {
            if let Some(namespace) = namespace {
                let network = Some(rustix::thread::LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), network)
                    .expect("to enter the network namespace");
            }
            let listener = TcpListener::bind(("127.0.0.1", port));
            let _ = tell.send(listener.as_ref().map(|l| l.local_addr().ok()).map_err(|e| e.to_string()));
            if let Ok(listener) = listener {
                accept(&listener, &inner, config.as_ref());
            }
        });
        let address = told.recv().expect("the server's thread").expect("a free port").expect("its address");
        let scheme = if tls { "https" } else { "http" };
        let host = name.unwrap_or_else(|| "127.0.0.1".to_owned());
        let base = match address.port() {
            443 if tls => format!("https://{host}"),
            port => format!("{scheme}://{host}:{port}"),
        };
        Self { address, base, shared }
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// From now on files whose path contains this text are served so.
    pub fn behave(&self, path: &str, manner: Manner) {
        lock(&self.shared.rules).push(Rule { path: path.to_owned(), manner, times: None });
    }

    /// The same for the next requests only, this many.
    pub fn behave_times(&self, path: &str, manner: Manner, times: u32) {
        lock(&self.shared.rules).push(Rule { path: path.to_owned(), manner, times: Some(times) });
    }

    /// From now on everything is served well.
    pub fn behave_well(&self) {
        lock(&self.shared.rules).clear();
        self.shared.no_ranges.store(false, Ordering::SeqCst);
        self.break_connections();
    }

    /// From now on only whole files are served.
    pub fn without_ranges(&self) {
        self.shared.no_ranges.store(true, Ordering::SeqCst);
    }

    /// Ends all connections at once.
    pub fn break_connections(&self) {
        for connection in lock(&self.shared.connections).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Every request so far whose path contains this text.
    #[must_use]
    pub fn requests(&self, path: &str) -> Vec<WebRequest> {
        lock(&self.shared.requests).iter().filter(|request| request.path.contains(path)).cloned().collect()
    }

    /// How many `GET`s there were of paths that contain this text.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.requests(path).iter().filter(|request| request.method == "GET").count()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.break_connections();
        // Wakes the thread when the server is in this namespace; in another one it ends with its daemon.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>) {
    // Waiting in short steps, because a server in another namespace cannot be woken by a connection.
    let _ = listener.set_nonblocking(true);
    while !shared.ended.load(Ordering::SeqCst) {
        let Ok((tcp, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let _ = tcp.set_nonblocking(false);
        let _ = tcp.set_read_timeout(Some(Duration::from_secs(120)));
        let (Ok(end), Ok(copy)) = (tcp.try_clone(), tcp.try_clone()) else { continue };
        lock(&shared.connections).push(copy);
        let (shared, tls) = (Arc::clone(shared), tls.cloned());
        std::thread::spawn(move || {
            // What breaks is the client's business.
            let _ = match tls {
                Some(config) => ServerConnection::new(config)
                    .map_err(io::Error::other)
                    .and_then(|connection| serve(StreamOwned::new(connection, tcp), &shared)),
                None => serve(tcp, &shared),
            };
            // The copies would keep it open.
            let _ = end.shutdown(Shutdown::Write);
        });
    }
}

/// One request for each connection.
fn serve(stream: impl Read + Write, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    // A proxy is asked for a whole URL.
    let path = match path.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]).to_owned(),
        None => path,
    };
    let request = WebRequest { method, path, headers };
    lock(&shared.requests).push(request.clone());
    let manner = take_manner(shared, &request.path);
    let mut stream = reader.into_inner();
    answer(&mut stream, shared, &request, manner.as_ref())?;
    stream.flush()
}

fn take_manner(shared: &Shared, path: &str) -> Option<Manner> {
    let mut rules = lock(&shared.rules);
    let rule = rules.iter_mut().find(|rule| path.contains(&rule.path) && rule.times != Some(0))?;
    if let Some(times) = &mut rule.times {
        *times -= 1;
    }
    Some(rule.manner.clone())
}

fn answer(
    stream: &mut impl Write,
    shared: &Shared,
    request: &WebRequest,
    manner: Option<&Manner>,
) -> io::Result<()> {
    let mut more = String::new();
    match manner {
        Some(Manner::Status(code)) => return head(stream, &code.to_string(), 0, ""),
        Some(Manner::Redirect(to)) => return head(stream, "302", 0, &format!("Location: {to}\r\n")),
        Some(Manner::Page) => {
            const PAGE: &[u8] = b"<!DOCTYPE html><html><body>Please log in to this network</body></html>";
            head(stream, "200", PAGE.len(), "Content-Type: text/html\r\n")?;
            return stream.write_all(PAGE);
        }
        Some(Manner::Headers(headers)) => {
            more = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        }
        _ => {}
    }
    let path = request.path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let file =
        if path.split('/').any(|part| part == "..") { None } else { Some(shared.directory.join(path)) };
    let Some(mut body) = file.filter(|file| file.is_file()).and_then(|file| std::fs::read(file).ok()) else {
        return head(stream, if more.is_empty() { "404" } else { "200" }, 0, &more);
    };
    let hash =
        body.iter().fold(0xcbf2_9ce4_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_01b3));
    let tag = format!("\"{hash:x}\"");
    if request.header("if-none-match") == Some(&tag) {
        return head(stream, "304", 0, "");
    }
    more.push_str(&format!("ETag: {tag}\r\n"));
    match manner {
        Some(Manner::Lie) => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        Some(Manner::TooMuch(bytes)) => body.extend(std::iter::repeat_n(b'x', *bytes)),
        _ => {}
    }
    let range = request.header("range").filter(|_| !shared.no_ranges.load(Ordering::SeqCst));
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    match from {
        Some(from) if from < body.len() => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
            body.drain(..from);
            head(stream, "206", body.len(), &(more + &range))?;
        }
        Some(_) => return head(stream, "416", 0, &more),
        None => head(stream, "200", body.len(), &more)?,
    }
    if request.method == "HEAD" {
        return Ok(());
    }
    send(stream, shared, &body, manner)
}

fn send(stream: &mut impl Write, shared: &Shared, body: &[u8], manner: Option<&Manner>) -> io::Result<()> {
    match manner {
        Some(Manner::Slow(piece, pause)) => {
            for piece in body.chunks(*piece) {
                stream.write_all(piece)?;
                stream.flush()?;
                std::thread::sleep(*pause);
                if shared.ended.load(Ordering::SeqCst) {
                    return Ok(());
                }
            }
            Ok(())
        }
        Some(Manner::EndAfter(bytes)) => stream.write_all(&body[..body.len().min(*bytes)]),
        Some(Manner::StallAfter(bytes)) => {
            stream.write_all(&body[..body.len().min(*bytes)])?;
            stream.flush()?;
            while !shared.ended.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
        _ => stream.write_all(body),
    }
}

fn head(stream: &mut impl Write, status: &str, length: usize, more: &str) -> io::Result<()> {
    let head =
        format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n");
    stream.write_all(head.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(web: &Web, head: &str) -> String {
        let mut tcp = TcpStream::connect(web.address).unwrap();
        tcp.write_all(format!("{head}\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        let _ = tcp.read_to_string(&mut text);
        text
    }

    #[test]
    fn serves_well_and_badly() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "0123456789").unwrap();
        let web = Web::serve(dir.path(), None, 0, None);
        assert!(get(&web, "GET /a HTTP/1.1").ends_with("\r\n\r\n0123456789"));
        let part = get(&web, "GET /a?x=y HTTP/1.1\r\nRange: bytes=7-");
        assert!(part.starts_with("HTTP/1.1 206 ") && part.ends_with("\r\n\r\n789"), "{part}");
        assert!(get(&web, "GET /b HTTP/1.1").starts_with("HTTP/1.1 404 "));
        web.behave_times("/a", Manner::EndAfter(3), 1);
        let short = get(&web, "GET /a HTTP/1.1");
        assert!(short.contains("Content-Length: 10") && short.ends_with("\r\n\r\n012"), "{short}");
        web.behave("/a", Manner::Lie);
        assert!(get(&web, "GET /a HTTP/1.1").ends_with("\r\n\r\n0123446789"));
        web.behave_well();
        assert!(get(&web, "HEAD /a HTTP/1.1").ends_with("\r\n\r\n"));
        assert_eq!((web.count("/a"), web.requests("/a").len()), (4, 5));
        assert_eq!(web.requests("?x=y")[0].header("range"), Some("bytes=7-"));
    }
}
