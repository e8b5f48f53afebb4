//! `lxc exec` and `lxc console`: streams, exit codes, signals, broken pipes.

mod fake;

use fake::{Fake, Say, Socket, background, error, operation, sync, sync_response};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

/// What a pretended command does with its streams; returns its exit status.
type Program = fn(Streams) -> std::pin::Pin<Box<dyn Future<Output = i32> + Send>>;

/// The server's ends.
struct Streams {
    control: Socket,
    stdin: Socket,
    stdout: Option<Socket>,
    stderr: Option<Socket>,
    notes: Arc<Mutex<Vec<String>>>,
}

/// A daemon whose containers run `program`.
fn daemon(program: Program) -> (Fake, Arc<Mutex<Vec<String>>>) {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let (sockets, arrived) = mpsc::unbounded_channel::<(String, Socket)>();
    let (ended, end) = oneshot::channel();
    let end = Mutex::new(Some(end));
    let start = Mutex::new(Some((arrived, ended, Arc::clone(&notes))));
    let fake = Fake::start(move |seen| match seen.path.rsplit('/').next().unwrap() {
        "exec" | "console" => {
            let interactive = seen.path.ends_with("console") || seen.json()["interactive"] == json!(true);
            let (arrived, ended, notes) = start.lock().unwrap().take().unwrap();
            tokio::spawn(run(program, interactive, arrived, ended, notes));
            let keys: &[&str] = if interactive { &["0", "control"] } else { &["0", "1", "2", "control"] };
            let fds: serde_json::Map<_, _> =
                keys.iter().map(|&k| (k.to_owned(), format!("s{k}").into())).collect();
            background(json!({ "fds": fds }), json!({}))
        }
        "websocket" => {
            let secret = seen.query.strip_prefix("secret=s").unwrap().to_owned();
            let sockets = sockets.clone();
            Say::Websocket(Box::new(move |socket| {
                let _ = sockets.send((secret, socket));
                Box::pin(async {})
            }))
        }
        "wait" => Say::Later(end.lock().unwrap().take().unwrap()),
        _ => error(404, "not found"),
    });
    (fake, notes)
}

async fn run(
    program: Program,
    interactive: bool,
    mut arrived: mpsc::UnboundedReceiver<(String, Socket)>,
    ended: oneshot::Sender<hyper::Response<http_body_util::Full<hyper::body::Bytes>>>,
    notes: Arc<Mutex<Vec<String>>>,
) {
    let mut sockets = std::collections::BTreeMap::new();
    while sockets.len() < if interactive { 2 } else { 4 } {
        let (key, socket) = arrived.recv().await.unwrap();
        sockets.insert(key, socket);
    }
    let streams = Streams {
        control: sockets.remove("control").unwrap(),
        stdin: sockets.remove("0").unwrap(),
        stdout: sockets.remove("1"),
        stderr: sockets.remove("2"),
        notes,
    };
    let status = program(streams).await;
    let _ = ended.send(sync_response(&operation(200, json!({ "return": status }), json!({}))));
}

async fn end(socket: &mut Socket) {
    socket.send(Message::text("")).await.unwrap();
    socket.close(None).await.unwrap();
}

