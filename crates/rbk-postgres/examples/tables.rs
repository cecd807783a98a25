//! What `benches/run tables` measures: the comparison and the copy of tables as a process of their own, and a server to do it
//! on. The server's address comes and goes as one line of JSON: host, port, authorities, and the bytes of its tables.
//!
//! ```text
//! tables serve ROWS              a server with two databases, `source` and `target`, until its input ends
//! tables compare ADDRESS         compares every table of both
//! tables copy ADDRESS            copies every table into the target's empty ones
//! ```

use rbk_core::environment::{Access, TableName};
use rbk_core::ids::{ActionId, RunId};
use rbk_core::plan::{CopiedColumn, CopiedTable, TablePair};
use rbk_core::ports::{Login, Marker, Postgres, Progress};
use rbk_postgres::Connector;
use rbk_sandbox::{InstanceBlueprint, Options, Sandbox, SecurityGroupBlueprint};
use secrecy::SecretString;
use std::error::Error;
use std::io::{Read, Write};
use std::path::PathBuf;

const PASSWORD: &str = "only-for-this-bench";

/// A vector column, text of the size of a page, and many narrow rows in partitions.
const TABLES: &str = "
    CREATE EXTENSION vector;
    CREATE TABLE public.documents (id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, metadata jsonb NOT NULL,
      created_at timestamptz NOT NULL);
    CREATE TABLE public.embeddings (id bigint PRIMARY KEY, document_id bigint NOT NULL, embedding_vector vector(1536) NOT NULL);
    CREATE TABLE public.usage_events (id bigint, user_key text NOT NULL, tokens integer NOT NULL, share float8 NOT NULL,
      happened_at timestamptz NOT NULL) PARTITION BY HASH (user_key);
    CREATE TABLE public.usage_events_0 PARTITION OF public.usage_events FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE public.usage_events_1 PARTITION OF public.usage_events FOR VALUES WITH (MODULUS 2, REMAINDER 1)";

/// Filled for `:rows` rows; a hundred different vectors are enough to write and to read them all.
const ROWS: &str = "
    CREATE TEMPORARY TABLE vectors AS SELECT n, (SELECT array_agg(random() * 2 - 1) FROM generate_series(1, 1536) g WHERE g > -n)::vector AS v
      FROM generate_series(0, 99) n;
    INSERT INTO public.documents SELECT g, md5(g::text), repeat(md5(g::text) || ' ', 60), jsonb_build_object('n', g, 'k', md5(g::text)),
      timestamptz '2026-01-01' + make_interval(secs => g) FROM generate_series(1, :rows) g;
    INSERT INTO public.embeddings SELECT g, g, v FROM generate_series(1, :rows) g JOIN vectors ON n = g % 100;
    INSERT INTO public.usage_events SELECT g, md5(g::text), g % 1000, g / 7.0, timestamptz '2026-01-01' + make_interval(secs => g)
      FROM generate_series(1, 10 * :rows) g";

const COLUMNS: &[(&str, &[&str])] = &[
    (
        "documents",
        &["id", "title", "body", "metadata", "created_at"],
    ),
    ("embeddings", &["id", "document_id", "embedding_vector"]),
    (
        "usage_events",
        &["id", "user_key", "tokens", "share", "happened_at"],
    ),
];

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", rows] => serve(rows.parse()?).await,
        ["compare", address] => compare(&Address::parse(address)?).await,
        ["copy", address] => copy(&Address::parse(address)?).await,
        _ => Err("usage: tables serve ROWS | compare ADDRESS | copy ADDRESS".into()),
    }
}

/// Where the server is.
struct Address {
    host: String,
    port: u16,
    ca: PathBuf,
}

