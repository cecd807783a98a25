//! Every diagnostic in full, as it reads beside its source.

use crate::environment::{CODES, load};
use proptest::prelude::*;
use rbk_syntax::{Diagnostic, Label, Severity, Source, SourceId, Sources, has_errors};
use std::fmt::Write;
use std::path::Path;

/// A small file without a mistake, for tests to spoil.
const SOUND: &str = r#"region = "eu-central-1"
account = "123456789012"

[access]
tunnel = ["forward", "{local_port}", "{host}:{port}"]

[databases.original]
instance = "orders"
database = "orders"
class = "db.r6g.large"
subnet_group = "orders-db"
security_groups = ["sg-0a1b2c3d4e5f60718"]
parameter_group = "orders-pg16"
secret = "rds/orders"
admin_secret = "rds/orders_admin"
retention = "7d"

[databases.original.checks]
not_empty = ["public.orders"]
fresh = { column = "public.orders.placed_at", within = "2h" }

[databases.recovery]
like = "original"
instance = "orders-recovery"
secret = "rds/orders_recovery"
admin_secret = "rds/orders_recovery_admin"

[applications.shop]
databases = ["original", "recovery"]
role = "shop_app"
active = { pointer = "shop/active" }
health = { http = "https://shop.internal/health" }

[drill]
database = "original"
application = "shop"
schema = ["schema.sql"]
rows = "rows.sql"
disaster = "lose_instance"
"#;

/// Spoils the sound file and compares everything that is told. Each fix must mend what it stands under.
#[track_caller]
fn told(name: &str, changes: &[(&str, &str)]) {
    told_of(name, &spoilt(changes));
}

#[track_caller]
fn told_of(name: &str, text: &str) {
    let diagnostics = diagnostics(text);
    assert!(!diagnostics.is_empty(), "nothing is told");
    for diagnostic in &diagnostics {
        assert!(
            CODES.iter().any(|(code, _)| *code == diagnostic.code),
            "{} is not in the registry",
            diagnostic.code
        );
        if let Some(mended) = mended(text, diagnostic) {
            let left = self::diagnostics(&mended);
            let again = |other: &Diagnostic| {
                (other.code, &other.message) == (diagnostic.code, &diagnostic.message)
            };
            assert!(!left.iter().any(again), "the fix does not mend:\n{mended}");
        }
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, rendered(text, &diagnostics));
    });
}

#[track_caller]
fn spoilt(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(SOUND.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in the file");
        text.replacen(from, to, 1)
    })
}

fn diagnostics(text: &str) -> Vec<Diagnostic> {
    load("prod", SourceId(0), text, Path::new("environments")).diagnostics
}

fn mended(text: &str, diagnostic: &Diagnostic) -> Option<String> {
    let fix = diagnostic.fix.as_ref()?;
    let mut mended = text.to_owned();
    mended.replace_range(
        fix.span.start as usize..fix.span.end as usize,
        &fix.replacement,
    );
    Some(mended)
}

fn rendered(text: &str, diagnostics: &[Diagnostic]) -> String {
    rendered_of("prod.toml", text, diagnostics)
}

pub(super) fn rendered_of(file: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut sources = Sources::default();
    sources.add(file, text);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        };
        writeln!(
            out,
            "{severity}[{}]: {}",
            diagnostic.code, diagnostic.message
        )
        .expect("a string");
        excerpt(&mut out, &sources, &diagnostic.primary, '^');
        for related in &diagnostic.related {
            excerpt(&mut out, &sources, related, '-');
        }
        if let Some(help) = &diagnostic.help {
            writeln!(out, "  help: {help}").expect("a string");
        }
        if let Some(mended) = mended(text, diagnostic) {
            let (old, new): (Vec<&str>, Vec<&str>) =
                (text.lines().collect(), mended.lines().collect());
            for line in old.iter().filter(|line| !new.contains(line)) {
                writeln!(out, "  - {line}").expect("a string");
            }
            for line in new.iter().filter(|line| !old.contains(line)) {
                writeln!(out, "  + {line}").expect("a string");
            }
        }
        out.push('\n');
    }
    out
}

