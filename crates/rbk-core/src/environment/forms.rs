//! The forms that texts must have: AWS's rules for identifiers, Postgres names, addresses, durations.
//!
//! Each form is a function for the reader and a pattern for the JSON Schema; a test holds them together.

/// A rule for a text.
#[derive(Debug)]
pub struct Form {
    /// What such a text is: `an AWS account`.
    pub what: &'static str,
    /// The rule in words: `twelve digits`.
    pub rule: &'static str,
    /// One that fits.
    pub example: &'static str,
    /// The same rule as a regular expression.
    pub pattern: &'static str,
    /// The most characters that it may have.
    pub longest: usize,
    test: fn(&str) -> bool,
}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl Form {
    /// Whether a text has the form.
    pub fn fits(&self, text: &str) -> bool {
        text.chars().count() <= self.longest && (self.test)(text)
    }

    /// What was probably meant by a text that doesn't have the form.
    pub fn mend(&self, text: &str) -> Option<String> {
        if !text.chars().any(char::is_alphanumeric) {
            return None;
        }
        let lower = text.to_lowercase();
        let meant = [
            lower.replace('_', "-"),
            text.replace(['-', ' '], "_"),
            name_of_arn(text).unwrap_or_default().to_owned(),
        ];
        std::iter::once(lower)
            .chain(meant)
            .find(|meant| !meant.is_empty() && self.fits(meant))
    }
}

/// The name of the secret that an ARN names.
fn name_of_arn(arn: &str) -> Option<&str> {
    let (_, name) = arn
        .strip_prefix("arn:")?
        .split_once(":secretsmanager:")?
        .1
        .split_once(":secret:")?;
    let (stem, end) = name.rsplit_once('-')?;
    (end.len() == 6).then_some(stem)
}

/// The text without what stands between `://` and `@`: it may be a password.
pub fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (head, tail) = (text.get(..scheme + 3), text.get(at..));
            format!("{}…{}", head.unwrap_or(""), tail.unwrap_or(""))
        }
        _ => text.to_owned(),
    }
}

/// `123456789012`.
pub static ACCOUNT: Form = Form {
    what: "an AWS account",
    rule: "twelve digits",
    example: "123456789012",
    pattern: "^[0-9]{12}$",
    longest: 12,
    test: |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()),
};

/// `eu-central-1`.
pub static REGION: Form = Form {
    what: "an AWS region",
    rule: "lowercase words and a number, joined by hyphens",
    example: "eu-central-1",
    pattern: "^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$",
    longest: 40,
    test: |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let [area, words @ .., number] = parts.as_slice() else {
            return false;
        };
        (2..=4).contains(&area.len())
            && lowercase(area)
            && !words.is_empty()
            && words.iter().all(|word| !word.is_empty() && lowercase(word))
            && (1..=2).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
    },
};

/// An RDS instance identifier. Source: `RestoreDBInstanceFromDBSnapshot`; RDS stores it in lowercase.
pub static INSTANCE: Form = Form {
    what: "an RDS instance identifier",
    rule: "1 to 63 lowercase letters, digits and single hyphens, beginning with a letter and not ending in a hyphen",
    example: "orders-recovery",
    pattern: "^[a-z](-?[a-z0-9])*$",
    longest: 63,
    test: hyphenated,
};

/// A custom or default DB parameter group. Source: `CreateDBParameterGroup`.
pub static PARAMETER_GROUP: Form = Form {
    what: "a DB parameter group",
    rule: "lowercase letters, digits and single hyphens, beginning with a letter, or `default.` and a family",
    example: "default.postgres16",
    pattern: "^(default\\.[a-z0-9.-]+|[a-z](-?[a-z0-9])*)$",
    longest: 255,
    test: |text| match text.strip_prefix("default.") {
        Some(family) => {
            !family.is_empty()
                && family
                    .bytes()
                    .all(|byte| lower_or_digit(byte) || matches!(byte, b'.' | b'-'))
        }
        None => hyphenated(text),
    },
};

/// A DB subnet group. Source: `CreateDBSubnetGroup`.
pub static SUBNET_GROUP: Form = Form {
    what: "a DB subnet group",
    rule: "lowercase letters, digits, periods, underscores, spaces and hyphens, beginning with a letter",
    example: "orders-db",
    pattern: "^[a-z][a-z0-9._ -]*$",
    longest: 255,
    test: |text| {
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| lower_or_digit(byte) || matches!(byte, b'.' | b'_' | b' ' | b'-'))
    },
};

