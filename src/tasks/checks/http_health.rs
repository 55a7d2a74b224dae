//! `http.health`: asks an application until it answers well, or the time is over.

use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::Patience;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct HttpHealth;

static SPEC: ModuleSpec = ModuleSpec {
    name: "http.health",
    summary: "Ask an HTTP address until it answers 2xx",
    effect: Effect::Observe,
    inputs: &[
        InputSpec {
            name: "url",
            kind: InputKind::Text,
            required: false,
            help: "http:// or https:// address; without one nobody is asked, and the output says so",
        },
        InputSpec {
            name: "within",
            kind: InputKind::Text,
            required: false,
            help: "How long to go on asking, such as 2m; default 2m",
        },
    ],
    outputs: &["status", "attempts", "application"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

/// What is told where no address is configured.
pub const NOT_ASKED: &str = "not asked: no health_url is configured for this asset";
const PAUSE: Duration = Duration::from_secs(2);
const ONE_CALL: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for HttpHealth {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let asking = async {
            let input: Input = read(input)?;
            let mut patience = Patience::new(cx, input.within.as_deref(), PAUSE)?;
            let Some(url) = input.url.filter(|url| !url.is_empty()) else {
                cx.feed.line(NOT_ASKED);
                return Ok(values(json!({ "status": null, "attempts": 0, "application": NOT_ASKED })));
            };
            let (status, attempts) = ask(cx, &url, &mut patience).await?;
            let answered = format!("answered {status} after {attempts} attempts");
            Ok(values(json!({ "status": status, "attempts": attempts, "application": answered })))
        };
        settle(asking.await)
    }
}

/// Asks until 2xx. Returns the status and how often it was asked. A redirect is not a healthy answer: the
/// address itself must answer.
pub async fn ask(cx: &TaskContext, url: &str, patience: &mut Patience<'_>) -> Result<(u16, u32), Stop> {
    let client = client()?;
    let shown = escaped(url).into_owned();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let answer = tokio::select! {
            answer = client.get(url).send() => answer,
            reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
        };
        let what = match answer {
            Ok(answer) if answer.status().is_success() => return Ok((answer.status().as_u16(), attempts)),
            Ok(answer) => format!("answered {}", answer.status()),
            Err(error) if error.is_builder() => {
                return Err(Failure::new(format!("{shown} is not an address that can be asked: {}", chain(&error)))
                    .next("mend `health_url` in the configuration")
                    .into());
            }
            Err(error) => format!("did not answer: {}", chain(&error)),
        };
        if !patience.again(&format!("attempt {attempts}: {shown} {what}")).await? {
            let over = patience.within().as_secs();
            return Err(Failure::new(format!("{shown} {what}"))
                .means(format!("the application was not healthy in {attempts} attempts over {over}s"))
                .next("look at the application's log; retry, or take the last step back")
                .into());
        }
    }
}

/// Asks once, whatever the answer. A failure says that there was none.
pub async fn once(url: &str) -> Result<u16, Failure> {
    let answer = client()?.get(url).send().await.map_err(|error| Failure::new(chain(&error)))?;
    Ok(answer.status().as_u16())
}

fn client() -> Result<reqwest::Client, Failure> {
    // Another part may have chosen the provider already; either is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(ONE_CALL)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("relight/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::new(format!("no HTTP client could be made: {}", chain(&error))))
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    escaped(&text).into_owned()
}