fn excerpt(out: &mut String, sources: &Sources, label: &Label, mark: char) {
    let Source { text, .. } = sources.get(label.span.source).expect("the file");
    let (line, column) = sources.line_column(label.span).expect("a place in it");
    let shown = text.lines().nth(line - 1).unwrap_or("");
    let width = sources.text(label.span).lines().next().unwrap_or("");
    let marks = mark.to_string().repeat(width.chars().count().max(1));
    writeln!(out, "  {line:>3} | {shown}").expect("a string");
    let indent = " ".repeat(column - 1);
    writeln!(out, "      | {indent}{marks} {}", label.text).expect("a string");
}

#[test]
fn the_sound_file_is_sound() {
    assert_eq!(diagnostics(SOUND), []);
}

#[test]
fn text_that_is_not_toml() {
    told(
        "syntax",
        &[
            ("region = ", "region == "),
            ("class = \"db.r6g.large\"", "class = db.r6g.large"),
            ("rows = ", "rows : "),
        ],
    );
}

#[test]
fn a_key_written_twice() {
    told("key_twice", &[("role = ", "role = \"a\"\nrole = ")]);
}

#[test]
fn misspelt_and_misplaced_keys() {
    told(
        "unknown_keys",
        &[
            ("region = ", "regoin = "),
            ("class = ", "klass = "),
            ("[access]", "[access]\nsubnet_group = \"orders-db\""),
            ("[drill]", "[drill]\nshuffle = true"),
            ("within = \"2h\"", "within = \"2h\", tolerance = \"1h\""),
        ],
    );
}

#[test]
fn missing_keys() {
    told(
        "missing_keys",
        &[
            ("account = \"123456789012\"\n", ""),
            ("instance = \"orders\"\n", ""),
            ("class = \"db.r6g.large\"\n", ""),
            ("subnet_group = \"orders-db\"\n", ""),
            ("security_groups = [\"sg-0a1b2c3d4e5f60718\"]\n", ""),
            ("parameter_group = \"orders-pg16\"\n", ""),
            (", within = \"2h\"", ""),
            ("databases = [\"original\", \"recovery\"]\n", ""),
            ("active = { pointer = \"shop/active\" }\n", ""),
            ("{ http = \"https://shop.internal/health\" }", "{}"),
            ("rows = \"rows.sql\"\n", ""),
            ("disaster = \"lose_instance\"\n", ""),
        ],
    );
}

#[test]
fn like_never_copies_what_a_database_is() {
    told(
        "like_identity",
        &[
            ("instance = \"orders-recovery\"\n", ""),
            ("secret = \"rds/orders_recovery\"\n", ""),
            ("admin_secret = \"rds/orders_recovery_admin\"\n", ""),
        ],
    );
}

#[test]
fn an_empty_file() {
    told_of("empty", "");
}

#[test]
fn wrong_types() {
    told(
        "wrong_types",
        &[
            ("\"123456789012\"", "123456789012"),
            ("[\"sg-0a1b2c3d4e5f60718\"]", "\"sg-0a1b2c3d4e5f60718\""),
            ("retention = \"7d\"", "retention = 7\nprotect = \"true\""),
            ("[\"public.orders\"]", "[1]"),
            (
                "health = { http = \"https://shop.internal/health\" }",
                "health = \"https://shop.internal/health\"",
            ),
            ("\"lose_instance\"", "2026-11-22"),
            (
                "[drill]",
                "[approvals]\nunattended = 0.5\n\n[drill]\ndefault_rows = \"50\"",
            ),
        ],
    );
}

#[test]
fn an_array_of_tables() {
    told(
        "array_of_tables",
        &[("[databases.recovery]", "[[databases.recovery]]")],
    );
}

