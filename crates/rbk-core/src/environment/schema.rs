//! The JSON Schema of environment files, for editors.
//!
//! The types below are the file's form, for the schema alone: the reader walks the document by hand, because it
//! tells every mistake at its place. Tests hold the two together, key by key and text by text. What spans several
//! tables (`like`, shared secrets, roles) is beyond a schema.
#![expect(dead_code, reason = "the types are described, never built")]

use super::forms;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The JSON Schema (draft 7, which editors know best) of environment files.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.root_schema_for::<EnvironmentForm>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema.to_value()
}

/// TOML has no null: a key that need not be there is left out.
fn without_null(schema: &mut Schema) {
    for list in ["type", "enum"] {
        if let Some(Value::Array(values)) = schema.get_mut(list) {
            values.retain(|value| !value.is_null() && value != "null");
        }
    }
    if let Some([only]) = schema
        .get("type")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        let only = only.clone();
        schema.insert("type".to_owned(), only);
    }
    if let Some(Value::Array(mut choices)) = schema.remove("anyOf") {
        choices.retain(|choice| choice != &json!({ "type": "null" }));
        // Behind one choice alone stands a reference; draft 7 wants it away from a description.
        let key = if choices.len() == 1 { "allOf" } else { "anyOf" };
        schema.insert(key.to_owned(), Value::Array(choices));
    }
}

/// A text with a form: `name: form`.
macro_rules! texts {
    ($($name:ident: $form:ident,)*) => {$(
        struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                text(&forms::$form)
            }
        }
    )*};
}

texts! {
    Account: ACCOUNT,
    Address: ADDRESS,
    Class: CLASS,
    Column: COLUMN,
    Context: CONTEXT,
    DatabaseName: DATABASE,
    DmsCertificate: DMS_CERTIFICATE,
    DmsSubnetGroup: DMS_SUBNET_GROUP,
    Duration: DURATION,
    Expression: EXPRESSION,
    Extension: EXTENSION,
    Field: FIELD,
    IamRole: IAM_ROLE,
    Instance: INSTANCE,
    Name: NAME,
    NumberedWrite: NUMBERED_WRITE,
    ParameterGroup: PARAMETER_GROUP,
    Path: PATH,
    PythonFile: PYTHON_FILE,
    Retention: RETENTION,
    Role: ROLE,
    SchemaName: SCHEMA,
    SecretName: SECRET,
    SecurityGroup: SECURITY_GROUP,
    SqlExpression: SQL_EXPRESSION,
    SubnetGroup: SUBNET_GROUP,
    Table: TABLE,
    TagValue: TAG_VALUE,
    RegionName: REGION,
}

fn text(form: &forms::Form) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": form.pattern,
        "maxLength": form.longest,
        "examples": [form.example],
    })
}

fn names(form: &forms::Form) -> Value {
    json!({ "pattern": form.pattern, "maxLength": form.longest })
}

/// What the names in a runbook stand for: accounts, databases, applications and how to reach them.
#[derive(JsonSchema)]
#[schemars(rename = "Environment", deny_unknown_fields)]
struct EnvironmentForm {
    /// The AWS region.
    region: RegionName,
    /// The AWS account that it must be. Proven before anything else.
    account: Account,
    /// Defaults for all databases.
    network: Option<NetworkForm>,
    /// How this machine reaches the databases; left out: directly.
    access: Option<AccessForm>,
    /// The databases, by the names that runbooks write.
    #[schemars(extend("propertyNames" = names(&forms::NAME), "minProperties" = 1))]
    databases: BTreeMap<String, DatabaseForm>,
    /// The applications, by the names that runbooks write.
    #[schemars(extend("propertyNames" = names(&forms::NAME)))]
    applications: Option<BTreeMap<String, ApplicationForm>>,
    /// What runbooks' parameters are in this environment unless `--set` says otherwise.
    #[schemars(extend("propertyNames" = names(&forms::NAME)))]
    parameters: Option<BTreeMap<String, PlainForm>>,
    /// The tool that brings schemas up; left out where no runbook says `migrate`.
    migrations: Option<MigrationsForm>,
    /// Where DMS runs, and how it logs in; left out where no runbook replicates with it.
    dms: Option<DmsForm>,
    /// The settings of the deployed stack that a recovery changes.
    stack: Option<StackForm>,
    /// What `run NAME` runs, by name.
    #[schemars(extend("propertyNames" = names(&forms::NAME)))]
    commands: Option<BTreeMap<String, CommandForm>>,
    /// Who must say yes.
    approvals: Option<ApprovalsForm>,
    /// Where journals are kept.
    journal: Option<JournalForm>,
    /// What a drill puts into the sandbox.
    drill: Option<DrillForm>,
}

