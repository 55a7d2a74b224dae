//! `relight leftovers`: every scratch and set-aside database of a server, and none that somebody lives in.

use crate::home::{Home, RELIGHT};
use crate::shop::Shop;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, Output};

/// The names that five real systems give to scratch databases, and the patterns that know them.
const NAMED: [(&str, &str); 9] = [
    ("pynomaly_restore_20240115_020000", "pynomaly_restore_{time}"),
    ("pynomaly_prod_backup_20240115_020000", "pynomaly_prod_backup_{time}"),
    ("pynomaly_backup_test_20240115", "pynomaly_backup_test_{time:%Y%m%d}"),
    ("pynomaly_test_restore", "pynomaly_test_restore"),
    ("pynomaly_test_restore_restored", "pynomaly_test_restore_restored"),
    ("backup_validation", "backup_validation"),
    ("freeagentics_test_20240115_020000", "freeagentics_test_{time}"),
    ("crud_test_db_temp", "crud_test_db_{of:temp|restored}"),
    ("test_restore_db", "test_restore_db"),
];
/// Alike, and nobody's leftover.
const LIVE: [&str; 4] = ["orders", "crud_test_db", "pynomaly_prod", "backup_validation_results"];

#[tokio::test(flavor = "multi_thread")]
async fn scratch_databases_are_listed_and_live_ones_are_not() {
    let home = Home::new().await;
    let shop = Shop::open();
    let sql = |text: &str| shop.cluster.sql("postgres", text);
    let patterns: Vec<&str> = NAMED.iter().map(|(_, pattern)| *pattern).collect();
    let config = format!(
        "{}\n[[servers]]\nid = \"main\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"relight\"\nleftovers = {patterns:?}\n\n\
         [[assets]]\nid = \"orders\"\nkind = \"postgresql\"\nserver = \"main\"\ndatabase = \"orders\"\n\
         \x20 [[assets.sources]]\n  store = \"shelf\"\n  match = \"orders_{{time}}.dump\"\n  kind = \"full\"\n",
        home.estate("db/"),
        shop.cluster.port
    );
    std::fs::write(home.config(), config).unwrap();
    for name in LIVE.iter().copied().chain(["orders_before", "orders_half"]) {
        sql(&format!("CREATE DATABASE {name}"));
    }
    assert_eq!(relight(&home, &["leftovers"]).status.code(), Some(0), "nothing but live databases");

    for (name, _) in NAMED {
        sql(&format!("CREATE DATABASE {name}"));
    }
    // Marks are text from a server: one names a run that would lead out of the state folder.
    sql("COMMENT ON DATABASE orders_before IS 'relight run=r-20240115-020000 aside=ab12'");
    sql("COMMENT ON DATABASE orders_half IS 'relight run=../../../etc state=made'");
    let mut guest = shop.cluster.guest("backup_validation");
    shop.wait_until("the guest came", "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'backup_validation'");

    let told = relight(&home, &["leftovers", "--json"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let document: Value = serde_json::from_slice(&told.stdout).unwrap();
    let left = document["servers"][0]["left"].as_array().unwrap();
    let why: BTreeMap<&str, &Value> = left.iter().map(|row| (row["database"].as_str().unwrap(), &row["why"])).collect();
    for (name, pattern) in NAMED {
        assert_eq!(why[name]["pattern"], pattern, "{name}");
    }
    assert_eq!((&why["orders_before"]["by"], &why["orders_half"]["by"]), (&"aside".into(), &"made".into()));
    assert_eq!(why.len(), NAMED.len() + 2, "{:?}", why.keys());
    for row in left {
        assert!(row["size_bytes"].as_u64().unwrap() > 1_000_000, "{row}");
        assert!(row["made_at"].is_string(), "{row}");
        assert_eq!(row["sessions"], u64::from(row["database"] == "backup_validation"), "{row}");
    }

    let text = String::from_utf8(relight(&home, &["leftovers"]).stdout).unwrap();
    for said in ["the former live database, kept by run r-20240115-020000", "(not known here)", "Nothing was removed"] {
        assert!(text.contains(said), "{said}:\n{text}");
    }

    guest.kill().unwrap();
    guest.wait().unwrap();
    drop(shop);
    let told = relight(&home, &["leftovers"]);
    assert_eq!(told.status.code(), Some(3), "a server that is gone is no server without leftovers");
    assert!(String::from_utf8_lossy(&told.stdout).contains("not seen"), "{told:?}");
}

fn relight(home: &Home, words: &[&str]) -> Output {
    let mut command = Command::new(RELIGHT);
    command.arg("--config").arg(home.config()).arg("--state").arg(home.state()).args(words).output().unwrap()
}