#[test]
fn texts_without_their_form() {
    told(
        "forms",
        &[
            ("\"123456789012\"", "\"1234-5678-9012\""),
            ("\"eu-central-1\"", "\"Frankfurt\""),
            ("\"orders\"", "\"Orders\""),
            ("\"db.r6g.large\"", "\"r6g.large\""),
            ("\"orders-db\"", "\"Orders-DB\""),
            ("\"sg-0a1b2c3d4e5f60718\"", "\"orders-db\""),
            ("\"orders-pg16\"", "\"orders--pg16\""),
            (
                "\"rds/orders\"",
                "\"arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds/orders-a1B2c3\"",
            ),
            ("\"public.orders\"", "\"orders\""),
            ("\"public.orders.placed_at\"", "\"public.placed_at\""),
            ("\"2h\"", "\"2 hours\""),
            ("\"7d\"", "\"90d\""),
            ("\"shop_app\"", "\"shop app\""),
            ("https://shop", "https://shop:hunter2@shop"),
            ("[\"schema.sql\"]", "[\"~/schema.sql\"]"),
        ],
    );
}

#[test]
fn names_that_no_runbook_can_write() {
    told(
        "names",
        &[(
            "[drill]",
            "[databases.\"the \\u001b[31mother\"]\nlike = \"original\"\ninstance = \"other\"\nsecret = \"other\"\nadmin_secret = \"another\"\n\n[parameters]\nmax-loss = \"1h\"\n\n[drill]",
        )],
    );
}

#[test]
fn tags_that_rds_would_refuse() {
    told(
        "tags",
        &[(
            "retention = ",
            "tags = { \"aws:team\" = \"a\", team = \"a;b\", rank = 1 }\nretention = ",
        )],
    );
}

#[test]
fn choices_and_bounds() {
    told(
        "choices",
        &[
            (
                "retention = ",
                "storage_type = \"gp4\"\nremoval_policy = \"keep\"\nretention = ",
            ),
            ("\"lose_instance\"", "\"loose_instance\"\ndefault_rows = 0"),
            ("health\" }", "health\", expect = 99999999999999999999 }"),
        ],
    );
}

#[test]
fn lists_that_are_empty_or_repeat() {
    told(
        "lists",
        &[
            (
                "tunnel = [\"forward\", \"{local_port}\", \"{host}:{port}\"]",
                "tunnel = []",
            ),
            ("[\"sg-0a1b2c3d4e5f60718\"]", "[]"),
            (
                "[\"public.orders\"]",
                "[\"public.orders\", \"public.orders\"]",
            ),
            (
                "[\"original\", \"recovery\"]",
                "[\"original\", \"recovery\", \"original\"]",
            ),
        ],
    );
}

#[test]
fn databases_and_applications_that_are_not_there() {
    told(
        "unknown_names",
        &[
            ("like = \"original\"", "like = \"orginal\""),
            (
                "[\"original\", \"recovery\"]",
                "[\"original\", \"recover\", \"standby\"]",
            ),
            ("application = \"shop\"", "application = \"sgpt\""),
        ],
    );
}

#[test]
fn like_in_a_circle() {
    told(
        "like_circle",
        &[
            ("retention = \"7d\"", "retention = \"7d\"\nlike = \"third\""),
            (
                "[applications.shop]",
                "[databases.third]\nlike = \"recovery\"\ninstance = \"third\"\nsecret = \"third\"\nadmin_secret = \"third_admin\"\n\n[applications.shop]",
            ),
        ],
    );
}

#[test]
fn like_itself() {
    told(
        "like_itself",
        &[("like = \"original\"", "like = \"recovery\"")],
    );
}

#[test]
fn an_error_of_a_base_is_told_once() {
    told(
        "base_error",
        &[
            ("class = \"db.r6g.large\"", "class = \"large\""),
            ("retention = \"7d\"\n", ""),
        ],
    );
}

