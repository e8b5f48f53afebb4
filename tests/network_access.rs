//! The daemon on the network: where it listens, whom it trusts, what guests see. `curl` is the client,
//! as in the post about driving the API directly.

mod listening;

use listening::Listening;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use testkit::{TestDaemon, Unavailable, daemon, eventually, find_program, or_skip, run};

/// A client with a certificate of its own.
struct Client<'d> {
    d: &'d TestDaemon,
    /// Before `.crt` and `.key`.
    path: String,
}

fn needs(program: &str) -> Result<(), Unavailable> {
    find_program(program).map(drop).ok_or_else(|| Unavailable(format!("{program} is not installed")))
}

impl<'d> Client<'d> {
    fn new(d: &'d TestDaemon, name: &str) -> Result<Self, Unavailable> {
        needs("curl")?;
        needs("openssl")?;
        let path = d.scratch().join(name).to_string_lossy().into_owned();
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-nodes"]);
        command.args(["-days", "30", "-subj", &format!("/CN={name}"), "-keyout", &format!("{path}.key")]);
        let _ = run(command.args(["-out", &format!("{path}.crt")])).expect_success();
        Ok(Self { d, path })
    }

    fn pem(&self) -> String {
        std::fs::read_to_string(format!("{}.crt", self.path)).unwrap()
    }

    /// What `curl` says with the client's certificate; empty when there was no answer.
    fn curl(&self, arguments: &[&str]) -> String {
        let mut command = self.d.inside("curl");
        command.args(["-s", "-k", "--max-time", "60", "--cert", &format!("{}.crt", self.path)]);
        command.args(["--key", &format!("{}.key", self.path)]).args(arguments);
        run(&mut command).text()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.curl(arguments);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("not JSON ({e}): {text}"))
    }

    /// A listener to events, by the plainest of programs.
    fn listens(&self, at: &str) -> testkit::Running {
        let request = format!("{}.request", self.path);
        let head = "GET /1.0/events HTTP/1.1\r\nHost: lxd\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        std::fs::write(&request, head).unwrap();
        let mut command = self.d.inside("openssl");
        command.args(["s_client", "-quiet", "-connect", at, "-cert", &format!("{}.crt", self.path)]);
        command.args(["-key", &format!("{}.key", self.path)]);
        testkit::spawn(command.stdin(std::fs::File::open(&request).unwrap()))
    }

    fn auth(&self, at: &str) -> String {
        self.json(&[&format!("https://{at}/1.0")])["metadata"]["auth"].as_str().unwrap_or("-").to_owned()
    }
}

/// A `curl` without any certificate: code and body.
fn guest(d: &TestDaemon, arguments: &[&str]) -> (u16, String) {
    let mut command = d.inside("curl");
    command.args(["-s", "-k", "--max-time", "60", "-w", "\n%{http_code}"]).args(arguments);
    let text = run(&mut command).text();
    let (body, code) = text.rsplit_once('\n').unwrap_or(("", "0"));
    (code.parse().unwrap_or(0), body.to_owned())
}

fn without_image() -> testkit::Builder {
    TestDaemon::builder().without_image()
}