impl Address {
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let (host, port, ca, _): (_, _, _, u64) = serde_json::from_str(text)?;
        Ok(Self { host, port, ca })
    }

    fn connector(&self) -> Result<Connector, Box<dyn Error>> {
        Ok(Connector::new(&Access {
            tunnel: None,
            ca: Some(self.ca.clone()),
            connect_timeout: 10,
        })?)
    }

    fn login(&self, database: &str) -> Login {
        Login {
            host: self.host.clone(),
            port: self.port,
            database: database.to_owned(),
            username: "master".to_owned(),
            password: SecretString::from(PASSWORD),
        }
    }
}

async fn serve(rows: u64) -> Outcome {
    let sandbox = Sandbox::start(Options::default(), |_| {}).await?;
    sandbox.declare_security_group(SecurityGroupBlueprint {
        id: "sg-bench".into(),
        admits: vec!["127.0.0.1".parse()?],
    });
    let address = sandbox
        .create_instance(InstanceBlueprint {
            security_groups: vec!["sg-bench".into()],
            ..InstanceBlueprint::new("bench", "source", "master", SecretString::from(PASSWORD))
        })
        .await?;
    let source = sandbox.superuser("bench", "source").await?;
    source.batch_execute(TABLES).await?;
    source
        .batch_execute(&ROWS.replace(":rows", &rows.to_string()))
        .await?;
    source
        .batch_execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO master")
        .await?;
    source
        .batch_execute("CREATE DATABASE target OWNER master")
        .await?;
    let target = sandbox.superuser("bench", "target").await?;
    target.batch_execute(TABLES).await?;
    target
        .batch_execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO master")
        .await?;
    source.batch_execute("VACUUM ANALYZE").await?;
    let sum = "SELECT sum(pg_table_size(oid))::bigint FROM pg_class \
               WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    let bytes: i64 = source.query_one(sum, &[]).await?.try_get(0)?;
    let line = (address.host, address.port, sandbox.ca_pem_path(), bytes);
    println!("{}", serde_json::to_string(&line)?);
    std::io::stdout().flush()?;
    let until_end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    until_end.await??;
    sandbox.shutdown().await;
    Ok(())
}

struct Silent;

impl Progress for Silent {
    fn tell(&self, _: &str, _: u64, _: u64) {}
}

fn table(name: &str) -> TableName {
    TableName {
        schema: "public".to_owned(),
        table: name.to_owned(),
    }
}

/// Prints rows and checksum of each table, which must be the same on both sides.
async fn compare(address: &Address) -> Outcome {
    let pairs: Vec<TablePair> = COLUMNS
        .iter()
        .map(|(name, columns)| TablePair {
            left: table(name),
            right: table(name),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        })
        .collect();
    let connector = address.connector()?;
    let (left, right) = (address.login("source"), address.login("target"));
    for found in connector.compare(&left, &right, &pairs, &Silent).await? {
        let Some(digest) = found.left.as_ref().filter(|_| found.is_equal()) else {
            return Err(format!("{found:?}").into());
        };
        println!("{} {} {}", found.pair.left, digest.rows, digest.checksum);
    }
    Ok(())
}

async fn copy(address: &Address) -> Outcome {
    let tables: Vec<CopiedTable> = COLUMNS
        .iter()
        .map(|(name, columns)| CopiedTable {
            table: table(name),
            only: false,
            columns: columns
                .iter()
                .map(|&column| CopiedColumn {
                    name: column.to_owned(),
                    cast: None,
                })
                .collect(),
            bytes: 1,
        })
        .collect();
    // A marker of its own each time: it copies again what was emptied in between.
    let begun = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let marker = Marker {
        run: RunId::from(format!("bench-{}", begun.as_nanos()).as_str()),
        action: ActionId::from("1"),
        part: None,
        epoch: 1,
    };
    let connector = address.connector()?;
    let (from, to) = (address.login("source"), address.login("target"));
    let facts = connector
        .copy(&from, &to, &tables, &marker, &Silent)
        .await?;
    println!("{} {} {}", facts.tables, facts.rows, facts.bytes);
    Ok(())
}
