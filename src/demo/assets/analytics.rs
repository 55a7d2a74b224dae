//! The figures of the web site: nightly plain dumps. Last night's holds hardly any rows.

use crate::demo::forge::schema::{Afterwards, Schema, Table};
use crate::demo::forge::{archive, plain};
use crate::demo::ground::{Ground, put, stamped};
use crate::demo::seed::Chance;
use chrono::Duration;
use std::io::Result;

const NIGHTS: i64 = 45;
const DAYS_BEFORE: i64 = 200;
const PAGES: [&str; 9] =
    ["/", "/shop", "/shop/lamps", "/shop/cables", "/cart", "/help", "/about", "/blog", "/blog/winter"];
const COLUMNS: &[(&str, &str)] = &[
    ("day", "date NOT NULL"),
    ("page", "text NOT NULL"),
    ("views", "integer NOT NULL"),
    ("visitors", "integer NOT NULL"),
];
const AFTERWARDS: &[Afterwards] = &[Afterwards {
    kind: "CONSTRAINT",
    table: "page_views",
    name: "page_views_pkey",
    text: "PRIMARY KEY (day, page)",
    needs: None,
}];

pub fn stock(ground: &Ground) -> Result<()> {
    let nights = ground.nightly(3, 20, NIGHTS);
    let mut chance = Chance::of("analytics");
    let mut rows = String::new();
    let mut day_rows = |rows: &mut String, day: chrono::NaiveDate| {
        for page in PAGES {
            let views = 200 + chance.below(9_000);
            rows.push_str(&format!("{day}\t{page}\t{views}\t{}\n", views / 3 + chance.below(40)));
        }
    };
    let first = nights[0].date_naive();
    for back in (1..=DAYS_BEFORE).rev() {
        day_rows(&mut rows, first - Duration::days(back));
    }
    let mut catalog = String::new();
    for (index, at) in nights.iter().enumerate() {
        day_rows(&mut rows, at.date_naive());
        let broken = !ground.clean && index + 1 == nights.len();
        let kept = if broken { rows.match_indices('\n').nth(30).map_or(0, |(end, _)| end + 1) } else { rows.len() };
        let table = Table { name: "page_views", columns: COLUMNS, rows: &rows[..kept] };
        let schema =
            Schema { database: "analytics", owner: "relight", tables: vec![table], views: &[], afterwards: AFTERWARDS };
        let bytes = archive::gzip(plain::dump(&schema).as_bytes())?;
        ground.keep(&stamped("analytics/analytics_db_", *at, ".sql.gz"), &bytes, *at)?;
        catalog.push_str(&format!(
            "{},{},{}\n",
            stamped("analytics_db_", *at, ".sql.gz"),
            at.format("%Y-%m-%dT%H:%M:%SZ"),
            bytes.len()
        ));
    }
    put(&ground.local, "analytics/backup_catalog.csv", catalog.as_bytes(), nights[nights.len() - 1])
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "analytics-db"
kind = "postgresql"
tier = "standard"
rpo = "26h"
rto = "8h"
copies = { total = 2, media = 2, off_site = 1 }

  [[assets.sources]]
  store = "local"
  match = "analytics/analytics_db_{time:%Y%m%d_%H%M%S}.sql.gz"
  kind = "full"
  every = "24h"

  [[assets.sources]]
  store = "s3"
  match = "analytics/analytics_db_{time:%Y%m%d_%H%M%S}.sql.gz"
  kind = "full"
  every = "24h"
"#
    .to_owned()
}