/// A VPC security group, by id.
pub static SECURITY_GROUP: Form = Form {
    what: "the id of a security group",
    rule: "`sg-` and 8 or 17 hexadecimal digits; RDS takes ids, not names",
    example: "sg-0a1b2c3d4e5f60718",
    pattern: "^sg-([0-9a-f]{8}|[0-9a-f]{17})$",
    longest: 20,
    test: |text| {
        text.strip_prefix("sg-").is_some_and(|id| {
            matches!(id.len(), 8 | 17)
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        })
    },
};

/// `db.r6g.large`.
pub static CLASS: Form = Form {
    what: "an RDS instance class",
    rule: "`db.`, a family and a size",
    example: "db.r6g.large",
    pattern: "^db(\\.[a-z0-9-]+){2,}$",
    longest: 60,
    test: |text| {
        let mut parts = text.split('.');
        parts.next() == Some("db")
            && parts.clone().count() >= 2
            && parts.all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| lower_or_digit(byte) || byte == b'-')
            })
    },
};

/// The name of a secret. Source: `CreateSecret`.
pub static SECRET: Form = Form {
    what: "the name of a secret",
    rule: "letters, digits and `/_+=.@-`; the name, not the ARN",
    example: "rds/orders",
    pattern: "^[A-Za-z0-9/_+=.@-]+$",
    longest: 512,
    test: |text| {
        !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'/' | b'_' | b'+' | b'=' | b'.' | b'@' | b'-')
            })
    },
};

/// A key of a secret's JSON object.
pub static FIELD: Form = Form {
    what: "a key of a secret's JSON object",
    rule: "at least one character",
    example: "active",
    pattern: ".",
    longest: 256,
    test: |text| !text.is_empty(),
};

/// The name of an environment: its file's stem.
pub static ENVIRONMENT: Form = Form {
    what: "the name of an environment",
    rule: "a file's name in `environments/` without `.toml`",
    example: "prod",
    pattern: "^(?!.*\\.(toml|lock)$)[A-Za-z0-9][A-Za-z0-9_.-]*$",
    longest: 100,
    test: |text| {
        text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && !text.ends_with(".toml")
            && !text.ends_with(".lock")
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    },
};

/// A name that runbooks write: of a database, an application, a parameter.
pub static NAME: Form = Form {
    what: "a name that a runbook can write",
    rule: "letters, digits and underscores, beginning with a letter",
    example: "orders_standby",
    pattern: "^[A-Za-z][A-Za-z0-9_]*$",
    longest: 63,
    test: |text| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    },
};

/// The name of a database in a Postgres server.
pub static DATABASE: Form = Form {
    what: "the name of a Postgres database",
    rule: "1 to 63 letters, digits, `_`, `$` and `-`, beginning with a letter or `_`",
    example: "orders",
    pattern: "^[A-Za-z_][A-Za-z0-9_$-]*$",
    longest: 63,
    test: postgres_name,
};

/// A Postgres role.
pub static ROLE: Form = Form {
    what: "the name of a Postgres role",
    rule: "1 to 63 letters, digits, `_`, `$` and `-`, beginning with a letter or `_`",
    example: "orders_app",
    pattern: "^[A-Za-z_][A-Za-z0-9_$-]*$",
    longest: 63,
    test: postgres_name,
};

/// A Postgres extension.
pub static EXTENSION: Form = Form {
    what: "the name of a Postgres extension",
    rule: "lowercase letters, digits, `_` and `-`, beginning with a letter",
    example: "vector",
    pattern: "^[a-z][a-z0-9_-]*$",
    longest: 63,
    test: |text| {
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| lower_or_digit(byte) || matches!(byte, b'_' | b'-'))
    },
};

/// `public.documents`.
pub static TABLE: Form = Form {
    what: "a table",
    rule: "a schema and a table, joined by a point, as the catalog writes them",
    example: "public.documents",
    pattern: "^[A-Za-z_][A-Za-z0-9_$]{0,62}\\.[A-Za-z_][A-Za-z0-9_$]{0,62}$",
    longest: 127,
    test: |text| path_of(text, 2),
};

/// `INSERT INTO public.events (number) VALUES (:number)`.
pub static NUMBERED_WRITE: Form = Form {
    what: "a statement that writes one row",
    rule: "one SQL statement with `:number` where the row's number goes, without a semicolon",
    example: "INSERT INTO public.events (number) VALUES (:number)",
    pattern: "^[^;]*:number[^;]*$",
    longest: 4_000,
    test: |text| text.contains(":number") && !text.contains(';'),
};

