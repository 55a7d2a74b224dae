//! The shop's database: a plain dump every night, a custom dump every hour, both in both stores.

use crate::demo::forge::schema::{Afterwards, Schema, Table, View};
use crate::demo::forge::{archive, custom, plain};
use crate::demo::ground::{Ground, stamped};
use crate::demo::seed::Chance;
use crate::model::time::Timestamp;
use chrono::Duration;
use std::io::Result;

const ORDERS: usize = 1_600;
const NIGHTS: i64 = 60;
const HOURS: i32 = 30;
/// Age of the newest dump: recent enough for the objective of one hour.
const NEWEST: Duration = Duration::minutes(12);

const CUSTOMERS: &[(&str, &str)] = &[
    ("id", "integer NOT NULL"),
    ("name", "text NOT NULL"),
    ("email", "text NOT NULL"),
    ("country", "character(2) NOT NULL"),
    ("created_at", "timestamp with time zone NOT NULL"),
];
const ORDER_COLUMNS: &[(&str, &str)] = &[
    ("id", "integer NOT NULL"),
    ("customer_id", "integer NOT NULL"),
    ("status", "text NOT NULL"),
    ("placed_at", "timestamp with time zone NOT NULL"),
];
const LINES: &[(&str, &str)] = &[
    ("order_id", "integer NOT NULL"),
    ("line", "integer NOT NULL"),
    ("sku", "text NOT NULL"),
    ("quantity", "integer NOT NULL"),
    ("price", "numeric(10,2) NOT NULL"),
];
const PAYMENTS: &[(&str, &str)] = &[
    ("id", "integer NOT NULL"),
    ("order_id", "integer NOT NULL"),
    ("method", "text NOT NULL"),
    ("amount", "numeric(10,2) NOT NULL"),
    ("paid_at", "timestamp with time zone NOT NULL"),
];
const TABLES: [(&str, &[(&str, &str)]); 4] =
    [("customers", CUSTOMERS), ("orders", ORDER_COLUMNS), ("order_lines", LINES), ("payments", PAYMENTS)];

const VIEWS: &[View] = &[View {
    name: "open_orders",
    query: "SELECT orders.id,\n    orders.customer_id,\n    orders.placed_at\n   FROM public.orders\n  WHERE (orders.status = 'open'::text)",
}];

const fn key(table: &'static str, name: &'static str, text: &'static str) -> Afterwards {
    Afterwards { kind: "CONSTRAINT", table, name, text, needs: None }
}

const fn refers(table: &'static str, name: &'static str, text: &'static str, to: &'static str) -> Afterwards {
    Afterwards { kind: "FK CONSTRAINT", table, name, text, needs: Some(to) }
}

const AFTERWARDS: &[Afterwards] = &[
    key("customers", "customers_pkey", "PRIMARY KEY (id)"),
    key("orders", "orders_pkey", "PRIMARY KEY (id)"),
    key("order_lines", "order_lines_pkey", "PRIMARY KEY (order_id, line)"),
    key("payments", "payments_pkey", "PRIMARY KEY (id)"),
    Afterwards {
        kind: "INDEX",
        table: "orders",
        name: "orders_placed_at_idx",
        text: "CREATE INDEX orders_placed_at_idx ON public.orders USING btree (placed_at)",
        needs: None,
    },
    refers(
        "orders",
        "orders_customer_id_fkey",
        "FOREIGN KEY (customer_id) REFERENCES public.customers(id)",
        "customers_pkey",
    ),
    refers(
        "order_lines",
        "order_lines_order_id_fkey",
        "FOREIGN KEY (order_id) REFERENCES public.orders(id)",
        "orders_pkey",
    ),
    refers("payments", "payments_order_id_fkey", "FOREIGN KEY (order_id) REFERENCES public.orders(id)", "orders_pkey"),
];

/// What a careless evening does to the live database.
pub const DAMAGE: &str = "DROP TABLE public.order_lines;
TRUNCATE public.payments;
DELETE FROM public.orders WHERE id % 3 = 0;
UPDATE public.customers SET email = 'nobody@example.net';
";

/// The shop's whole life: rows in the order in which they came, so that any beginning is consistent.
#[derive(Debug)]
pub struct Shop {
    rows: [String; 4],
    /// Ends of the four tables' rows after each order.
    ends: Vec<[usize; 4]>,
}

impl Shop {
    pub fn until(now: Timestamp) -> Self {
        let mut chance = Chance::of("orders");
        let mut shop = Self { rows: Default::default(), ends: Vec::with_capacity(ORDERS) };
        let mut customers = 0;
        for number in 1..=ORDERS {
            let at = now - NEWEST - Duration::minutes(55 * (ORDERS - number + 1) as i64);
            if number % 10 % 3 == 1 {
                customers += 1;
                shop.customer(customers, at, &mut chance);
            }
            shop.order(number, customers, at, &mut chance);
            shop.ends.push([0, 1, 2, 3].map(|table| shop.rows[table].len()));
        }
        shop
    }

