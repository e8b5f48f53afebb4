//! The two roles against each other in memory, and against others that lie, talk nonsense, stay silent or
//! leave.

use crate::message::{CriuType, FsType, MigrationControl, MigrationHeader, Snapshot};
use crate::{Error, Offer, Sink, Socket, Source, Streams};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Both ends of the streams of a migration.
async fn streams() -> (Streams, Streams) {
    let ((control, other_control), (fs, other_fs)) = (Socket::pair().await, Socket::pair().await);
    (Streams { control, fs }, Streams { control: other_control, fs: other_fs })
}

fn offer(names: &[&str]) -> Offer {
    let snapshot = |name: &&str| Snapshot { name: (*name).to_owned(), ..Snapshot::default() };
    Offer { snapshots: names.iter().map(snapshot).collect(), ..Offer::default() }
}

async fn answering(other: Streams, refresh: Option<Vec<String>>) -> Result<Sink, Error> {
    let mut sink = Sink::begin(other).await?;
    sink.answer(refresh).await?;
    Ok(sink)
}

#[tokio::test]
async fn both_agree_and_end_well() {
    let (one, other) = streams().await;
    let (source, sink) = tokio::join!(Source::begin(one, offer(&["a", "b"])), answering(other, None));
    let (source, sink) = (source.unwrap(), sink.unwrap());
    assert_eq!(source.wanted(), ["a", "b"]);
    assert_eq!(sink.offer().snapshot_names, ["a", "b"]);
    assert!(sink.removes() && !sink.comes_twice());
    let (finished, told) = tokio::join!(source.finish(), sink.finish());
    finished.unwrap();
    told.unwrap();
}

#[tokio::test]
async fn a_refresh_gets_what_is_missing() {
    let (one, other) = streams().await;
    let missing = Some(vec!["b".to_owned()]);
    let (source, sink) = tokio::join!(Source::begin(one, offer(&["a", "b"])), answering(other, missing));
    assert_eq!(source.unwrap().wanted(), ["b"]);
    sink.unwrap().fail("changed my mind").await;

    let (one, other) = streams().await;
    let unknown = Some(vec!["../../etc".to_owned()]);
    let (source, sink) = tokio::join!(Source::begin(one, offer(&["a"])), answering(other, unknown));
    assert!(matches!(source, Err(Error::Unoffered(_))));
    let reason = sink.unwrap().finish().await;
    assert!(reason.is_ok() || matches!(reason, Err(Error::Socket { .. })), "{reason:?}");
}

#[tokio::test]
async fn a_failure_brings_its_reason() {
    let (one, other) = streams().await;
    let (source, sink) = tokio::join!(Source::begin(one, offer(&[])), answering(other, None));
    let (failed, ()) = tokio::join!(source.unwrap().finish(), async { sink.unwrap().fail("no\nroom").await });
    let Err(Error::Peer(reason)) = failed else { panic!("{failed:?}") };
    assert_eq!(reason, "noroom", "nothing that changes a terminal");
}

/// What a source makes of the answer to its offer.
async fn source_hears(message: Message) -> Error {
    let (one, mut other) = streams().await;
    let say = async {
        let offer = other.control.0.next().await.unwrap().unwrap();
        assert!(matches!(offer, Message::Binary(_)));
        let _ = other.control.0.send(message).await;
        other
    };
    let (source, _other) = tokio::join!(Source::begin(one, offer(&[])), say);
    source.err().expect("an error")
}

/// What a sink makes of an offer.
async fn sink_hears(message: Message) -> Result<(), Error> {
    let (one, mut other) = streams().await;
    let say = async {
        let _ = other.control.0.send(message).await;
        other
    };
    let (sink, _other) = tokio::join!(
        async {
            let mut sink = Sink::begin(one).await?;
            sink.answer(None).await
        },
        say
    );
    sink
}

#[tokio::test]
async fn nonsense_is_told_apart() {
    let header = |fs: FsType| MigrationHeader { fs: fs.into(), ..MigrationHeader::default() };
    let binary = |bytes: Vec<u8>| Message::binary(bytes);
    let failure = MigrationControl { success: false, message: Some("no".into()) };
    assert!(matches!(source_hears(binary(vec![0xff; 20])).await, Error::Garbage(_)));
    assert!(matches!(source_hears(Message::text("hello")).await, Error::Unexpected { .. }));
    assert!(matches!(source_hears(Message::Close(None)).await, Error::Cut(_)));
    assert!(matches!(source_hears(binary(header(FsType::Zfs).encode_to_vec())).await, Error::Unoffered(_)));
    assert!(matches!(source_hears(binary(failure.encode_to_vec())).await, Error::Peer(_)));
    let success = MigrationControl { success: true, message: None };
    assert!(matches!(source_hears(binary(success.encode_to_vec())).await, Error::Unoffered(_)));
    // More than any message has.
    assert!(matches!(source_hears(binary(vec![0; 5 << 20])).await, Error::Socket { .. }));

    assert!(matches!(sink_hears(binary(failure.encode_to_vec())).await, Err(Error::Peer(_))));
    assert!(matches!(sink_hears(Message::Close(None)).await, Err(Error::Cut(_))));
    // A native stream can always be had as files; processes cannot.
    sink_hears(binary(header(FsType::Btrfs).encode_to_vec())).await.unwrap();
    let live = MigrationHeader { criu: Some(CriuType::Rsync.into()), ..header(FsType::Rsync) };
    assert!(matches!(sink_hears(binary(live.encode_to_vec())).await, Err(Error::Unoffered(_))));
}

#[tokio::test]
async fn who_stays_silent_is_waited_for_until_it_leaves() {
    let (one, other) = streams().await;
    let sink = Sink::begin(one);
    tokio::pin!(sink);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut sink).await.is_err());
    drop(other);
    assert!(sink.await.is_err());
}
