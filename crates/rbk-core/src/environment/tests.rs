//! What the tests of this module share.

mod diagnostics;
mod lock;
mod places;

use super::*;
use rbk_syntax::SourceId;
use std::path::Path;

pub const PROD: &str = include_str!("../../../../runbooks/environments/prod.toml");
pub const PARCELS: &str = include_str!("../../../../runbooks/environments/parcels.toml");

/// A file that uses every key.
pub const EVERYTHING: &str = r#"
region = "us-gov-west-1"
account = "000000000001"

[network]
subnet_group = "shared"
security_groups = ["sg-0a1b2c3d"]

[access]
tunnel = ["ssh", "-N", "-L", "{local_port}:{host}:{port}", "bastion"]
ca = "/etc/ssl/rds.pem"
connect_timeout = "1m30s"

[databases.ledger]
instance = "ledger"
database = "ledger"
class = "db.m7g.large"
parameter_group = "default.postgres16"
admin_secret = "ledger/admin"
secret = "ledger/app"
retention = "35d"
protect = false
removal_policy = "destroy"
multi_az = true
publicly_accessible = true
storage_type = "io2"
iam_authentication = true
subnet_group = "its own"
security_groups = ["sg-0a1b2c3d4e5f60718", "sg-0a1b2c3d"]
tags = { team = "Zürich", "cost-centre" = "" }
checks = { not_empty = ["public.entries"], fresh = { column = "public.entries.at", within = "1d" } }

[databases.mirror]
like = "ledger"
instance = "ledger-mirror"
secret = "ledger/mirror"
admin_secret = "ledger/mirror/admin"
tags.team = "Bern"
checks.not_empty = []

[applications.books]
databases = ["ledger", "mirror"]
role = "books"
active = { pointer = "ledger/active", field = "name" }
health.http = "http://localhost:8080/health"
health.expect = 204

[applications.archive]
databases = ["mirror"]
role = "books"
active = { copy = "archive/database" }

[applications.reports]
databases = ["ledger", "mirror"]
role = "books"
active = { stack = { apply = "deploy", read = "active_secret" } }

[parameters]
source = "ledger"
max_loss = "1h"
lines = 20
quick = true

[migrations]
tool = "liquibase"
changelog = "changelog/main.xml"
search_path = "changelog/.."
program = ["/opt/liquibase"]
contexts = ["!seed"]
schema = "ops"
within = "1h"

[commands.warm]
program = ["warm", "--table={table}", "{rows}", '{"json": true}']
arguments = { table = "text", rows = "integer" }
secrets = { PGPASSWORD = { secret = "ledger/reader", field = "password" }, TOKEN = { secret = "ledger/token" } }
within = "2m"
repeatable = true

[commands.deploy]
program = ["deploy", "--context", "active={value}"]
arguments = { value = "text" }

[commands.active_secret]
program = ["deployed", "active"]

[dms]
subnet_group = "ledger-dms"
security_groups = ["sg-0a1b2c3d"]
secret_access_role = "arn:aws-us-gov:iam::000000000001:role/dms/reads-secrets"
tls = "verify-full"
certificate = "arn:aws-us-gov:dms:us-gov-west-1:000000000001:cert:RDSCA"

[stack]
file = "../stacks/config.py"
section = ["CONFIG", "gov"]
settings = { mirror_enabled = "mirror exists", active_secret_key = "active_secret(books)", "a.b-c" = "removal_policy(mirror)" }

[approvals]
unattended = true

[journal]
directory = "journals"

[drill]
database = "ledger"
application = "books"
extensions = ["pg_trgm", "uuid-ossp"]
schema = ["a.sql", "b.sql"]
rows = "/srv/rows.sql"
default_rows = 10
disaster.delete_rows = "public.entries"
traffic.table = "public.entries"
traffic.write = "INSERT INTO public.entries (origin, number) VALUES ('drill', :number)"
traffic.rows = "origin = 'drill'"
traffic.number = "number"
"#;

#[track_caller]
fn shipped(name: &str, text: &str) -> Environment {
    let loaded = load(name, SourceId(0), text, Path::new("runbooks/environments"));
    assert_eq!(loaded.diagnostics, []);
    loaded
        .environment
        .expect("no diagnostics, so an environment")
}

#[test]
fn shipped_files_resolve() {
    insta::assert_json_snapshot!("prod", shipped("prod", PROD));
    insta::assert_json_snapshot!("parcels", shipped("parcels", PARCELS));
}

#[test]
fn every_key_has_its_effect() {
    insta::assert_json_snapshot!("everything", shipped("everything", EVERYTHING));
}
