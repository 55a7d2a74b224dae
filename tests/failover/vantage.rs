//! Looks from a host over SSH and through the application over HTTP: what each place hears, and that nothing
//! heard is never down.

use crate::bench::Bench;
use crate::sshd::Sshd;
use relight::tasks::vantage::{Look, State, View, Watched, look_around};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Takes connections as PostgreSQL does: says one letter to whoever asks for TLS, or nothing.
struct Listener(u16);

impl Listener {
    fn new(word: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = move |mut line: TcpStream| {
            let mut asked = [0; 8];
            if line.read_exact(&mut asked).is_ok() {
                let _ = line.write_all(word);
            }
            // Stays open until the other end goes.
            let _ = line.read(&mut asked);
        };
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|line| drop(std::thread::spawn(move || answer(line))));
        });
        Self(port)
    }
}

/// An application that answers with the status that is set; 0: it takes the question and is silent.
fn application(status: &Arc<AtomicU16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let status = Arc::clone(status);
    std::thread::spawn(move || {
        for mut line in listener.incoming().flatten() {
            let status = status.load(Ordering::Relaxed);
            std::thread::spawn(move || {
                let mut asked = [0; 4096];
                let _ = line.read(&mut asked);
                if status == 0 {
                    let _ = line.read(&mut asked);
                } else {
                    let _ = write!(line, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                }
            });
        }
    });
    format!("http://127.0.0.1:{port}/health")
}

fn bench(port: u16) -> (Bench, Sshd) {
    let dir = tempfile::Builder::new().prefix("rl-").tempdir().unwrap();
    let sshd = Sshd::start(dir.path());
    let more = format!(
        "[[servers]]\nid = \"alpha\"\nhost = \"127.0.0.1\"\nport = {port}\nvantage = [\"far\"]\n\
         [[hosts]]\nid = \"far\"\nvia = \"ssh\"\naddress = \"127.0.0.1\"\nport = {}\nkey = \"key\"\nknown_hosts = \"known_hosts\"\n",
        sshd.port
    );
    (Bench::in_folder(&more, dir), sshd)
}

async fn look(bench: &Bench, url: Option<&str>) -> Look {
    let watched = Watched::of(&bench.cx, &"alpha".into(), None, url).unwrap();
    look_around(&bench.cx, &watched).await.unwrap().look
}

fn from<'a>(look: &'a Look, place: &str) -> &'a View {
    look.views.iter().find(|view| view.from == place).unwrap_or_else(|| panic!("{look}"))
}

#[tokio::test]
async fn a_host_over_ssh_tells_up_down_and_silent_apart() {
    let (bench, _sshd) = bench(Listener::new(b"N").0);
    let seen = look(&bench, None).await;
    assert_eq!((from(&seen, "host far").state, seen.state()), (State::Up, State::Up), "{seen}");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (bench, _sshd) = self::bench(closed);
    let seen = look(&bench, None).await;
    let far = from(&seen, "host far");
    assert_eq!((far.state, far.words.as_str()), (State::Down, "refuses connections: nothing listens there"));
    assert_eq!(seen.state(), State::Down, "{seen}");

    let (bench, _sshd) = self::bench(Listener::new(b"").0);
    let seen = look(&bench, None).await;
    let far = from(&seen, "host far");
    assert_eq!((far.state, far.words.as_str()), (State::Unknown, "it takes connections there and says nothing"));
    assert_eq!(seen.state(), State::Unknown, "silence is not down: {seen}");
}

#[tokio::test]
async fn a_host_that_cannot_be_asked_or_has_another_key_is_unknown() {
    let (bench, mut sshd) = bench(Listener::new(b"").0);
    sshd.reinstall();
    let seen = look(&bench, None).await;
    let far = from(&seen, "host far");
    assert_eq!(far.state, State::Unknown, "{seen}");
    assert!(far.words.starts_with("could not look: "), "{seen}");
    drop(sshd);
    let seen = look(&bench, None).await;
    assert_eq!((from(&seen, "host far").state, seen.state()), (State::Unknown, State::Unknown), "{seen}");
}

#[tokio::test]
async fn the_application_speaks_for_the_database_only_with_an_answer_of_its_own() {
    let status = Arc::new(AtomicU16::new(200));
    let url = application(&status);
    let (bench, _sshd) = bench(Listener::new(b"").0);
    for (said, state) in [(200, State::Up), (503, State::Down), (404, State::Unknown), (302, State::Unknown)] {
        status.store(said, Ordering::Relaxed);
        let seen = look(&bench, Some(&url)).await;
        assert_eq!(from(&seen, "the application").state, state, "{said}: {seen}");
    }
    // Up by hearsay alone is no answer of the server.
    status.store(200, Ordering::Relaxed);
    assert_eq!(look(&bench, Some(&url)).await.state(), State::Unknown);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let seen = look(&bench, Some(&format!("http://127.0.0.1:{gone}/"))).await;
    assert_eq!((from(&seen, "the application").state, seen.state()), (State::Unknown, State::Unknown), "{seen}");
    status.store(0, Ordering::Relaxed);
    let asked = tokio::time::timeout(Duration::from_mins(1), look(&bench, Some(&url))).await.unwrap();
    assert_eq!((from(&asked, "the application").state, asked.state()), (State::Unknown, State::Unknown), "{asked}");
}
