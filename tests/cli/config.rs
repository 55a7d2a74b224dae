//! What the program says about its configuration.

use super::program::{Sandbox, json, stderr, stdout};

const GOOD: &str = r#"
[estate]
name = "platform"
environment = "staging"
time_zone = "Europe/Berlin"

[[stores]]
id = "local"
type = "local"
path = "backups"

[[stores]]
id = "s3-primary"
type = "s3"
bucket = "platform-db-backups"
prefix = "/prod"
region = "us-east-1"
storage_class = "STANDARD_IA"
encryption = "aws:kms"
kms_key = "alias/backups"
access_key_id = "AKIAEXAMPLE"
secret_access_key = { env = "PLATFORM_S3_SECRET" }

[[servers]]
id = "db1"
host = "127.0.0.1"
password = { command = ["pass", "show", "db1"] }

[[assets]]
id = "platform-db"
kind = "postgresql"
tier = "critical"
rpo = "5m"
rto = "1h"
copies = { total = 3, media = 2, off_site = 1 }
server = "db1"
database = "platform"

  [[assets.sources]]
  store = "s3-primary"
  match = "full/full_{time:%Y%m%d_%H%M%S}/"
  kind = "full"
  schedule = "0 2 * * *"
  retention = { daily = 30, weekly = 12, monthly = 12, yearly = 7 }
  min_size = "1GB"
"#;

const BAD: &str = r#"
[estate]
name = "platform"
time_zone = "Europe/Berln"
owner = "me"

[[stores]]
id = "s3"
type = "s3"
bucket = "s3://backups/prod"
secret_access_key = "hunter2"
access_key_id = "AKIA"
regoin = "us-east-1"

[[stores]]
id = "s3"
type = "lokal"

[[servers]]
id = "db1"
host = "db"
port = 70000
password = "hunter2"

[[assets]]
id = "orders db"
kind = "postgres"
rpo = "5"
copies = { total = 1, media = 2 }

  [[assets.sources]]
  store = "s4"
  match = "/full_*"
  kind = "ful"
  every = "24h"
  schedule = "61 2 * * *"
  min_size = "big"

[ui]
theme = "drak"

[ui.keys]
rescna = "f5"
palette = ["ctrl-p", "entre"]
theme = "r"
"#;

#[test]
fn a_good_file_is_ok_and_is_read_as_written() {
    let sandbox = Sandbox::new();
    sandbox.write("relight.toml", GOOD);
    let mut command = sandbox.relight(&["config", "check"]);
    command.assert().success();
    let text = stdout(&mut command);
    assert_eq!(text, "relight.toml: ok, 2 stores and 1 asset\n");
}