    /// The database when this part of its orders (0 to 1) had come.
    pub fn grown(&self, part: f64) -> Schema<'_> {
        let count = ((self.ends.len() as f64 * part) as usize).clamp(1, self.ends.len());
        let ends = self.ends[count - 1];
        let tables = TABLES
            .iter()
            .zip(&self.rows)
            .zip(ends)
            .map(|((&(name, columns), rows), end)| Table { name, columns, rows: &rows[..end] })
            .collect();
        Schema { database: "orders", owner: "relight", tables, views: VIEWS, afterwards: AFTERWARDS }
    }

    fn customer(&mut self, id: usize, at: Timestamp, chance: &mut Chance) {
        const FIRST: [&str; 12] =
            ["Ada", "Bo", "Chiara", "Dmitri", "Elif", "Femi", "Grace", "Hana", "Ivo", "Jun", "Kofi", "Lena"];
        const LAST: [&str; 10] =
            ["Adler", "Brandt", "Costa", "Diallo", "Eriksen", "Fischer", "Garcia", "Hoang", "Ito", "Jansen"];
        let (first, last) = (chance.pick(&FIRST), chance.pick(&LAST));
        let country = chance.pick(&["DE", "FR", "IT", "NL", "PT", "SE"]);
        let mail = format!("{}.{}{id}@example.net", first.to_lowercase(), last.to_lowercase());
        self.rows[0].push_str(&format!("{id}\t{first} {last}\t{mail}\t{country}\t{}\n", stamp(at)));
    }

    fn order(&mut self, id: usize, customers: usize, at: Timestamp, chance: &mut Chance) {
        let customer = 1 + chance.below(customers as u64);
        let status =
            if id.is_multiple_of(20) { "open" } else { chance.pick(&["sent", "sent", "delivered", "returned"]) };
        self.rows[1].push_str(&format!("{id}\t{customer}\t{status}\t{}\n", stamp(at)));
        let mut cents = 0;
        for line in 1..=1 + chance.below(4) {
            let (sku, quantity, price) = (chance.below(900) + 100, chance.below(5) + 1, chance.below(9_000) + 199);
            cents += quantity * price;
            let money = money(price);
            self.rows[2].push_str(&format!("{id}\t{line}\tSKU-{sku}\t{quantity}\t{money}\n"));
        }
        if status != "open" {
            let (method, paid) = (chance.pick(&["card", "transfer", "invoice"]), stamp(at + Duration::minutes(3)));
            self.rows[3].push_str(&format!("{id}\t{id}\t{method}\t{}\t{paid}\n", money(cents)));
        }
    }
}

fn stamp(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S+00").to_string()
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Name of the newest dump in both stores: where PostgreSQL's programs are found, one of theirs replaces it.
pub fn newest_name(ground: &Ground) -> (String, Timestamp) {
    let at = ground.now - NEWEST;
    (stamped("orders/hourly/orders_", at, ".dump"), at)
}

pub fn stock(ground: &Ground) -> Result<()> {
    let shop = Shop::until(ground.now);
    let nights = ground.nightly(2, 0, NIGHTS);
    for (index, at) in nights.iter().enumerate() {
        let part = 0.6 + 0.39 * (index + 1) as f64 / nights.len() as f64;
        let bytes = archive::gzip(plain::dump(&shop.grown(part)).as_bytes())?;
        ground.keep(&stamped("orders/nightly/orders_", *at, ".sql.gz"), &bytes, *at)?;
    }
    let hours = ground.every(Duration::hours(1), HOURS, NEWEST);
    for (index, at) in hours.iter().enumerate() {
        let part = 0.97 + 0.03 * (index + 1) as f64 / hours.len() as f64;
        let bytes = custom::dump(&shop.grown(part), *at)?;
        ground.keep(&stamped("orders/hourly/orders_", *at, ".dump"), &bytes, *at)?;
    }
    Ok(())
}

pub fn table(ground: &Ground) -> String {
    // The live database counts as a copy, so without one there is one less to ask for.
    let (live, copies) =
        if ground.server { ("server = \"orders-server\"\ndatabase = \"orders\"\n", 3) } else { ("", 2) };
    format!(
        r#"
[[assets]]
id = "orders-db"
kind = "postgresql"
tier = "critical"
rpo = "1h"
rto = "30m"
copies = {{ total = {copies}, media = 2, off_site = 1 }}
proof = {{ level = "L4", every = "7d" }}
{live}{}{}"#,
        sources("local"),
        sources("s3")
    )
}

fn sources(store: &str) -> String {
    format!(
        r#"
  [[assets.sources]]
  store = "{store}"
  match = "orders/hourly/orders_{{time:%Y%m%d_%H%M%S}}.dump"
  kind = "snapshot"
  every = "1h"
  min_size = "20kB"

  [[assets.sources]]
  store = "{store}"
  match = "orders/nightly/orders_{{time:%Y%m%d_%H%M%S}}.sql.gz"
  kind = "full"
  every = "24h"
  min_size = "20kB"
  retention = {{ daily = 30, weekly = 8, monthly = 12, yearly = 7 }}
"#
    )
}