/// `user_key = 'drill'`.
pub static SQL_EXPRESSION: Form = Form {
    what: "an SQL expression",
    rule: "an expression over one row's columns, without a semicolon",
    example: "user_key = 'drill'",
    pattern: "^[^;]*[^;\\s][^;]*$",
    longest: 4_000,
    test: |text| !text.contains(';') && text.chars().any(|c| !c.is_whitespace()),
};

/// `public.documents.created_at`.
pub static COLUMN: Form = Form {
    what: "a column",
    rule: "a schema, a table and a column, joined by points, as the catalog writes them",
    example: "public.documents.created_at",
    pattern: "^[A-Za-z_][A-Za-z0-9_$]{0,62}(\\.[A-Za-z_][A-Za-z0-9_$]{0,62}){2}$",
    longest: 191,
    test: |text| path_of(text, 3),
};

/// A web address without credentials in it.
pub static ADDRESS: Form = Form {
    what: "an address that can be asked",
    rule: "`http://` or `https://` and a host, without a user or a password",
    example: "https://orders.internal/health",
    pattern: "^https?://[A-Za-z0-9.:_\\[\\]-]+([/?][^\\s\\\\]*)?$",
    longest: 2_000,
    test: |text| {
        let Some(rest) = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
        else {
            return false;
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, tail) = rest.split_at(end);
        !host.is_empty()
            && host.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'.' | b':' | b'_' | b'[' | b']' | b'-')
            })
            && !tail.contains(|c: char| c.is_whitespace() || c == '\\')
    },
};

/// A length of time as the language writes it.
pub static DURATION: Form = Form {
    what: "a length of time",
    rule: "whole numbers with `d`, `h`, `m` or `s`, longest unit first, more than nothing in all",
    example: "26h",
    pattern: "^(?=.*[1-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$",
    longest: 40,
    test: |text| seconds(text).is_some_and(|seconds| seconds > 0),
};

/// A replication subnet group of DMS. Source: `CreateReplicationSubnetGroup`; DMS stores it in lowercase.
pub static DMS_SUBNET_GROUP: Form = Form {
    what: "a DMS replication subnet group",
    rule: "lowercase letters, digits, periods, underscores and hyphens",
    example: "orders-dms",
    pattern: "^[a-z0-9._-]+$",
    longest: 255,
    test: |text| {
        !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            })
    },
};

/// A role by its ARN. Source: `PostgreSQLSettings.SecretsManagerAccessRoleArn`.
pub static IAM_ROLE: Form = Form {
    what: "the ARN of a role",
    rule: "`arn:aws:iam::`, twelve digits, `:role/` and the role's path and name",
    example: "arn:aws:iam::123456789012:role/dms-reads-secrets",
    pattern: "^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9/_+=,.@-]+$",
    longest: 2_048,
    test: |text| {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
            return false;
        };
        is_partition(partition)
            && ACCOUNT.fits(account)
            && resource.strip_prefix("role/").is_some_and(|name| {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"/_+=,.@-".contains(&byte))
            })
    },
};

/// A certificate in DMS by its ARN. Source: `ImportCertificate`.
pub static DMS_CERTIFICATE: Form = Form {
    what: "the ARN of a certificate in DMS",
    rule: "`arn:aws:dms:`, a region, an account, `:cert:` and the certificate's id",
    example: "arn:aws:dms:eu-central-1:123456789012:cert:RDSCA",
    pattern: "^arn:aws[a-z-]*:dms:[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}:[0-9]{12}:cert:[A-Za-z0-9-]+$",
    longest: 2_048,
    test: |text| {
        let parts: Vec<&str> = text.splitn(7, ':').collect();
        let ["arn", partition, "dms", region, account, "cert", id] = parts.as_slice() else {
            return false;
        };
        is_partition(partition)
            && REGION.fits(region)
            && ACCOUNT.fits(account)
            && !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    },
};

/// `aws`, `aws-cn`, `aws-us-gov`.
fn is_partition(text: &str) -> bool {
    text.strip_prefix("aws").is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

/// A Python file, from the environment file's folder.
pub static PYTHON_FILE: Form = Form {
    what: "a path to a Python file",
    rule: "a path from the folder of this file, or an absolute one, that ends in `.py`; `~` is not expanded",
    example: "../../stacks/config.py",
    pattern: "^[^~\\x00][\\s\\S]*\\.py$",
    longest: 4_096,
    test: |text| PATH.fits(text) && text.chars().count() > 3 && text.ends_with(".py"),
};

/// A variable of a Python file.
pub static PYTHON_VARIABLE: Form = Form {
    what: "a variable of a Python file",
    rule: "letters, digits and underscores, not beginning with a digit",
    example: "CONFIG",
    pattern: VARIABLE.pattern,
    longest: 128,
    test: VARIABLE.test,
};

/// A setting of the deployed stack.
pub static SETTING: Form = Form {
    what: "a setting of the stack",
    rule: "letters, digits, `_`, `-` and `.`, beginning with a letter or `_`",
    example: "recovery_enabled",
    pattern: "^[A-Za-z_][A-Za-z0-9_.-]*$",
    longest: 128,
    test: |text| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    },
};