#[test]
fn two_databases_that_are_one() {
    told(
        "same_instance",
        &[("instance = \"orders-recovery\"", "instance = \"orders\"")],
    );
}

#[test]
fn secrets_that_stand_for_two_things() {
    told(
        "secrets",
        &[
            (
                "admin_secret = \"rds/orders_admin\"",
                "admin_secret = \"rds/orders\"",
            ),
            (
                "secret = \"rds/orders_recovery\"",
                "secret = \"rds/orders\"",
            ),
            ("\"shop/active\"", "\"rds/orders_recovery_admin\""),
        ],
    );
}

#[test]
fn administration_and_roles_that_do_not_go_together() {
    told(
        "role_without_admin",
        &[("admin_secret = \"rds/orders_admin\"\n", "")],
    );
    told("admin_without_role", &[("role = \"shop_app\"\n", "")]);
}

#[test]
fn two_applications_on_one_database() {
    told(
        "two_applications",
        &[(
            "[drill]",
            "[applications.worker]\ndatabases = [\"original\"]\nrole = \"worker_app\"\nactive = { pointer = \"shop/active\" }\n\n[drill]",
        )],
    );
}

#[test]
fn tunnels_that_lead_nowhere() {
    told(
        "tunnel",
        &[(
            "[\"forward\", \"{local_port}\", \"{host}:{port}\"]",
            "[\"forward\", \"{localport}\", '{\"host\": \"{host}\"}']",
        )],
    );
}

#[test]
fn an_active_database_named_nowhere_or_twice() {
    told(
        "active_neither",
        &[("{ pointer = \"shop/active\" }", "{ field = \"name\" }")],
    );
    told(
        "active_both",
        &[(
            "\"shop/active\" }",
            "\"shop/active\", copy = \"shop/copy\" }",
        )],
    );
    told(
        "active_field",
        &[(
            "{ pointer = \"shop/active\" }",
            "{ copy = \"shop/copy\", field = \"name\" }",
        )],
    );
}

#[test]
fn one_name_for_two_things() {
    told(
        "named_twice",
        &[
            ("[applications.shop]", "[applications.original]"),
            ("application = \"shop\"", "application = \"original\""),
        ],
    );
}

#[test]
fn a_secret_copied_from_its_arn() {
    told(
        "arn_end",
        &[
            ("\"rds/orders\"", "\"rds/orders-a1B2c3\""),
            ("\"shop/active\"", "\"shop/active-secret\""),
        ],
    );
}

#[test]
fn a_drill_that_is_torn_apart() {
    told(
        "drill_apart",
        &[("[\"original\", \"recovery\"]", "[\"recovery\"]")],
    );
    told(
        "two_disasters",
        &[(
            "\"lose_instance\"",
            "{ drop_table = \"public.a\", delete_rows = \"public.b\" }",
        )],
    );
    told("no_disaster", &[("\"lose_instance\"", "{}")]);
}

const EXTRAS: &str = r#"
[migrations]
tool = "liquibase"
changelog = "../changelog/main.xml"

[commands.warm]
program = ["warm", "{table}"]
arguments = { table = "text" }
secrets = { PGPASSWORD = { secret = "rds/reader", field = "password" } }
"#;

/// Spoils the sound file with migrations and a command in it.
#[track_caller]
fn told_with_extras(name: &str, changes: &[(&str, &str)]) {
    let text = format!("{SOUND}{EXTRAS}");
    assert_eq!(diagnostics(&text), []);
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in the file");
        text.replacen(from, to, 1)
    });
    told_of(name, &text);
}