/// A value as a runbook would write it.
struct PlainForm;

impl JsonSchema for PlainForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Plain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

/// What each database has that doesn't say otherwise.
#[derive(JsonSchema)]
#[schemars(rename = "Network", deny_unknown_fields)]
struct NetworkForm {
    /// A DB subnet group.
    subnet_group: Option<SubnetGroup>,
    /// Ids of security groups.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    security_groups: Option<Vec<SecurityGroup>>,
}

/// How this machine reaches the databases.
#[derive(JsonSchema)]
#[schemars(rename = "Access", deny_unknown_fields)]
struct AccessForm {
    /// A command that forwards a local port, with `{host}`, `{port}` and `{local_port}` in it.
    #[schemars(extend("allOf" = [
        { "contains": { "pattern": "\\{host\\}" } },
        { "contains": { "pattern": "\\{port\\}" } },
        { "contains": { "pattern": "\\{local_port\\}" } },
    ]))]
    tunnel: Option<Vec<Argument>>,
    /// PEM file of the certificate authorities to trust, from this file's folder; left out: the system's.
    ca: Option<Path>,
    /// How long one connection attempt may take.
    #[schemars(extend("default" = "10s"))]
    connect_timeout: Option<Duration>,
}

/// A word of the tunnel command, without unknown placeholders.
struct Argument;

impl JsonSchema for Argument {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Argument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "not": { "pattern": "\\{(?!(host|port|local_port)\\})[a-z_]+\\}" },
        })
    }
}

/// A database: an instance that exists or that a restore would create.
#[derive(JsonSchema)]
#[schemars(
    rename = "Database",
    deny_unknown_fields,
    extend("anyOf" = [
        { "required": ["like"] },
        { "required": ["database", "class", "parameter_group", "retention"] },
    ])
)]
struct DatabaseForm {
    /// Another database: this one is the same but for what is said here, its instance and its secrets.
    like: Option<Name>,
    /// The RDS instance.
    instance: Instance,
    /// The database in it.
    database: Option<DatabaseName>,
    /// The instance class.
    class: Option<Class>,
    /// A DB subnet group; left out: the one of `[network]`.
    subnet_group: Option<SubnetGroup>,
    /// Ids of security groups; left out: those of `[network]`.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    security_groups: Option<Vec<SecurityGroup>>,
    /// A custom or default DB parameter group.
    parameter_group: Option<ParameterGroup>,
    /// Whether it has a standby in another zone.
    #[schemars(extend("default" = false))]
    multi_az: Option<bool>,
    /// Whether it has a public address.
    #[schemars(extend("default" = false))]
    publicly_accessible: Option<bool>,
    /// The type of its storage; left out: as the source of a restore had it.
    storage_type: Option<StorageForm>,
    /// Whether IAM logins are on.
    #[schemars(extend("default" = false))]
    iam_authentication: Option<bool>,
    /// How long automated backups are kept.
    retention: Option<Retention>,
    /// Refused by destructive statements; sets RDS's deletion protection.
    #[schemars(extend("default" = true))]
    protect: Option<bool>,
    /// What `destroy … by its removal policy` does.
    #[schemars(extend("default" = "snapshot"))]
    removal_policy: Option<RemovalForm>,
    /// The secret with the master user's credentials; left out where the application logs in as the master user.
    admin_secret: Option<SecretName>,
    /// The secret with the credentials that the application uses.
    secret: SecretName,
    /// What must hold for its data to be believed.
    checks: Option<ChecksForm>,
    /// Tags that a created instance gets besides rbk's own.
    #[schemars(extend("propertyNames" = names(&forms::TAG_KEY), "maxProperties" = super::databases::MOST_TAGS))]
    tags: Option<BTreeMap<String, TagValue>>,
}

#[derive(JsonSchema)]
#[schemars(rename = "StorageType", rename_all = "lowercase", inline)]
enum StorageForm {
    Gp2,
    Gp3,
    Io1,
    Io2,
    Standard,
}

#[derive(JsonSchema)]
#[schemars(rename = "RemovalPolicy", rename_all = "lowercase", inline)]
enum RemovalForm {
    /// A final snapshot, then deletion.
    Snapshot,
    /// Deletion.
    Destroy,
    /// It stays.
    Retain,
}

/// What must hold for a database's data to be believed.
#[derive(JsonSchema)]
#[schemars(rename = "Checks", deny_unknown_fields)]
struct ChecksForm {
    /// Tables that must hold at least one row.
    #[schemars(extend("uniqueItems" = true))]
    not_empty: Option<Vec<Table>>,
    /// A column of times whose newest must not be older.
    fresh: Option<FreshForm>,
}

