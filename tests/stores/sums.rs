//! Checksums that an S3 server keeps, over real HTTP: told only when asked for, and only of the pinned object.

use crate::s3::{TestSecrets, config_at};
use relight::model::estate::StorePlace;
use relight::stores::s3::{S3Store, Waits};
use relight::stores::wrap::RetryPolicy;
use relight::stores::{ObjectSum, Store, StoreErrorKind, SumKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SHA256: &str = "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=";

async fn answer(mut socket: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if socket.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let mut head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: \"tag-1\"\r\nConnection: close\r\n".to_owned();
    if request.contains("x-amz-checksum-mode: enabled") {
        head.push_str(if request.starts_with("head /backups/parts") {
            "x-amz-checksum-type: COMPOSITE\r\nx-amz-checksum-crc32: y/Q5Jg==-2\r\n"
        } else if request.starts_with("head /backups/none") {
            ""
        } else {
            "x-amz-checksum-type: FULL_OBJECT\r\nx-amz-checksum-crc64nvme: rosUhgp5mIg=\r\n"
        });
        if request.starts_with("head /backups/whole") {
            head.push_str(&format!("x-amz-checksum-sha256: {SHA256}\r\n"));
        }
    }
    let _ = socket.write_all(format!("{head}\r\n").as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sums_of_a_server_are_read_as_what_they_are() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket));
        }
    });
    let config = config_at(&endpoint, "s3", "");
    let StorePlace::S3(place) = &config.place else { panic!("no bucket") };
    let waits = Waits { connect: Duration::from_secs(5), attempt: Duration::from_secs(20) };
    let store = S3Store::connect(&config.id, place, &TestSecrets, waits, RetryPolicy::default()).await.unwrap();
    let pin = store.head("whole").await.unwrap().pin();
    let sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
    let whole = |kind, hex: &str| ObjectSum::Whole { kind, hex: hex.to_owned() };
    assert_eq!(
        store.sums("whole", &pin).await.unwrap(),
        [whole(SumKind::Sha256, sha256), whole(SumKind::Crc64Nvme, "ae8b14860a799888")]
    );
    assert_eq!(store.sums("parts", &pin).await.unwrap(), [ObjectSum::Composite { kind: SumKind::Crc32 }]);
    assert_eq!(store.sums("none", &pin).await.unwrap(), []);
    let mut other = pin;
    other.etag = Some("tag-0".to_owned());
    assert_eq!(store.sums("whole", &other).await.unwrap_err().kind, StoreErrorKind::Changed);
    server.abort();
}