#[test]
fn migrations() {
    told_with_extras(
        "migrations",
        &[
            ("tool = \"liquibase\"", "tool = \"liquidbase\""),
            (
                "changelog = \"../changelog/main.xml\"",
                "changelog = \"~/main.xml\"\ncontext = [\"prod\"]\nschema = \"o p s\"\nprogram = []\nwithin = 30",
            ),
        ],
    );
    told_with_extras(
        "migrations_without",
        &[(
            "tool = \"liquibase\"\nchangelog = \"../changelog/main.xml\"\n",
            "",
        )],
    );
    told_with_extras(
        "migrations_outside",
        &[("main.xml\"", "main.xml\"\nsearch_path = \"../changelogs\"")],
    );
}

#[test]
fn commands() {
    told_with_extras(
        "commands_holes",
        &[
            (
                "\"{table}\"",
                "\"--t={tabel}\", \"{pgpassword}\", \"{rows}\", '{\"own\": 1}'",
            ),
            (
                "{ table = \"text\" }",
                "{ table = \"text\", unused = \"integer\" }",
            ),
        ],
    );
    told_with_extras(
        "commands_program",
        &[("\"warm\", \"{table}\"", "\"{table}\"")],
    );
    told_with_extras("commands_empty", &[("[\"warm\", \"{table}\"]", "[]")]);
    told_with_extras(
        "commands_values",
        &[
            (
                "table = \"text\"",
                "table = \"txt\", \"other-one\" = \"table\"",
            ),
            (
                "secret = \"rds/reader\"",
                "secret = \"rds/reader-a1B2c3\", key = \"a\"",
            ),
            (
                "PGPASSWORD =",
                "\"PG PASSWORD\" = { field = \"a\" }, PGPASSWORD =",
            ),
        ],
    );
    told_with_extras(
        "commands_without_program",
        &[("program = [\"warm\", \"{table}\"]\n", "repeatable = 1\n")],
    );
}

const DEPLOYED: &str = r#"
[dms]
subnet_group = "orders-dms"
security_groups = ["sg-0a1b2c3d4e5f60718"]
secret_access_role = "arn:aws:iam::123456789012:role/dms-reads-secrets"
tls = "verify-full"
certificate = "arn:aws:dms:eu-central-1:123456789012:cert:RDSCA"

[stack]
file = "../stacks/config.py"
section = ["CONFIG", "prod"]

[stack.settings]
recovery_enabled = "recovery exists"

[commands.deploy]
program = ["deploy", "{value}"]
arguments = { value = "text" }

[commands.deployed]
program = ["deployed"]

[applications.reports]
databases = ["original", "recovery"]
role = "shop_app"
active = { stack = { apply = "deploy", read = "deployed" } }
"#;

/// Spoils a file with DMS and a stack.
#[track_caller]
fn told_deployed(name: &str, changes: &[(&str, &str)]) {
    let sound = format!("{SOUND}{DEPLOYED}");
    assert_eq!(diagnostics(&sound), []);
    let text = changes.iter().fold(sound, |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in the file");
        text.replacen(from, to, 1)
    });
    told_of(name, &text);
}

#[test]
fn dms() {
    told_deployed(
        "dms_values",
        &[
            ("\"orders-dms\"", "\"Orders DMS\""),
            ("role/dms-reads-secrets\"", "user/dms\""),
            ("tls = \"verify-full\"", "tls = \"verify_full\""),
            (":cert:RDSCA", ":rep:RDSCA"),
        ],
    );
    told_deployed(
        "dms_missing",
        &[
            (
                "subnet_group = \"orders-dms\"\nsecurity_groups = [\"sg-0a1b2c3d4e5f60718\"]\n",
                "",
            ),
            (
                "certificate = \"arn:aws:dms:eu-central-1:123456789012:cert:RDSCA\"\n",
                "",
            ),
        ],
    );
    told_deployed(
        "dms_unverified",
        &[("tls = \"verify-full\"", "tls = \"require\"")],
    );
    told_deployed("dms_unverified_default", &[("tls = \"verify-full\"\n", "")]);
}