#[test]
fn binary_data_comes_back_unchanged_and_the_exit_status_is_the_commands() {
    // Echoes what it reads in frames of odd sizes, pings in between, until the end marker.
    let (fake, _) = daemon(|mut streams| {
        Box::pin(async move {
            let (mut out, mut err) = (streams.stdout.unwrap(), streams.stderr.unwrap());
            while let Some(Ok(Message::Binary(data))) = streams.stdin.next().await {
                for piece in data.chunks(70_001) {
                    out.send(Message::binary(piece.to_vec())).await.unwrap();
                }
                out.send(Message::Ping(vec![1].into())).await.unwrap();
            }
            err.send(Message::binary(&b"to stderr"[..])).await.unwrap();
            end(&mut out).await;
            end(&mut err).await;
            7
        })
    });
    let data: Vec<u8> = (0..8 << 20_u32).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut child = fake
        .command(&["exec", "c1", "--env", "A=b", "--cwd", "/srv", "--", "cat", "-u"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = data.clone();
    let feeder = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(output.stdout == data, "{} bytes came back of {}", output.stdout.len(), data.len());
    assert_eq!(output.stderr, b"to stderr");
    let request = fake.find("POST /1.0/containers/c1/exec").json();
    assert_eq!(request["command"], json!(["cat", "-u"]));
    assert_eq!(request["environment"], json!({"A": "b"}));
    assert_eq!((&request["cwd"], &request["interactive"]), (&json!("/srv"), &json!(false)));
}

#[test]
fn signals_reach_the_command_and_its_death_is_told() {
    let (fake, notes) = daemon(|mut streams| {
        Box::pin(async move {
            let mut out = streams.stdout.unwrap();
            out.send(Message::binary(&b"ready\n"[..])).await.unwrap();
            let mut last = 0;
            while last != 15 {
                let Some(Ok(Message::Text(text))) = streams.control.next().await else { break };
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                streams.notes.lock().unwrap().push(message["command"].as_str().unwrap().to_owned());
                last = message["signal"].as_i64().unwrap();
                out.send(Message::binary(format!("{last}\n").into_bytes())).await.unwrap();
            }
            end(&mut out).await;
            end(&mut streams.stderr.unwrap()).await;
            128 + 15
        })
    });
    let mut child = fake.command(&["exec", "c1", "sleep", "100"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let pid = rustix::process::Pid::from_child(&child);
    for (signal, number) in [
        (rustix::process::Signal::USR1, "10"),
        (rustix::process::Signal::HUP, "1"),
        (rustix::process::Signal::INT, "2"),
        (rustix::process::Signal::TERM, "15"),
    ] {
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), number);
    }
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(*notes.lock().unwrap(), ["signal"; 4]);
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let (fake, notes) = daemon(|mut streams| {
        Box::pin(async move {
            let mut out = streams.stdout.unwrap();
            let notes = Arc::clone(&streams.notes);
            let control = async {
                // Neither a close frame nor a message: the connection is cut.
                let cut = !matches!(streams.control.next().await, Some(Ok(_)));
                notes.lock().unwrap().push(format!("cut: {cut}"));
            };
            let yes = async { while out.send(Message::binary(vec![b'y'; 65_536])).await.is_ok() {} };
            tokio::join!(control, yes);
            137
        })
    });
    let mut child = fake.command(&["exec", "c1", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141));
    for _ in 0..500 {
        if !notes.lock().unwrap().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(*notes.lock().unwrap(), ["cut: true"]);
}

#[test]
fn an_idle_standard_input_does_not_keep_the_client() {
    let (fake, _) = daemon(|streams| {
        Box::pin(async move {
            end(&mut streams.stdout.unwrap()).await;
            end(&mut streams.stderr.unwrap()).await;
            137
        })
    });
    let mut child = fake.command(&["exec", "c1", "true"]).stdin(Stdio::piped()).spawn().unwrap();
    let _never_closed = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(137));
}

#[test]
fn no_standard_input_is_an_immediate_end() {
    let (fake, notes) = daemon(|mut streams| {
        Box::pin(async move {
            let first = streams.stdin.next().await;
            streams.notes.lock().unwrap().push(format!("{first:?}"));
            end(&mut streams.stdout.unwrap()).await;
            end(&mut streams.stderr.unwrap()).await;
            0
        })
    });
    let mut child = fake.command(&["exec", "c1", "-n", "cat"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"not read").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(notes.lock().unwrap()[0].contains("Text"), "{notes:?}");
}

#[test]
fn a_terminal_has_one_stream_and_knows_its_term() {
    let (fake, _) = daemon(|mut streams| {
        Box::pin(async move {
            let Some(Ok(Message::Binary(typed))) = streams.stdin.next().await else { return 1 };
            streams.stdin.send(Message::binary([&b"got "[..], &typed].concat())).await.unwrap();
            end(&mut streams.stdin).await;
            3
        })
    });
    let mut child = fake
        .command(&["exec", "c1", "-t", "--", "sh"])
        .env("TERM", "vt100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"keys").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"got keys"[..]));
    let request = fake.find("POST /1.0/containers/c1/exec").json();
    assert_eq!(request["environment"], json!({"TERM": "vt100"}));
    assert_eq!(request["interactive"], json!(true));
}

#[test]
fn the_console_is_left_with_ctrl_a_q() {
    let (fake, notes) = daemon(|mut streams| {
        Box::pin(async move {
            streams.stdin.send(Message::binary(&b"login: "[..])).await.unwrap();
            let Some(Ok(Message::Binary(typed))) = streams.stdin.next().await else { return 1 };
            let close = streams.control.next().await;
            let notes = [format!("{typed:?}"), format!("{close:?}")];
            streams.notes.lock().unwrap().extend(notes);
            0
        })
    });
    let mut child =
        fake.command(&["console", "c1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    assert_eq!(line, "To detach from the console, press: <ctrl>+a q\r\n");
    let mut prompt = [0; 7];
    shown.read_exact(&mut prompt).unwrap();
    stdin.write_all(b"root\x01q").unwrap();
    assert!(child.wait().unwrap().success());
    for _ in 0..500 {
        if notes.lock().unwrap().len() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let notes = notes.lock().unwrap();
    assert_eq!(notes[0], "b\"root\"");
    assert!(notes[1].contains("Normal") && notes[1].contains("Detaching from console"), "{}", notes[1]);
}

#[test]
fn refusals_are_one_line() {
    let fake = Fake::start(|_| error(400, "Container is not running."));
    assert_eq!(fake.fails(&["exec", "c1", "true"]), "Error: Container is not running.\n");
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "POST" => background(json!({"fds": {"0": "a"}}), json!({})),
        _ => sync(json!({})),
    });
    assert!(fake.fails(&["exec", "c1", "true"]).contains("secret"));
}
