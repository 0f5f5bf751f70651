//! Requests without an answer, over real sockets: which of them can have left.

use std::time::Duration;

use heliostat_node::{Access, Unanswered, access::AccessOptions};
use reqwest::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    client, pinned,
    server::{Authority, Server},
};

/// What a server does with each connection.
#[derive(Clone, Copy)]
enum Deed {
    /// Closes it and reads nothing.
    Close,
    /// Reads the request, then closes it.
    ReadAndClose,
    /// Answers no TLS, whatever it is told.
    NoTls,
    /// Half a head of an answer.
    Break,
}

async fn serve(deed: Deed) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(act(deed, stream));
        }
    });
    (address, AbortOnDropHandle::new(task))
}

async fn act(deed: Deed, mut stream: TcpStream) {
    if let Deed::Close = deed {
        return;
    }
    let mut request = vec![0; 64 << 10];
    let _read = stream.read(&mut request).await;
    let said: &[u8] = match deed {
        Deed::NoTls => b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        Deed::Break => b"HTTP/1.1 200 O",
        Deed::Close | Deed::ReadAndClose => b"",
    };
    let _gone = stream.write_all(said).await;
}

/// Why a POST to this address has no answer.
async fn post(client: &Client, url: &str) -> Unanswered {
    let sent = client.post(url).body("a write").send().await;
    let error = sent.expect_err("there is no answer");
    Unanswered::of_reqwest(error)
}

fn not_sent(why: Unanswered, words: &str) {
    match why {
        Unanswered::NotSent(said) => assert!(said.contains(words), "{said}"),
        Unanswered::Lost(said) => panic!("it cannot have left: {said}"),
    }
}

fn lost(why: &Unanswered) {
    assert!(
        matches!(why, Unanswered::Lost(_)),
        "it may have left: {why:?}"
    );
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let client = client(&Access::open_to_all());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    not_sent(post(&client, &format!("http://{closed}/")).await, "refused");
    // No name server has to be asked for what is no name.
    not_sent(post(&client, "http://not..a..name:1/").await, "");
}

#[tokio::test]
async fn without_tls_that_holds_nothing_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::start(&ours, None).await;
    let access = Access::open(&pinned(folder.path(), &other)).unwrap();
    let why = post(&client(&access), &server.url()).await;
    not_sent(why, "its certificate is not trusted here");
    let access = Access::open(&AccessOptions::default()).unwrap();
    let why = post(&client(&access), &server.url()).await;
    not_sent(why, "its certificate is not trusted here");
    assert!(server.requests().is_empty());

    for deed in [Deed::NoTls, Deed::Close, Deed::ReadAndClose] {
        let (address, _task) = serve(deed).await;
        not_sent(
            post(&client(&access), &format!("https://{address}/")).await,
            "",
        );
    }
}

#[tokio::test]
async fn over_a_connection_that_ends_it_may_have_left() {
    let client = client(&Access::open_to_all());
    for deed in [Deed::Close, Deed::ReadAndClose, Deed::Break] {
        let (address, _task) = serve(deed).await;
        for _ in 0..20 {
            lost(&post(&client, &format!("http://{address}/")).await);
        }
    }
}

#[tokio::test]
async fn a_time_out_counts_as_sent_unless_there_was_no_connection_yet() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let soon = Duration::from_millis(50);
    let client = Client::builder().no_proxy().timeout(soon).build().unwrap();
    lost(&post(&client, &format!("http://{address}/")).await);
    let connecting = Client::builder().no_proxy().connect_timeout(soon);
    let connecting = connecting.build().unwrap();
    // It accepts and then does not shake hands.
    not_sent(post(&connecting, &format!("https://{address}/")).await, "");
}