/// An expression of the runbook language, as it stands in a file of settings; what it means is checked later.
pub static EXPRESSION: Form = Form {
    what: "an expression",
    rule: "one line, as a runbook would say it",
    example: "recovery exists",
    pattern: "^[^\\r\\n]*[^\\s][^\\r\\n]*$",
    longest: 500,
    test: |text| !text.trim().is_empty() && !text.contains(['\r', '\n']),
};

/// How long automated backups are kept. Source: `BackupRetentionPeriod`; 0 would turn them off.
pub static RETENTION: Form = Form {
    what: "a retention of backups",
    rule: "1 to 35 whole days",
    example: "7d",
    pattern: "^([1-9]|[12][0-9]|3[0-5])d$",
    longest: 3,
    test: |text| {
        text.strip_suffix('d')
            .filter(|days| !days.starts_with('0'))
            .and_then(digits)
            .is_some_and(|days| (1..=35).contains(&days))
    },
};

/// A path to a file or a folder, from the environment file's folder.
pub static PATH: Form = Form {
    what: "a path",
    rule: "a path from the folder of this file, or an absolute one; `~` is not expanded",
    example: "../drill/schema.sql",
    pattern: "^[^~\\x00]",
    longest: 4_096,
    test: |text| !text.is_empty() && !text.starts_with(['~', '\0']),
};

/// A changelog to begin with.
pub const CHANGELOG_EXAMPLE: &str = "../changelog/db.changelog.xml";

/// One of Liquibase's contexts.
pub static CONTEXT: Form = Form {
    what: "a context",
    rule: "at least one character, and no comma",
    example: "production",
    pattern: "^[^,]+$",
    longest: 255,
    test: |text| !text.is_empty() && !text.contains(','),
};

/// A schema of a database.
pub static SCHEMA: Form = Form {
    what: "a schema",
    rule: "letters, digits, `_` and `$`, beginning with a letter or `_`, as the catalog writes it",
    example: "public",
    pattern: "^[A-Za-z_][A-Za-z0-9_$]*$",
    longest: 63,
    test: |text| postgres_name(text) && !text.contains('-'),
};

/// A variable of a command's environment. Source: POSIX, Base Definitions 8.1.
pub static VARIABLE: Form = Form {
    what: "the name of an environment variable",
    rule: "letters, digits and underscores, not beginning with a digit",
    example: "PGPASSWORD",
    pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
    longest: 255,
    test: |text| {
        text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    },
};

/// A tag's key. Source: the RDS guide on tagging; `rbk:` tags are rbk's own.
pub static TAG_KEY: Form = Form {
    what: "the key of a tag",
    rule: "letters, digits, spaces and `_.:/=+@-`, not beginning with `aws:`, `rds:` or `rbk:`",
    example: "cost-centre",
    pattern: "^(?!aws:|rds:|rbk:)[\\p{L}\\p{N} _.:/=+@-]+$",
    longest: 128,
    test: |text| {
        !text.is_empty()
            && tag_text(text)
            && !["aws:", "rds:", "rbk:"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
    },
};

/// A tag's value.
pub static TAG_VALUE: Form = Form {
    what: "the value of a tag",
    rule: "at most 256 letters, digits, spaces and `_.:/=+@-`",
    example: "orders",
    pattern: "^[\\p{L}\\p{N} _.:/=+@-]*$",
    longest: 256,
    test: tag_text,
};

/// The seconds of a length of time in the language's form: `90s`, `26h`, `1h30m`.
pub fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, length) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        if let Some((number, behind)) = rest.split_once(unit) {
            total = total.checked_add(digits(number)?.checked_mul(length)?)?;
            rest = behind;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

fn digits(text: &str) -> Option<u64> {
    ((1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn lowercase(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn lower_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn hyphenated(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text
            .bytes()
            .all(|byte| lower_or_digit(byte) || byte == b'-')
}

fn postgres_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-'))
}

fn path_of(text: &str, length: usize) -> bool {
    let mut parts = text.split('.');
    parts.clone().count() == length
        && parts.all(|part| part.len() <= 63 && postgres_name(part) && !part.contains('-'))
}

fn tag_text(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | ':' | '/' | '=' | '+' | '@' | '-')
    })
}