/// A column of times and how old its newest may be.
#[derive(JsonSchema)]
#[schemars(rename = "Fresh", deny_unknown_fields)]
struct FreshForm {
    /// The column, with its schema and table.
    column: Column,
    /// How old its newest value may be.
    within: Duration,
}

/// An application: who uses the databases, and where its active one is named.
#[derive(JsonSchema)]
#[schemars(rename = "Application", deny_unknown_fields)]
struct ApplicationForm {
    /// The databases that it may use.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    databases: Vec<Name>,
    /// The role that it logs in with; left out where that is the master user.
    role: Option<Role>,
    /// Where its active database is named.
    active: ActiveForm,
    /// How to ask it whether it is well.
    health: Option<HealthForm>,
}

/// Commands of `[commands]`.
#[derive(JsonSchema)]
#[schemars(rename = "ActiveStack", deny_unknown_fields)]
struct ActiveStackForm {
    /// What deploys it, with an argument `value`: the name of the secret; left out: a person does.
    apply: Option<Name>,
    /// What says in its last line which secret is deployed.
    read: Name,
}

#[derive(JsonSchema)]
#[schemars(rename = "Active", untagged, deny_unknown_fields)]
enum ActiveForm {
    /// A secret whose value is the name of the active database's secret.
    Pointer {
        /// That secret.
        pointer: SecretName,
        /// The key that holds the name where the value is a JSON object; left out: the value is the name.
        field: Option<Field>,
    },
    /// A setting of the deployed stack, which names the active database's secret.
    Stack {
        /// How it is deployed and read.
        stack: ActiveStackForm,
    },
    /// A secret that holds a copy of the active database's credentials.
    Copy {
        /// That secret.
        copy: SecretName,
    },
}

/// An HTTP question whose answer says whether an application is well.
#[derive(JsonSchema)]
#[schemars(rename = "Health", deny_unknown_fields)]
struct HealthForm {
    /// The address to ask.
    http: Address,
    /// The status that means yes.
    #[schemars(range(min = 100, max = 599), extend("default" = 200))]
    expect: Option<u16>,
}

/// The tool that brings schemas up.
#[derive(JsonSchema)]
#[schemars(rename = "Migrations", deny_unknown_fields)]
struct MigrationsForm {
    /// Which one.
    tool: ToolForm,
    /// Its main file.
    changelog: Path,
    /// The folder that paths within the changelog are relative to, and by which change sets are known; left out: the
    /// changelog's.
    search_path: Option<Path>,
    /// The program and what comes before rbk's own arguments; left out: `liquibase` of the `PATH`.
    #[schemars(extend("minItems" = 1))]
    program: Option<Vec<String>>,
    /// Liquibase's contexts, for instance to leave out what seeds data.
    #[schemars(extend("uniqueItems" = true))]
    contexts: Option<Vec<Context>>,
    /// The schema that the tool keeps its own tables in.
    #[schemars(extend("default" = "public"))]
    schema: Option<SchemaName>,
    /// How long it may take.
    #[schemars(extend("default" = "30m"))]
    within: Option<Duration>,
}

/// Where DMS runs, and how it logs in to the databases.
#[derive(JsonSchema)]
#[schemars(rename = "Dms", deny_unknown_fields)]
struct DmsForm {
    /// A replication subnet group of DMS: not the databases' DB subnet group.
    subnet_group: DmsSubnetGroup,
    /// Ids of security groups; left out: those of `[network]`.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    security_groups: Option<Vec<SecurityGroup>>,
    /// The role by which DMS reads the databases' secrets itself; left out: rbk gives address and credentials in the call.
    secret_access_role: Option<IamRole>,
    /// TLS towards the databases.
    #[schemars(extend("default" = "require"))]
    tls: Option<DmsTlsForm>,
    /// The certificate authority in DMS that `verify-ca` and `verify-full` verify by.
    certificate: Option<DmsCertificate>,
}

#[derive(JsonSchema)]
#[schemars(rename = "DmsTls", rename_all = "kebab-case", inline)]
enum DmsTlsForm {
    /// Plain.
    None,
    /// Encrypted, whoever answers.
    Require,
    /// By the certificate authority.
    VerifyCa,
    /// And by the name.
    VerifyFull,
}