#[test]
fn every_problem_comes_at_once_with_its_line_and_no_secret() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", BAD);
    let mut command = sandbox.relight(&["config", "check", "--config", "bad.toml"]);
    command.assert().code(78).stdout("");
    let text = stderr(&mut command);
    assert!(!text.contains("hunter2"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_class_that_could_not_be_read_back_is_refused() {
    let sandbox = Sandbox::new();
    for (from, to, said) in [
        ("STANDARD_IA", "DEEP_ARCHIVE", "a backup written as DEEP_ARCHIVE could not be read back and proven"),
        ("STANDARD_IA", "Standard IA", "must be a storage class, such as STANDARD_IA"),
        ("aws:kms", "AES256", "`kms_key` has no place here: only `encryption = \"aws:kms\"` uses"),
        ("aws:kms", "aes", "it can be `AES256`, `aws:kms`"),
    ] {
        sandbox.write("bad.toml", GOOD.replace(from, to));
        let mut command = sandbox.relight(&["config", "check", "--config", "bad.toml"]);
        command.assert().code(78);
        let text = stderr(&mut command);
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_service_has_one_manager_and_one_of_compose_fences_no_server() {
    let sandbox = Sandbox::new();
    let good = format!(
        "{GOOD}\n[[hosts]]\nid = \"box\"\nvia = \"local\"\n[[services]]\nid = \"api\"\nhost = \"box\"\n\
         compose = \"/srv/app/docker-compose.yml\"\ncompose_service = \"api\"\n"
    );
    let check = |text: &str, code| {
        sandbox.write("relight.toml", text);
        let mut command = sandbox.relight(&["config", "check"]);
        command.assert().code(code);
        stderr(&mut command)
    };
    check(&good, 0);
    let printed = stdout(sandbox.relight(&["config", "print"]).env("PLATFORM_S3_SECRET", "hunter2"));
    let printed: toml::Table = printed.parse().unwrap();
    assert_eq!(printed["services"][0]["program"], toml::Value::from(vec!["docker", "compose"]));
    for (from, to, why) in [
        ("compose_service = \"api\"", "compose_service = \"-api\"", "be a name as compose allows it"),
        ("compose_service = \"api\"", "", "compose_service"),
        ("compose_service = \"api\"", "compose_service = \"api\"\nunit = \"api.service\"", "by systemd or by compose"),
        ("compose = \"/srv/app/docker-compose.yml\"", "compose = \"app.yml\"", "be an absolute path on the host"),
        ("compose = \"/srv/app/docker-compose.yml\"", "unit = \"api.service\"", "belongs to a service of `compose`"),
    ] {
        let text = check(&good.replace(from, to), 78);
        assert!(text.contains(why), "{to}: {text}");
    }
    let home = "id = \"db1\"\nhost = \"127.0.0.1\"\n[servers.home]\nhost = \"box\"\ndata_dir = \"/data\"\nservice = \"api\"\n\
                [[servers]]\nid = \"db2\"\nhost = \"127.0.0.1\"\n";
    let text = check(&good.replace("id = \"db1\"\nhost = \"127.0.0.1\"\n", home), 78);
    assert!(text.contains("one of compose cannot be fenced"), "{text}");
}

#[test]
fn the_shipped_examples_are_good() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut examples = vec![root.join("relight.toml")];
    examples.extend(std::fs::read_dir(root.join("estates")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { path.join("relight.toml") } else { path }
    }));
    assert!(examples.len() > 1);
    for example in examples {
        let sandbox = Sandbox::new();
        let mut command = sandbox.relight(&["config", "check", "--config", example.to_str().unwrap()]);
        let text = stderr(&mut command);
        command.assert().success();
        assert_eq!(text, "");
    }
}

#[test]
fn the_file_is_found_by_flag_then_environment_then_folder() {
    let sandbox = Sandbox::new();
    let named = |name: &str| GOOD.replace("\"platform\"", &format!("{name:?}"));
    let printed = |command: &mut assert_cmd::Command| json(&command.assert().success())["estate"]["name"].clone();
    sandbox.write(".config/relight/relight.toml", named("home"));
    assert_eq!(printed(&mut sandbox.relight(&["config", "print", "--json"])), "home");
    sandbox.write("relight.toml", named("here"));
    assert_eq!(printed(&mut sandbox.relight(&["config", "print", "--json"])), "here");
    sandbox.write("variable.toml", named("variable"));
    let with_variable = |arguments: &[&str]| {
        let mut command = sandbox.relight(arguments);
        command.env("RELIGHT_CONFIG", "variable.toml");
        command
    };
    assert_eq!(printed(&mut with_variable(&["config", "print", "--json"])), "variable");
    sandbox.write("flag.toml", named("flag"));
    assert_eq!(printed(&mut with_variable(&["config", "print", "--json", "--config", "flag.toml"])), "flag");
    let mut gone = sandbox.relight(&["config", "check", "--config", "gone.toml"]);
    gone.assert().code(78);
    assert!(stderr(&mut gone).contains("gone.toml"));
}

#[test]
fn the_printed_meaning_is_toml_without_secrets_and_problems_have_a_document() {
    let sandbox = Sandbox::new();
    sandbox.write("relight.toml", GOOD);
    let text = stdout(sandbox.relight(&["config", "print"]).env("PLATFORM_S3_SECRET", "hunter2"));
    let printed: toml::Table = text.parse().unwrap();
    assert_eq!(printed["stores"][0]["place"]["path"].as_str(), sandbox.path().join("backups").to_str());
    assert!(!text.contains("hunter2"));

    sandbox.write("bad.toml", BAD);
    let mut command = sandbox.relight(&["config", "check", "--json", "--config", "bad.toml"]);
    let document = json(&command.assert().code(78));
    assert_eq!(document["schema"], "relight.config-check/1");
    assert_eq!(document["ok"], false);
    let first = &document["problems"][0];
    assert_eq!((&first["line"], &first["column"]), (&serde_json::json!(4), &serde_json::json!(13)));
    assert_eq!(document["problems"].as_array().unwrap().len(), 23);
}
