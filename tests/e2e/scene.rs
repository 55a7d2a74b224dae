//! What a test of the database restore has around it: a database of its own, and its backup in a folder or a
//! bucket.

use crate::home::Home;
use crate::shop::{Shop, gzip, shop};
use relight::runbook::{Mode, Plan};
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::Arc;

pub use crate::home::{RELIGHT, runbook};

/// Where a copy lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Folder,
    Bucket,
}

impl Place {
    pub const fn store(self) -> &'static str {
        match self {
            Place::Folder => "shelf",
            Place::Bucket => "bucket",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    PlainGz,
    Custom,
    CustomGz,
}

impl Form {
    pub const ALL: [Form; 4] = [Form::Plain, Form::PlainGz, Form::Custom, Form::CustomGz];

    pub fn bytes(self, shop: &Shop) -> Vec<u8> {
        match self {
            Form::Plain | Form::PlainGz => self.wrap(shop.plain.clone()),
            Form::Custom | Form::CustomGz => self.wrap(shop.custom.clone()),
        }
    }

    pub fn wrap(self, dump: Vec<u8>) -> Vec<u8> {
        match self {
            Form::Plain | Form::Custom => dump,
            Form::PlainGz | Form::CustomGz => gzip(&dump),
        }
    }
}

pub struct Scene {
    pub shop: Arc<Shop>,
    /// The live database.
    pub database: String,
    home: Home,
}

impl Deref for Scene {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

/// Name of the only backup of a scene, in either store.
pub const OBJECT: &str = "orders_20260102_021500.dump";

impl Scene {
    /// The shop with its only backup at `place`, and the database damaged after it.
    pub async fn with(place: Place, bytes: impl FnOnce(&Shop) -> Vec<u8>) -> Self {
        Self::inside(shop(), place, bytes).await
    }

    pub async fn inside(shop: Arc<Shop>, place: Place, bytes: impl FnOnce(&Shop) -> Vec<u8>) -> Self {
        let database = shop.database();
        let scene = Self { shop, database, home: Home::new().await };
        std::fs::write(scene.config(), scene.config_text()).unwrap();
        scene.put(place, &bytes(&scene.shop));
        scene.shop.change(&scene.database, "DELETE FROM items; UPDATE orders SET customer = 'lost'");
        scene
    }

    fn config_text(&self) -> String {
        let (port, bin, database) = (self.shop.cluster.port, crate::postgres::BIN, &self.database);
        let estate = self.estate("db/");
        format!(
            r#"{estate}

[[servers]]
id = "main"
host = "127.0.0.1"
port = {port}
user = "relight"
bin_dir = "{bin}"

[[assets]]
id = "orders"
kind = "postgresql"
rpo = "1h"
rto = "1h"
server = "main"
database = "{database}"

  [[assets.sources]]
  store = "shelf"
  match = "orders_{{time:%Y%m%d_%H%M%S}}.dump"
  kind = "full"

  [[assets.sources]]
  store = "bucket"
  match = "orders_{{time:%Y%m%d_%H%M%S}}.dump"
  kind = "full"
"#
        )
    }

    pub async fn plan_drill(&self) -> Result<Plan, Vec<String>> {
        self.plan_in(Mode::Drill, "restore-postgres", json!({ "asset": "orders", "backup": "latest" })).await
    }

    /// Gives drills of the database a place, and the estate another server `other`.
    pub fn drill_in(&self, place: &str, host: &str, port: u16) {
        let bin = crate::postgres::BIN;
        let other = format!(
            "[[servers]]\nid = \"other\"\nhost = \"{host}\"\nport = {port}\nuser = \"relight\"\nbin_dir = \"{bin}\"\n\n[[assets]]"
        );
        let place = format!("rto = \"1h\"\ndrill = {place}");
        self.reconfigure(|text| text.replace("[[assets]]\n", &format!("{other}\n")).replace("rto = \"1h\"", &place));
    }

    /// Puts or replaces the backup.
    pub fn put(&self, place: Place, bytes: &[u8]) {
        match place {
            Place::Folder => std::fs::write(self.path("shelf").join(OBJECT), bytes).unwrap(),
            Place::Bucket => self.s3.put(&format!("db/{OBJECT}"), bytes),
        }
    }

    pub async fn plan(&self, given: Value) -> Result<Plan, Vec<String>> {
        let mut values = json!({ "asset": "orders", "backup": "latest" });
        let (Value::Object(into), Value::Object(given)) = (&mut values, given) else { panic!("not a table") };
        into.extend(given);
        self.plan_of("restore-postgres", values).await
    }

    /// Object id under the live name and content: what must not change before the swap.
    pub fn production(&self) -> (String, String) {
        (self.shop.oid(&self.database), self.shop.cluster.content(&self.database))
    }
}