#[test]
fn dms_takes_the_security_groups_of_the_network() {
    let text = format!("{SOUND}{DEPLOYED}")
        .replace(
            "subnet_group = \"orders-dms\"\nsecurity_groups = [\"sg-0a1b2c3d4e5f60718\"]\n",
            "subnet_group = \"orders-dms\"\n",
        )
        .replace(
            "[access]",
            "[network]\nsecurity_groups = [\"sg-0000000a\"]\n\n[access]",
        );
    let loaded = load("prod", SourceId(0), &text, Path::new(""));
    assert_eq!(loaded.diagnostics, []);
    let dms = loaded
        .environment
        .expect("no diagnostics")
        .dms
        .expect("it is said");
    assert_eq!(dms.security_groups, ["sg-0000000a"]);
}

#[test]
fn the_settings_of_a_stack() {
    told_deployed(
        "stack_values",
        &[
            ("config.py\"", "config.json\""),
            ("[\"CONFIG\", \"prod\"]", "[\"CON FIG\", \"prod\"]"),
            (
                "recovery_enabled = \"recovery exists\"",
                "\"recovery enabled\" = \"recovery exists\"\nkeep = true\nother = \" \"",
            ),
        ],
    );
    told_deployed(
        "stack_without_file",
        &[("file = \"../stacks/config.py\"\n", "")],
    );
    told_deployed(
        "stack_without_section",
        &[("section = [\"CONFIG\", \"prod\"]\n", "")],
    );
    told_deployed("stack_empty_section", &[("[\"CONFIG\", \"prod\"]", "[]")]);
    told_deployed(
        "stack_empty",
        &[("recovery_enabled = \"recovery exists\"\n", "")],
    );
    told_deployed(
        "stack_without_settings",
        &[(
            "\n[stack.settings]\nrecovery_enabled = \"recovery exists\"\n",
            "",
        )],
    );
}

/// What is wrong with an expression is told by the language's own pass, at its place in this file.
#[test]
fn expressions_of_settings_are_checked() {
    let text = format!("{SOUND}{DEPLOYED}").replace(
        "recovery_enabled = \"recovery exists\"",
        "a = \"recovry exists\"\nb = \"recovery exist\"\nc = 'age(now)'\nd = \"active_secret(shop)\"\ne = \"removal_policy(shop)\"\nf = \"recovery\\u0020exists and\"",
    );
    let diagnostics = diagnostics(&text);
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("stack_expressions", rendered(&text, &diagnostics));
    });
    assert!(
        load("prod", SourceId(0), &text, Path::new(""))
            .environment
            .is_none()
    );
}

#[test]
fn settings_keep_the_order_of_the_file() {
    let text = format!("{SOUND}{DEPLOYED}").replace(
        "recovery_enabled = \"recovery exists\"",
        "z = \"recovery exists\"\na = \"original exists\"\nm = \"secret(recovery)\"",
    );
    let loaded = load("prod", SourceId(0), &text, Path::new(""));
    let stack = loaded
        .environment
        .and_then(|environment| environment.stack)
        .expect("it is said");
    let names: Vec<&str> = stack
        .settings
        .iter()
        .map(|setting| setting.name.as_str())
        .collect();
    assert_eq!(names, ["z", "a", "m"]);
}

