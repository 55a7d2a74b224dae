//! Servers that ask for a password, and a user of ours that is no superuser.

use crate::line::{Line, STEPS};
use crate::operator::at;
use crate::postgres::Cluster;
use crate::refusals::stopped_at;
use crate::scene::{Form, Place, Scene};
use crate::shop::Shop;
use relight::runbook::Answer;
use relight::runbook::state::{QuestionKind, RunStatus};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

const PASSWORD: &str = "correct horse ' battery";

/// `keeper` may do what a restore needs, and logs in with a password.
fn keeper(cluster: &Cluster) {
    let quoted = PASSWORD.replace('\'', "''");
    let roles = format!(
        "CREATE ROLE team; CREATE ROLE keeper LOGIN CREATEDB PASSWORD '{quoted}' IN ROLE pg_signal_backend, team"
    );
    cluster.sql("postgres", &roles);
    let file = cluster.sql("postgres", "SHOW hba_file");
    let rules = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("host all keeper 127.0.0.1/32 scram-sha-256\n{rules}")).unwrap();
    cluster.sql("postgres", "SELECT pg_reload_conf()");
}

/// The database and all that is in it get a new owner.
fn hand_over(cluster: &Cluster, database: &str, owner: &str) {
    cluster.sql(
        database,
        &format!(
            "ALTER DATABASE {database} OWNER TO {owner}; ALTER TABLE orders OWNER TO {owner}; \
             ALTER TABLE items OWNER TO {owner}; ALTER SCHEMA \"odd \"\"schema\" OWNER TO {owner}; \
             ALTER TABLE \"odd \"\"schema\".\"no\\tes\" OWNER TO {owner}"
        ),
    );
}

/// A shop with this owner, whose dump has `form` and tells the same owner, or the superuser.
async fn kept(place: Place, form: Form, owner: &str, whole: bool) -> Scene {
    let shop = Arc::new(Shop::open());
    keeper(&shop.cluster);
    let scene = Scene::inside(shop, place, |shop| {
        if !whole {
            return form.bytes(shop);
        }
        let model = shop.database();
        hand_over(&shop.cluster, &model, owner);
        match form {
            Form::Plain | Form::PlainGz => form.wrap(shop.cluster.dump(&model, "plain")),
            Form::Custom | Form::CustomGz => form.wrap(shop.cluster.dump(&model, "custom")),
        }
    })
    .await;
    hand_over(&scene.shop.cluster, &scene.database, owner);
    scene.secret("password", PASSWORD);
    password_from(&scene, "{ file = \"password\" }");
    scene
}

fn password_from(scene: &Scene, place: &str) {
    let user = |text: &String| text.find("user = \"").unwrap();
    scene.reconfigure(|text| {
        let (start, rest) = text.split_at(user(&text));
        let end = rest.find("bin_dir").unwrap();
        format!("{start}user = \"keeper\"\npassword = {place}\n{}", &rest[end..])
    });
}

