//! The protocol between daemon and keeper stays what it was: either side may be a release older.
//! Checklist of the runtime, line 9.

use model::runtime::protocol::{EventBody, Message, ReplyBody, Request, RequestBody, VERSION};
use serde_json::Value;
use std::collections::BTreeSet;

const RECORDED: &str = include_str!("keeper_protocol_v1.txt");

fn lines() -> impl Iterator<Item = (&'static str, Value)> {
    let lines = RECORDED.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (kind, json) = line.split_once(' ').expect("a kind and a message");
        (kind, serde_json::from_str(json).unwrap_or_else(|e| panic!("{line}: {e}")))
    })
}

/// What we understand of a message, as we would say it.
fn said_again(kind: &str, message: &Value) -> Value {
    let said = match kind {
        "request" => serde_json::from_value::<Request>(message.clone()).map(serde_json::to_value),
        "message" => serde_json::from_value::<Message>(message.clone()).map(serde_json::to_value),
        other => panic!("{other} is no kind of message"),
    };
    said.unwrap_or_else(|e| panic!("{message}: {e}")).expect("what was read can be written")
}

/// Everything of `old` is in `new`; there may be more.
fn contains(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| contains(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| contains(new, old))
        }
        (new, old) => new == old,
    }
}

/// Puts a field that nobody knows into every structure.
fn from_the_future(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: serde_json::Map<String, Value> =
                fields.iter().map(|(key, value)| (key.clone(), from_the_future(value))).collect();
            // An object with one field that begins with a capital letter is the choice of a kind.
            let is_choice = fields.len() == 1 && fields.keys().all(|k| k.starts_with(char::is_uppercase));
            if !is_choice {
                fields.insert("of_the_future".to_owned(), Value::from(1));
            }
            Value::Object(fields)
        }
        Value::Array(items) => Value::Array(items.iter().map(from_the_future).collect()),
        other => other.clone(),
    }
}

#[test]
fn what_version_1_says_is_understood_and_said_in_the_same_words() {
    assert_eq!(VERSION, 1, "messages are only added, so the version stays");
    for (kind, message) in lines() {
        let again = said_again(kind, &message);
        assert!(contains(&again, &message), "{message}\nbecame\n{again}");
    }
}

#[test]
fn fields_that_a_later_release_adds_are_passed_over() {
    for (kind, message) in lines() {
        let again = said_again(kind, &from_the_future(&message));
        assert!(contains(&again, &message), "{message}\nbecame\n{again}");
    }
}

/// Adding a kind of message is a compiler error here, until it has a name, and a failure, until a
/// line of it is recorded.
#[test]
fn every_kind_of_message_is_recorded() {
    let mut recorded = BTreeSet::new();
    for (kind, message) in lines() {
        if kind == "request" {
            let request: Request = serde_json::from_value(message).unwrap();
            recorded.insert(request_name(&request.body));
        } else {
            let message: Message = serde_json::from_value(message).unwrap();
            recorded.insert(match &message {
                Message::Reply { result: Ok(reply), .. } => reply_name(reply),
                Message::Reply { result: Err(_), .. } => "failure",
                Message::Event(event) => event_name(event),
            });
        }
    }
    let expected = REQUESTS.iter().chain(REPLIES).chain(EVENTS).chain(&["failure"]);
    let missing: Vec<_> = expected.filter(|name| !recorded.contains(*name)).collect();
    assert!(missing.is_empty(), "add a line for {missing:?}");
}

/// Numbers the kinds of an enumeration: the compiler says when one is missing.
macro_rules! names {
    ($list:ident, $function:ident, $type:ident: $($kind:ident)*) => {
        const $list: &[&str] = &[$(concat!(stringify!($type), "::", stringify!($kind))),*];
        fn $function(body: &$type) -> &'static str {
            match body { $($type::$kind { .. } => concat!(stringify!($type), "::", stringify!($kind)),)* }
        }
    };
}

names!(REQUESTS, request_name, RequestBody: Hello List Handles LastNetwork Start Proceed Abort Exec Files
    FilesOf Console ConsoleResize ConsoleLog Mount Unmount Forget Adopt Upgrade);
names!(REPLIES, reply_name, ReplyBody: Hello Containers ContainersInFile Handles Cloned Started Spawned
    Files Mounting Console ConsoleLog Done);
names!(EVENTS, event_name, EventBody: Exited ExecEnded);
