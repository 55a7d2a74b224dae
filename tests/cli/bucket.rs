//! What `relight doctor` tells of buckets: what protects backups in them, and which of their rules remove what
//! retention keeps.

use super::moto::{Moto, direct};
use super::program::{Sandbox, json};
use super::proxy::{Fault, Proxy};
use super::s3::{BUCKET, KEY, S3Fixture, SECRET};
use serde_json::Value;

fn sandbox(endpoint: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let config = format!(
        r#"
[estate]
name = "buckets"
environment = "test"

[[stores]]
id = "s3"
type = "s3"
bucket = "{BUCKET}"
prefix = "prod"
region = "us-east-1"
endpoint = "{endpoint}"
force_path_style = true
access_key_id = "{KEY}"
secret_access_key = {{ env = "RELIGHT_TEST_SECRET" }}

[[assets]]
id = "orders"
kind = "files"

  [[assets.sources]]
  store = "s3"
  match = "daily/orders_{{time:%Y%m%d_%H%M%S}}.tar"
  kind = "full"
  retention = {{ daily = 30, yearly = 7 }}
"#
    );
    sandbox.write("relight.toml", config);
    sandbox
}

/// The checks about buckets.
fn told(sandbox: &Sandbox) -> Vec<Value> {
    let mut command = sandbox.relight(&["doctor", "--json"]);
    command.env("RELIGHT_TEST_SECRET", SECRET);
    let document = json(&command.assert());
    let checks = document["checks"].as_array().unwrap().clone();
    checks.into_iter().filter(|check| check["subject"] == "bucket").collect()
}

async fn set(server: &Moto, what: &str, body: &str) {
    let answer =
        direct().put(format!("{}/{BUCKET}?{what}", server.endpoint())).body(body.to_owned()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

fn rule(id: &str, prefix: &str, acts: &str) -> String {
    format!("<Rule><ID>{id}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>{acts}</Rule>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_forgets_is_told_and_so_is_a_rule_that_removes_what_is_kept() {
    let server = Moto::start(BUCKET).await;
    let proxy = Proxy::start(server.address()).await;
    // The server gives this answer another name than S3 does.
    proxy.always("GET", "?versioning", Fault::Instead("GetBucketVersioningResponse", "VersioningConfiguration"));
    let sandbox = sandbox(&proxy.endpoint());
    let bare = told(&sandbox);
    assert_eq!((bare.len(), &bare[0]["verdict"]), (1, &Value::from("warning")), "{bare:?}");
    let detail = bare[0]["detail"].as_str().unwrap();
    assert!(detail.contains("keeps no versions; no object lock"), "{detail}");
    assert!(bare[0]["next"].as_str().unwrap().contains("erase every backup for good"), "{bare:?}");

    set(&server, "versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").await;
    let archive = "<Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition>";
    let removes = |days: u32| format!("<Expiration><Days>{days}</Days></Expiration>");
    let rules = [
        rule("fine", "prod/daily/", &format!("{archive}{}", removes(3000))),
        rule("early", "prod/", &removes(400)),
        rule("elsewhere", "test/", &removes(1)),
        rule("beside", "prod/hourly/", &removes(2)),
    ];
    set(&server, "lifecycle", &format!("<LifecycleConfiguration>{}</LifecycleConfiguration>", rules.concat())).await;
    let found = told(&sandbox);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0]["verdict"], "ok");
    let detail = found[0]["detail"].as_str().unwrap();
    for said in [
        "keeps versions",
        "below `daily/`: moves to GLACIER after 90 days, removes after 3000 days",
        "all: removes after 400 days",
    ] {
        assert!(detail.contains(said), "{said}: {detail}");
    }
    assert!(!detail.contains("after 1 days"), "what lies outside of the store's prefix is not its matter: {detail}");
    assert_eq!(found[1]["verdict"], "warning");
    let detail = found[1]["detail"].as_str().unwrap();
    assert!(detail.starts_with("rule `early`") && detail.contains("orders goes back 2562 days"), "{detail}");

    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                <Mode>COMPLIANCE</Mode><Days>35</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    let copies = "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Destination>\
                  <Bucket>arn:aws:s3:::far-away</Bucket></Destination></Rule></ReplicationConfiguration>";
    let by = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms\
              </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    for (what, answer) in [("?object-lock", lock), ("?replication", copies), ("?encryption", by)] {
        proxy.always("GET", what, Fault::Answer(200, vec![], answer.to_owned()));
    }
    let found = told(&sandbox);
    let detail = found[0]["detail"].as_str().unwrap();
    let said = "keeps versions; object lock: COMPLIANCE, 35 days; encrypts by aws:kms; copies to far-away; below";
    assert!(detail.starts_with(said), "{detail}");

    // What the keys may not see is said, and taken for neither.
    proxy.reset();
    proxy.always("GET", "?versioning", Fault::denied());
    let found = told(&sandbox);
    assert_eq!(found[0]["verdict"], "unknown", "{found:?}");
    assert!(found[0]["detail"].as_str().unwrap().contains("not told: versions (AccessDenied)"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_nothing_of_the_kind_is_not_asked_twice_nor_blamed() {
    let fixture = S3Fixture::start().await;
    assert_eq!(told(&sandbox(&fixture.server.endpoint())), [Value::Null; 0]);
}
