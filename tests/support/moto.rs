//! A private S3 server that knows what buckets of AWS know: parts, classes that must be thawed, versions, encryption.
//! `tests/all.sh` installs it, in the versions of `moto.txt`, into the build's folder for tests.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

pub struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// With one empty bucket.
    pub async fn start(bucket: &str) -> Self {
        // Another test of the same process may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto");
        assert!(installed.join("moto").is_dir(), "moto is not installed: run tests/all.sh once");
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let child = Command::new("python3")
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &address.port().to_string()])
            .env("PYTHONPATH", installed)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, address };
        let deadline = Instant::now() + PATIENCE;
        let made = format!("{}/{bucket}", server.endpoint());
        while !direct().put(&made).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(server.child.try_wait().unwrap().is_none() && Instant::now() < deadline, "moto does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        server
    }

    /// Puts an object of a class.
    pub async fn put(&self, path: &str, class: &str, bytes: &[u8]) {
        let put = direct().put(format!("{}/{path}", self.endpoint())).header("x-amz-storage-class", class);
        let answer = put.body(bytes.to_vec()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// From now on what is asked of an archive comes out after so many seconds. An object that is younger than that
    /// would come out at once: this waits until those that are there are old enough.
    pub async fn thaws_after(&self, seconds: u32) {
        let how = serde_json::json!({
            "model_name": "s3::keyrestore", "transition": { "progression": "time", "seconds": seconds }
        });
        let set = direct().post(format!("{}/moto-api/state-manager/set-transition", self.endpoint()));
        let answer = set.body(how.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        tokio::time::sleep(Duration::from_millis(u64::from(seconds) * 1000 + 200)).await;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Past any proxy that the environment names.
pub fn direct() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