#[test]
fn the_post_about_the_api_over_the_network() {
    let d = daemon!(without_image());
    let client = or_skip!(Client::new(&d, "client"));
    d.lxc_ok(&["config", "set", "core.https_address", "[::]:8443"]);
    d.lxc_ok(&["config", "set", "core.trust_password", "some-password"]);
    assert_eq!(client.auth("127.0.0.1:8443"), "untrusted");
    let url = "https://127.0.0.1:8443/1.0/certificates";
    let wrong = r#"{"type": "client", "password": "another-password"}"#;
    let refused = client.json(&[url, "-X", "POST", "-d", wrong]);
    assert_eq!((&refused["error_code"], &refused["error"]), (&403.into(), &"not authorized".into()));
    let right = r#"{"type": "client", "password": "some-password"}"#;
    let added = client.json(&[url, "-X", "POST", "-d", right]);
    assert_eq!((&added["type"], &added["status"]), (&"sync".into(), &"Success".into()), "{added}");
    assert_eq!(client.auth("127.0.0.1:8443"), "trusted");
    assert_eq!(client.json(&["https://127.0.0.1:8443/"])["metadata"], serde_json::json!(["/1.0"]));
    assert_eq!(client.auth("[::1]:8443"), "trusted");

    let config = d.api().get("/1.0").metadata()["config"].clone();
    assert_eq!(config["core.https_address"], "[::]:8443");
    assert_eq!(config["core.trust_password"], true);
    let again = client.json(&[url, "-X", "POST", "-d", right]);
    assert_eq!(again["error"], "Certificate already in trust store");
    for secret in ["some-password", "another-password"] {
        assert!(!d.log().contains(secret), "a password is in the log");
        let database = std::fs::read(d.lxd_dir().join("database/lxd.db")).unwrap();
        assert!(!database.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[test]
fn everything_that_the_post_shows_works_over_the_network() {
    let d = daemon!();
    let client = or_skip!(Client::new(&d, "client"));
    d.lxc_ok(&["config", "set", "core.https_address", "[::]:8443"]);
    d.lxc_ok(&["config", "trust", "add", &format!("{}.crt", client.path)]);
    let at = |path: &str| format!("https://127.0.0.1:8443/1.0{path}");
    let operation = |arguments: &[&str]| {
        let begun = client.json(arguments);
        assert_eq!(
            (&begun["type"], &begun["status"]),
            (&"async".into(), &"Operation created".into()),
            "{begun}"
        );
        let operation = begun["operation"].as_str().unwrap().trim_start_matches("/1.0").to_owned();
        let ended = client.json(&[&at(&format!("{operation}/wait"))]);
        assert_eq!(ended["metadata"]["status"], "Success", "{ended}");
    };
    assert_eq!(client.json(&[&at("/operations")])["status"], "Success");
    let create = r#"{"name": "xenial", "source": {"type": "image", "alias": "busybox"}}"#;
    operation(&["-X", "POST", "-d", create, &at("/containers")]);
    operation(&["-X", "PUT", "-d", r#"{"action": "start"}"#, &at("/containers/xenial/state")]);
    assert_eq!(client.json(&["-X", "GET", &at("/containers/xenial/state")])["metadata"]["status"], "Running");
    let file = at("/containers/xenial/files?path=/tmp/a");
    let pushed =
        client.json(&["-X", "POST", "-H", "Content-Type: application/octet-stream", "-d", "abc", &file]);
    assert_eq!((&pushed["status_code"], &pushed["metadata"]), (&200.into(), &serde_json::json!({})));
    assert_eq!(client.curl(&["-X", "GET", &file]), "abc");
    operation(&["-X", "POST", "-d", r#"{"name": "my-snapshot"}"#, &at("/containers/xenial/snapshots")]);
    let snapshot = client.json(&["-X", "GET", &at("/containers/xenial/snapshots/my-snapshot")]);
    assert_eq!(snapshot["metadata"]["name"].as_str().unwrap().rsplit('/').next(), Some("my-snapshot"));
    operation(&["-X", "PUT", "-d", r#"{"action": "stop", "force": true}"#, &at("/containers/xenial/state")]);
    operation(&["-X", "DELETE", &at("/containers/xenial")]);
    let gone = client.json(&[&at("/containers/xenial")]);
    assert_eq!((&gone["type"], &gone["error_code"]), (&"error".into(), &404.into()));
    // Only the configuration is sent back, and what is left out is unset: the listener closes.
    let unset = client.json(&["-X", "PUT", "-d", r#"{"config": {}}"#, &at("")]);
    assert_eq!(unset["status_code"], 200, "the request that closes it is answered");
    assert_eq!(client.curl(&[&at("")]), "");
}

#[test]
fn trust_is_given_and_taken_away_and_survives_a_restart() {
    let mut d = daemon!(without_image());
    let fingerprint = {
        let client = or_skip!(Client::new(&d, "client"));
        d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1"]);
        let body: String = client.pem().lines().filter(|line| !line.starts_with('-')).collect();
        let post = serde_json::json!({"type": "client", "name": "mine", "certificate": body});
        let added = d.api().send("POST", "/1.0/certificates", &post);
        assert_eq!(added.status, 201, "{}", added.error());
        let url = added.header("location").unwrap().to_owned();
        let shown = d.api().get(&url);
        assert!(shown.header("etag").is_some());
        let shown = shown.metadata();
        assert_eq!((&shown["name"], &shown["type"]), (&"mine".into(), &"client".into()));
        assert_eq!(shown["certificate"].as_str().unwrap(), client.pem());
        assert_eq!(client.auth("127.0.0.1:8443"), "trusted");
        let fingerprint = shown["fingerprint"].as_str().unwrap().to_owned();
        let prefix = format!("/1.0/certificates/{}", &fingerprint[..12]);
        let patched = d.api().send("PATCH", &prefix, &serde_json::json!({"name": "theirs"}));
        assert_eq!(patched.status, 200);
        assert_eq!(d.api().get(&prefix).metadata()["name"], "theirs");
        let stale = d.api().request("PUT", &prefix, &[("If-Match", "x")], br#"{"type": "client"}"#);
        assert_eq!(stale.status, 412);
        let list = d.api().get("/1.0/certificates?recursion=1").metadata();
        assert_eq!(list.as_array().unwrap().len(), 1);
        fingerprint
    };
    d.terminate();
    d.start_again();
    let client = Client { d: &d, path: d.scratch().join("client").to_string_lossy().into_owned() };
    assert_eq!(client.auth("127.0.0.1:8443"), "trusted");
    // Two requests over one connection, between which the certificate is removed.
    let mut open = Open::new(&client, 8443);
    assert!(open.ask("/1.0/profiles").starts_with("HTTP/1.1 200"));
    assert_eq!(d.api().delete(&format!("/1.0/certificates/{fingerprint}")).status, 200);
    assert!(open.ask("/1.0/profiles").starts_with("HTTP/1.1 403"));
    assert_eq!(client.auth("127.0.0.1:8443"), "untrusted");
}

#[test]
fn the_listener_moves_and_says_why_it_cannot() {
    let mut d = daemon!(without_image());
    let client = or_skip!(Client::new(&d, "client"));
    let environment = |d: &TestDaemon| d.api().get("/1.0").metadata()["environment"].clone();
    assert_eq!(environment(&d)["addresses"], serde_json::json!([]));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1:9443"]);
    assert_eq!(environment(&d)["addresses"], serde_json::json!(["127.0.0.1:9443"]));
    assert_eq!(client.auth("127.0.0.1:9443"), "untrusted");
    // Another address, then every address at the same port, and back.
    for (address, at) in
        [(":9444", "10.177.0.1:9444"), ("127.0.0.1:9444", "127.0.0.1:9444"), ("[::]:9444", "[::1]:9444")]
    {
        d.lxc_ok(&["config", "set", "core.https_address", address]);
        assert_eq!(client.auth(at), "untrusted", "{address}");
        assert_eq!(client.curl(&["https://127.0.0.1:9443/1.0"]), "", "it has moved");
    }
    let addresses = environment(&d)["addresses"].to_string();
    assert!(addresses.contains("10.177.0.1:9444") && !addresses.contains("127.0.0.1"), "{addresses}");
    let _other = or_skip!(Listening::at(&d, "127.0.0.1", 9555));
    for (address, reason) in [
        ("127.0.0.1:9555", "another program listens there"),
        ("192.0.2.7:9444", "this host has no such address"),
        ("no-such-host.invalid", "cannot listen on no-such-host.invalid:8443"),
        ("x y", "use an address"),
    ] {
        let refused = d.lxc_fails(&["config", "set", "core.https_address", address]);
        assert!(refused.contains(reason), "{address}: {refused}");
        assert_eq!(d.lxc_ok(&["config", "get", "core.https_address"]), "[::]:9444\n");
        eventually("it listens where it did", || {
            (client.auth("127.0.0.1:9444") == "untrusted").then_some(())
        });
    }
    let fingerprint = environment(&d)["certificate_fingerprint"].clone();
    let pem = std::fs::read_to_string(d.lxd_dir().join("server.crt")).unwrap();
    assert_eq!(environment(&d)["certificate"], pem.as_str());
    d.lxc_ok(&["config", "unset", "core.https_address"]);
    assert_eq!(client.curl(&["https://127.0.0.1:9444/1.0"]), "", "it is closed");
    d.terminate();
    d.start_again();
    assert_eq!(environment(&d)["certificate_fingerprint"], fingerprint);
}

#[test]
fn an_address_that_cannot_be_had_does_not_keep_the_daemon_from_starting() {
    let mut d = daemon!(without_image());
    or_skip!(needs("curl"));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1:9443"]);
    d.terminate();
    let other = or_skip!(Listening::at(&d, "127.0.0.1", 9443));
    d.start_again();
    assert!(d.log().contains("another program listens there"), "{}", d.log());
    assert_eq!(d.api().get("/1.0").metadata()["environment"]["addresses"], serde_json::json!([]));
    drop(other);
    eventually("the address is taken as soon as it is free", || {
        (guest(&d, &["https://127.0.0.1:9443/1.0"]).0 == 200).then_some(())
    });
}

#[test]
fn guests_see_what_is_public_and_nothing_else() {
    let d = daemon!();
    or_skip!(needs("curl"));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1"]);
    let at = |path: &str| format!("https://127.0.0.1:8443{path}");
    let get = |path: &str| guest(&d, &[&at(path)]);
    let (code, body) = get("/1.0");
    assert_eq!(code, 200);
    assert!(body.contains("\"untrusted\"") && !body.contains("environment") && !body.contains("\"config\""));
    assert_eq!(get("/").0, 200);
    let insisting = guest(&d, &["-H", "X-LXD-authenticated: true", &at("/1.0")]);
    assert_eq!(insisting.0, 403);
    for path in [
        "/1.0/containers",
        "/1.0/instances",
        "/1.0/profiles",
        "/1.0/networks",
        "/1.0/storage-pools",
        "/1.0/operations",
        "/1.0/events",
        "/1.0/certificates",
        "/internal/ready",
        "/1.0/metadata/configuration",
    ] {
        assert_eq!(get(path).0, 403, "{path}");
    }
    for method in ["PUT", "PATCH"] {
        assert_eq!(guest(&d, &["-X", method, "-d", "{\"config\": {}}", &at("/1.0")]).0, 403);
    }
    let shutdown = guest(&d, &["-X", "PUT", "-d", "{}", &at("/internal/shutdown")]);
    assert_eq!(shutdown.0, 403);
    // Without a password set, every one is wrong, also none.
    for password in ["", "x"] {
        let body = format!("{{\"type\": \"client\", \"password\": \"{password}\"}}");
        assert!([400, 403].contains(&guest(&d, &["-X", "POST", "-d", &body, &at("/1.0/certificates")]).0));
    }
    let image = d.api().get("/1.0/images?recursion=1").metadata()[0]["fingerprint"].clone();
    let image = format!("/1.0/images/{}", image.as_str().unwrap());
    assert!(get("/1.0/images").1.contains("\"metadata\":[]"));
    for path in [image.as_str(), &format!("{image}/export"), "/1.0/images/aliases/busybox"] {
        assert_eq!(get(path).0, 404, "{path}");
    }
    let public = serde_json::json!({"public": true, "properties": {}});
    assert_eq!(d.api().send("PATCH", &image, &public).status, 200);
    for path in [image.as_str(), &format!("{image}/export"), "/1.0/images/aliases/busybox"] {
        assert_eq!(get(path).0, 200, "{path}");
    }
}

#[test]
fn guessing_the_password_becomes_slow() {
    let d = daemon!(without_image());
    let client = or_skip!(Client::new(&d, "client"));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1"]);
    d.lxc_ok(&["config", "set", "core.trust_password", "right"]);
    let guess = |password: &str| {
        let body = format!("{{\"type\": \"client\", \"password\": \"{password}\"}}");
        client.json(&["https://127.0.0.1:8443/1.0/certificates", "-X", "POST", "-d", &body])
    };
    let codes: Vec<_> = (0..8).map(|n| guess(&format!("wrong{n}"))["error_code"].clone()).collect();
    assert!(codes.contains(&403.into()) && codes.contains(&429.into()), "{codes:?}");
    eventually("the right one is taken after a while", || {
        (guess("right")["status_code"] == 200).then_some(())
    });
}

#[test]
fn a_token_lets_one_client_in() {
    let d = daemon!(without_image());
    let (one, two) = (or_skip!(Client::new(&d, "one")), or_skip!(Client::new(&d, "two")));
    let refused = d.lxc_fails(&["config", "trust", "add", "--name", "laptop"]);
    assert!(refused.contains("core.https_address"), "{refused}");
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1"]);
    let printed = d.lxc_ok(&["config", "trust", "add", "--name", "laptop"]);
    assert!(printed.starts_with("Client laptop certificate add token:\n"), "{printed}");
    let token = printed.lines().last().unwrap();
    assert_eq!(d.lxc_ok(&["config", "trust", "list-tokens", "--format", "csv"]), "laptop,\n");
    let operations = d.api().get("/1.0/operations?recursion=1").metadata().to_string();
    assert!(operations.contains("laptop") && !operations.contains("secret"), "{operations}");

    let url = "https://127.0.0.1:8443/1.0/certificates";
    let body = format!("{{\"type\": \"client\", \"password\": \"{token}\"}}");
    assert_eq!(one.json(&[url, "-X", "POST", "-d", &body])["status_code"], 200);
    assert_eq!(one.auth("127.0.0.1:8443"), "trusted");
    assert_eq!(two.json(&[url, "-X", "POST", "-d", &body])["error_code"], 403);
    assert_eq!(d.lxc_ok(&["config", "trust", "list-tokens", "--format", "csv"]), "");
    let list = d.lxc_ok(&["config", "trust", "list", "--format", "csv"]);
    assert!(list.contains(",one,") && list.ends_with(",laptop\n"), "{list}");

    d.lxc_ok(&["config", "trust", "add", &format!("{}.crt", two.path)]);
    assert_eq!(two.auth("127.0.0.1:8443"), "trusted");
    let refused = d.lxc_fails(&["config", "trust", "add", &format!("{}.crt", two.path)]);
    assert!(refused.contains("Certificate already in trust store"), "{refused}");
    let refused = d.lxc_fails(&["config", "trust", "add", &format!("{}.key", two.path)]);
    assert!(refused.contains("not a certificate"), "{refused}");
    let fingerprint = list.split(',').next().unwrap();
    d.lxc_ok(&["config", "trust", "remove", fingerprint]);
    assert_eq!(one.auth("127.0.0.1:8443"), "untrusted");

    // One that is explicit, one that was revoked, one that was made by somebody without the right.
    let token = d.lxc_ok(&["config", "trust", "add", "--name", "again", "--quiet"]);
    let body = format!("{{\"type\": \"client\", \"trust_token\": \"{}\"}}", token.trim());
    assert_eq!(one.json(&[url, "-X", "POST", "-d", &body])["status_code"], 200);
    d.lxc_ok(&["config", "trust", "remove", fingerprint]);
    let token = d.lxc_ok(&["config", "trust", "add", "--name", "gone", "--quiet"]);
    d.lxc_ok(&["config", "trust", "revoke-token", "gone"]);
    let body = format!("{{\"type\": \"client\", \"trust_token\": \"{}\"}}", token.trim());
    assert_eq!(one.json(&[url, "-X", "POST", "-d", &body])["error_code"], 403);
    let body = r#"{"type": "client", "name": "x", "token": true}"#;
    assert_eq!(one.json(&[url, "-X", "POST", "-d", body])["error_code"], 403);
}

/// An authority with openssl: its files in a directory.
struct Authority<'d> {
    d: &'d TestDaemon,
    directory: PathBuf,
}

impl<'d> Authority<'d> {
    fn new(d: &'d TestDaemon) -> Result<Self, Unavailable> {
        needs("openssl")?;
        let authority = Self { d, directory: d.scratch().join("authority") };
        std::fs::create_dir(&authority.directory).unwrap();
        let config = "[ca]\ndefault_ca = main\n[main]\ndatabase = index\nserial = serial\ndefault_md = sha256\n\
                      policy = any\nnew_certs_dir = .\ncertificate = ca.crt\nprivate_key = ca.key\n\
                      default_crl_days = 30\ncrlnumber = serial-of-lists\ncrl_extensions = list\ndefault_days = 30\nx509_extensions = client\n[any]\n\
                      commonName = supplied\n[client]\nbasicConstraints = CA:false\nextendedKeyUsage = clientAuth\n\
                      [list]\nauthorityKeyIdentifier = keyid\n[top]\nbasicConstraints = critical,CA:true\nkeyUsage = keyCertSign,cRLSign\n\
                      subjectKeyIdentifier = hash\n[req]\ndistinguished_name = name\n[name]\n";
        for (name, text) in
            [("config", config), ("index", ""), ("serial", "1000\n"), ("serial-of-lists", "1000\n")]
        {
            std::fs::write(authority.directory.join(name), text).unwrap();
        }
        authority.openssl(&[
            "req",
            "-x509",
            "-config",
            "config",
            "-extensions",
            "top",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=top",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
        ]);
        Ok(authority)
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let _ = run(command.current_dir(&self.directory).args(arguments)).expect_success();
    }

    fn client(&self, name: &str) -> Client<'d> {
        let (key, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req",
            "-config",
            "config",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        self.openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            "config",
            "-in",
            &request,
            "-out",
            &certificate,
        ]);
        Client { d: self.d, path: self.directory.join(name).to_string_lossy().into_owned() }
    }

    fn revoke(&self, client: &Client) {
        self.openssl(&["ca", "-config", "config", "-revoke", &format!("{}.crt", client.path)]);
        self.openssl(&["ca", "-config", "config", "-gencrl", "-out", "ca.crl"]);
        std::fs::copy(self.directory.join("ca.crl"), self.d.lxd_dir().join("ca.crl")).unwrap();
    }
}

#[test]
fn with_an_authority_only_its_clients_are_trusted() {
    let d = daemon!(without_image());
    let stranger = or_skip!(Client::new(&d, "stranger"));
    let authority = or_skip!(Authority::new(&d));
    let (one, two) = (authority.client("one"), authority.client("two"));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1"]);
    for client in [&stranger, &one] {
        d.lxc_ok(&["config", "trust", "add", &format!("{}.crt", client.path)]);
        assert_eq!(client.auth("127.0.0.1:8443"), "trusted");
    }
    std::fs::copy(authority.directory.join("ca.crt"), d.lxd_dir().join("server.ca")).unwrap();
    assert_eq!(stranger.auth("127.0.0.1:8443"), "untrusted", "nobody vouches for it");
    assert_eq!(one.auth("127.0.0.1:8443"), "trusted");
    assert_eq!(two.auth("127.0.0.1:8443"), "untrusted", "it is not in the list");
    d.lxc_ok(&["config", "set", "core.trust_ca_certificates", "true"]);
    assert_eq!(two.auth("127.0.0.1:8443"), "trusted");
    // What is open ends with the trust.
    let listens = two.listens("127.0.0.1:8443");
    testkit::eventually("it listens to events", || d.log().contains("/1.0/events").then_some(()));
    d.lxc_ok(&["config", "unset", "core.trust_ca_certificates"]);
    let heard = listens.wait(std::time::Duration::from_secs(60));
    assert!(heard.text().contains("101 Switching"), "{heard:?}");
    assert_eq!(two.auth("127.0.0.1:8443"), "untrusted");
    d.lxc_ok(&["config", "set", "core.trust_ca_certificates", "true"]);
    authority.revoke(&one);
    assert_eq!(one.auth("127.0.0.1:8443"), "untrusted", "it was revoked");
    assert_eq!(two.auth("127.0.0.1:8443"), "trusted");
    std::fs::write(d.lxd_dir().join("ca.crl"), "nonsense").unwrap();
    assert_eq!(two.auth("127.0.0.1:8443"), "untrusted");
}

#[test]
fn browsers_are_told_about_origins_and_strange_pages_change_nothing() {
    let d = daemon!(without_image());
    let client = or_skip!(Client::new(&d, "client"));
    d.lxc_ok(&["config", "set", "core.https_address", "127.0.0.1"]);
    d.lxc_ok(&["config", "trust", "add", &format!("{}.crt", client.path)]);
    let url = "https://127.0.0.1:8443/1.0";
    let patch = |origin: &str| {
        let origin = format!("Origin: {origin}");
        let json = r#"{"config": {"user.mark": "1"}}"#;
        client.json(&[url, "-X", "PATCH", "-d", json, "-H", &origin])["error_code"].clone()
    };
    assert_eq!(patch("https://evil.example"), 403);
    assert_eq!(d.lxc_ok(&["config", "get", "user.mark"]).trim(), "");
    assert_eq!(patch("https://127.0.0.1:8443"), 0);
    let preflight =
        || client.curl(&["-i", "-X", "OPTIONS", url, "-H", "Origin: https://ui.example"]).to_lowercase();
    assert!(!preflight().contains("access-control"));
    for (key, value) in [
        ("core.https_allowed_origin", "https://ui.example"),
        ("core.https_allowed_methods", "GET, PATCH"),
        ("core.https_allowed_headers", "Content-Type"),
        ("core.https_allowed_credentials", "true"),
    ] {
        d.lxc_ok(&["config", "set", key, value]);
    }
    let told = preflight();
    for line in [
        "http/1.1 200",
        "access-control-allow-origin: https://ui.example",
        "access-control-allow-methods: get, patch",
        "access-control-allow-headers: content-type",
        "access-control-allow-credentials: true",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(patch("https://ui.example"), 0);
    assert_eq!(patch("https://evil.example"), 403);
}

#[test]
fn init_opens_the_listener() {
    let d = daemon!(TestDaemon::builder().uninitialised());
    or_skip!(needs("curl"));
    let auto = ["init", "--auto", "--network-address", "127.0.0.1", "--network-port", "9443"];
    let _ = run(d.lxd_command().args(auto).args(["--trust-password", "secret"])).expect_success();
    assert_eq!(guest(&d, &["https://127.0.0.1:9443/1.0"]).0, 200);
    assert_eq!(d.lxc_ok(&["config", "get", "core.trust_password"]).trim(), "true");
    let without = run(d.lxd_command().args(["init", "--auto", "--network-port", "9443"]));
    assert!(without.errors().contains("--network-address"), "{without:?}");
    let preseed = "config:\n  core.https_address: 127.0.0.1:9444\n  images.auto_update_interval: 15\n";
    let _ = testkit::run_with_input(d.lxd_command().args(["init", "--preseed"]), preseed.as_bytes())
        .expect_success();
    assert_eq!(guest(&d, &["https://127.0.0.1:9444/1.0"]).0, 200);
    let broken = "config:\n  core.https_address: 127.0.0.1:9445\nprofiles:\n- name: default\n  config:\n    no.such: x\n";
    let refused = testkit::run_with_input(d.lxd_command().args(["init", "--preseed"]), broken.as_bytes());
    assert!(!refused.status.success());
    assert_eq!(guest(&d, &["https://127.0.0.1:9444/1.0"]).0, 200, "it is where it was");
}

/// A connection that stays open.
struct Open(std::process::Child);

impl Open {
    fn new(client: &Client, port: u16) -> Self {
        let mut command = client.d.inside("openssl");
        command.args(["s_client", "-quiet", "-no_ign_eof", "-connect", &format!("127.0.0.1:{port}")]);
        command.args(["-cert", &format!("{}.crt", client.path), "-key", &format!("{}.key", client.path)]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// The first line of the answer; the rest of it is read too.
    fn ask(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: lxd\r\n\r\n");
        self.0.stdin.as_mut().unwrap().write_all(request.as_bytes()).unwrap();
        let mut answer = BufReader::new(self.0.stdout.as_mut().unwrap());
        let (mut status, mut length) = (String::new(), 0);
        answer.read_line(&mut status).unwrap();
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        answer.read_exact(&mut vec![0; length]).unwrap();
        status
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