#[test]
fn an_active_database_that_the_stack_names() {
    told_deployed(
        "stack_unknown_command",
        &[("apply = \"deploy\"", "apply = \"deplyo\"")],
    );
    told_deployed("stack_without_read", &[(", read = \"deployed\"", "")]);
    told_deployed(
        "stack_apply_without_value",
        &[("apply = \"deploy\"", "apply = \"deployed\"")],
    );
    told_deployed(
        "stack_read_with_argument",
        &[("read = \"deployed\"", "read = \"deploy\"")],
    );
    told_deployed(
        "stack_apply_with_more",
        &[(
            "[\"deploy\", \"{value}\"]\narguments = { value = \"text\" }",
            "[\"deploy\", \"{value}\", \"{stage}\"]\narguments = { value = \"text\", stage = \"text\" }",
        )],
    );
    told_deployed(
        "stack_apply_of_another_type",
        &[(
            "arguments = { value = \"text\" }",
            "arguments = { value = \"integer\" }",
        )],
    );
    told_deployed(
        "stack_and_pointer",
        &[("{ stack = {", "{ pointer = \"a\", stack = {")],
    );
    told_deployed(
        "stack_with_field",
        &[("{ stack = {", "{ field = \"a\", stack = {")],
    );
    told_deployed(
        "stack_of_texts",
        &[(
            "{ stack = { apply = \"deploy\", read = \"deployed\" } }",
            "{ stack = \"deploy\" }",
        )],
    );
}

#[test]
fn a_command_that_is_wrong_itself_is_told_once() {
    told_deployed(
        "stack_command_wrong",
        &[("program = [\"deployed\"]", "program = []")],
    );
}

/// The registry is in order, and holds no code that no test tells.
#[test]
fn every_code_is_registered_once_and_told() {
    let codes: Vec<&str> = CODES.iter().map(|(code, _)| code.0).collect();
    assert!(codes.is_sorted_by(|one, next| one < next));

    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/environment");
    let mut told = String::new();
    for folder in ["tests/snapshots", "snapshots"] {
        for file in std::fs::read_dir(environment.join(folder)).expect("a folder") {
            let file = file.expect("an entry").path();
            told.push_str(&std::fs::read_to_string(file).expect("a snapshot"));
        }
    }
    let untold: Vec<&str> = codes
        .into_iter()
        .filter(|code| !told.contains(code))
        .collect();
    assert_eq!(untold, Vec::<&str>::new());
}

#[test]
fn a_file_that_nests_too_deep() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let told: Vec<String> = diagnostics(&deep)
        .into_iter()
        .map(|diagnostic| diagnostic.message)
        .collect();
    insta::assert_debug_snapshot!(told);
}

#[test]
fn a_long_chain_of_likes_is_followed_to_its_end() {
    let chain: String = (1..2_000)
        .map(|number| {
            format!(
                "[databases.d{number}]\nlike = \"{}\"\ninstance = \"i{number}\"\nsecret = \"s{number}\"\nadmin_secret = \"a{number}\"\n",
                if number == 1 { "original".to_owned() } else { format!("d{}", number - 1) }
            )
        })
        .collect();
    let text = format!("{SOUND}{chain}");
    let loaded = load("prod", SourceId(0), &text, Path::new(""));
    assert_eq!(loaded.diagnostics, []);
    let last = loaded.environment.expect("no diagnostics").databases[&"d1999".into()].clone();
    assert_eq!(last.class, "db.r6g.large");
}

proptest! {
    /// Whatever is done to a file: it is read or told, places are within the text, and every fix can be applied.
    #[test]
    fn no_file_makes_it_panic(
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..30_usize, "[a-z0-9 .\"'{}\\[\\]=,\n#ä-]{0,6}"),
            1..5,
        ),
    ) {
        let mut text = SOUND.to_owned();
        for (at, length, put) in edits {
            let near = |mut offset: usize| {
                while !text.is_char_boundary(offset) {
                    offset -= 1;
                }
                offset
            };
            let start = near(at.index(text.len() + 1));
            let end = near((start + length).min(text.len())).max(start);
            text.replace_range(start..end, &put);
        }
        let loaded = load("prod", SourceId(0), &text, Path::new(""));
        assert!(loaded.environment.is_some() != has_errors(&loaded.diagnostics));
        for diagnostic in &loaded.diagnostics {
            assert!(text.get(diagnostic.primary.span.start as usize..diagnostic.primary.span.end as usize).is_some());
            let _ = mended(&text, diagnostic);
        }
    }
}