/// Every file below a folder that holds the text.
fn files_with(root: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(bytes) = std::fs::read(&path)
                && String::from_utf8_lossy(&bytes).contains(text)
            {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_may_create_databases_restores_with_a_password_from_the_environment() {
    let scene = kept(Place::Bucket, Form::CustomGz, "keeper", true).await;
    password_from(&scene, "{ env = \"SHOP_PASSWORD\" }");
    let damaged = scene.production();
    let arguments = ["run", "restore-postgres", "--set", "asset=orders", "--set", "backup=latest"];
    let arguments = [&arguments[..], &["--set", "space_checked=true", "--plain", "--arm", "rows are lost"]].concat();
    let mut line = Line::with(&scene, &arguments, &[("SHOP_PASSWORD", PASSWORD)]);
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to(&format!("(step 8 of {STEPS})")).expect("the swap asks");
    assert_eq!(scene.production(), damaged, "untouched until the swap");
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    let aside = scene.name("aside");
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
    assert_eq!((scene.shop.oid(&aside), scene.shop.cluster.content(&aside)), damaged);
    assert!(!text.contains(PASSWORD), "{text}");
    assert_eq!(files_with(&scene.state(), PASSWORD), [] as [std::path::PathBuf; 0], "the password is kept nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_not_be_ended_leaves_everything_as_it_was() {
    let scene = kept(Place::Folder, Form::Plain, "team", true).await;
    let production = scene.production();
    let plan = scene.plan(json!({ "space_checked": true })).await.unwrap();
    let mut run = scene.begin(&plan).await;
    let asked = run.go_on(at("swap")).await.unwrap_or_else(|| panic!("{}", run.failures()));
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}\n{}", run.failures()) };
    let mut superuser = scene.shop.cluster.guest(&scene.database);
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    run.answered_question().await;
    let said = stopped_at(&mut run, "swap").await;
    assert!(said.contains("superuser") && said.contains("may not end"), "{said}");
    assert_eq!(scene.production(), production, "production is as it was, and takes sessions");
    superuser.kill().unwrap();
    superuser.wait().unwrap();
    let gone = format!("SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = '{}'", scene.database);
    scene.shop.wait_until("the superuser left", &gone);
    // A swap is begun again only after a look has said that nothing of it is left.
    run.answer(Answer::LookAgain).await.unwrap();
    run.answered_question().await;
    let said = stopped_at(&mut run, "swap").await;
    assert!(said.contains("took no effect"), "{said}");
    run.answer(Answer::Retry).await.unwrap();
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_someone_else_is_refused_unless_owners_are_left_out() {
    let scene = kept(Place::Bucket, Form::Custom, "keeper", false).await;
    let production = scene.production();
    let plan = scene.plan(json!({ "space_checked": true })).await.unwrap();
    let mut run = scene.begin(&plan).await;
    let said = stopped_at(&mut run, "preflight").await;
    assert!(said.contains("roles that own parts of the dump: relight"), "{said}");
    run.abort().await;
    assert_eq!(scene.production(), production);
    let plan = scene.plan(json!({ "space_checked": true, "without_owners": true })).await.unwrap();
    let mut run = scene.begin(&plan).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_lacks_is_named_before_anything_begins() {
    let scene = kept(Place::Folder, Form::Plain, "keeper", true).await;
    let cluster = &scene.shop.cluster;
    let cases = [
        ("REVOKE pg_signal_backend FROM keeper", "GRANT pg_signal_backend TO keeper", "pg_signal_backend"),
        ("ALTER ROLE keeper NOINHERIT", "ALTER ROLE keeper INHERIT", "pg_signal_backend"),
        ("ALTER ROLE keeper NOCREATEDB", "ALTER ROLE keeper CREATEDB", "CREATEDB"),
        (
            &format!("ALTER DATABASE {} OWNER TO relight", scene.database),
            &format!("ALTER DATABASE {} OWNER TO keeper", scene.database),
            "membership in `relight`",
        ),
        (
            &format!("ALTER ROLE relight IN DATABASE {} SET work_mem = '8MB'", scene.database),
            &format!("ALTER ROLE relight IN DATABASE {} RESET work_mem", scene.database),
            "CREATEROLE",
        ),
    ];
    for (take, give, word) in cases {
        cluster.sql("postgres", take);
        let said = scene.plan(json!({})).await.unwrap_err().join("\n");
        assert!(said.contains("missing") && said.contains(word), "{word}: {said}");
        cluster.sql("postgres", give);
    }
    scene.secret("password", "guessed");
    let said = scene.plan(json!({})).await.unwrap_err().join("\n");
    assert!(said.contains("password") && !said.contains("guessed"), "{said}");
    scene.secret("password", PASSWORD);
    // What it may not read of the disk is not taken for enough.
    let plan = scene.plan(json!({})).await.unwrap();
    let mut run = scene.begin(&plan).await;
    let said = stopped_at(&mut run, "preflight").await;
    assert!(said.contains("free space cannot be read"), "{said}");
    run.abort().await;
}