/// The settings of the deployed stack that a recovery changes.
#[derive(JsonSchema)]
#[schemars(
    rename = "Stack",
    deny_unknown_fields,
    extend("anyOf" = [
        { "required": ["file", "section"] },
        { "not": { "anyOf": [{ "required": ["file"] }, { "required": ["section"] }] } },
    ])
)]
struct StackForm {
    /// The Python file that holds them as literals, from this file's folder. Read, never executed.
    file: Option<PythonFile>,
    /// The way to them in it: a variable, then keys of nested dictionaries.
    #[schemars(extend("minItems" = 1))]
    section: Option<Vec<String>>,
    /// By name what each must be, as an expression of the runbook language.
    #[schemars(extend("propertyNames" = names(&forms::SETTING), "minProperties" = 1))]
    settings: BTreeMap<String, Expression>,
}

#[derive(JsonSchema)]
#[schemars(rename = "Tool", rename_all = "lowercase", inline)]
enum ToolForm {
    /// Liquibase, the program.
    Liquibase,
}

/// A command that runbooks may run.
#[derive(JsonSchema)]
#[schemars(rename = "Command", deny_unknown_fields)]
struct CommandForm {
    /// The program and its arguments, with `{name}` for what it is given. No shell reads it.
    #[schemars(extend("minItems" = 1))]
    program: Vec<String>,
    /// The types of what it is given, by name.
    #[schemars(extend("propertyNames" = names(&forms::NAME)))]
    arguments: Option<BTreeMap<String, ArgumentType>>,
    /// Variables of its environment that hold a secret, by name.
    #[schemars(extend("propertyNames" = names(&forms::VARIABLE)))]
    secrets: Option<BTreeMap<String, SecretForm>>,
    /// How long it may take.
    #[schemars(extend("default" = "10m"))]
    within: Option<Duration>,
    /// Whether running it twice does no harm. Otherwise a person must say what became of one that was cut off.
    #[schemars(extend("default" = false))]
    repeatable: Option<bool>,
}

/// A type of the language.
struct ArgumentType;

impl JsonSchema for ArgumentType {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ArgumentType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = super::commands::TYPES
            .iter()
            .map(|(word, _)| *word)
            .collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

/// A secret's current value, or one key of it.
#[derive(JsonSchema)]
#[schemars(rename = "SecretField", deny_unknown_fields)]
struct SecretForm {
    /// The secret.
    secret: SecretName,
    /// The key of its JSON object; left out: the whole value.
    field: Option<Field>,
}

/// Who must say yes.
#[derive(JsonSchema)]
#[schemars(rename = "Approvals", deny_unknown_fields)]
struct ApprovalsForm {
    /// Whether a run without a terminal may take every approval as given.
    #[schemars(extend("default" = false))]
    unattended: Option<bool>,
}

/// Where journals are kept.
#[derive(JsonSchema)]
#[schemars(rename = "Journal", deny_unknown_fields)]
struct JournalForm {
    /// A folder, from this file's folder; left out: the user's state directory.
    directory: Option<Path>,
}

/// What a drill puts into the sandbox: SQL files, never code.
#[derive(JsonSchema)]
#[schemars(rename = "Drill", deny_unknown_fields)]
struct DrillForm {
    /// The database that is created with data; it exists before the disaster.
    database: Name,
    /// The application that uses it.
    application: Option<Name>,
    /// Extensions that the instance offers.
    #[schemars(extend("uniqueItems" = true))]
    extensions: Option<Vec<Extension>>,
    /// SQL files that make the schema, run once by the master user, in order.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    schema: Vec<Path>,
    /// A SQL file that writes rows, with `:from` and `:to` in it: the first and the last number of a batch.
    rows: Path,
    /// How many rows are written before the snapshot unless `--rows` says otherwise.
    #[schemars(range(min = 1, max = super::drill::MOST_ROWS), extend("default" = super::drill::DEFAULT_ROWS))]
    default_rows: Option<u64>,
    /// What happens to the database.
    disaster: DisasterForm,
    /// What the application does meanwhile.
    traffic: Option<TrafficForm>,
}

/// What the application's stand-in writes and reads while a drill goes on. What it was promised is looked for in the end.
#[derive(JsonSchema)]
#[schemars(rename = "Traffic", deny_unknown_fields)]
struct TrafficForm {
    /// The table that it writes to; a partitioned one by its parent.
    table: Table,
    /// One statement that writes one row, with `:number` in it: the write's number, from 1.
    write: NumberedWrite,
    /// A condition on the table's columns that picks the stand-in's rows out of all.
    rows: SqlExpression,
    /// An expression over the table's columns that is such a row's number.
    number: SqlExpression,
}

#[derive(JsonSchema)]
#[schemars(rename = "Disaster", rename_all = "snake_case")]
enum DisasterForm {
    /// A table is dropped, with all that depends on it.
    DropTable(Table),
    /// All rows of a table are deleted.
    DeleteRows(Table),
    /// The instance fails for good.
    LoseInstance,
}

#[cfg(test)]
mod tests;
