//! `[dms]`: where DMS runs, and how it logs in to the databases.

use super::access::{Network, security_groups};
use super::error::{EnvironmentError, title};
use super::forms;
use super::reader::{Entry, Given, Header, Reader};
use super::{DmsPlace, DmsTls};

/// TLS towards the databases, as DMS calls it. The default is encrypted: DMS's own would be `none`.
const TLS: &[(&str, DmsTls)] = &[
    ("none", DmsTls::None),
    ("require", DmsTls::Require),
    ("verify-ca", DmsTls::VerifyCa),
    ("verify-full", DmsTls::VerifyFull),
];

pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    entry: Option<Entry<'t>>,
    network: &Network,
) -> Option<DmsPlace> {
    let mut table = reader.table("dms", entry)?;
    let header = Header::from(&table);
    let subnet_group = reader.formed(table.take("subnet_group"), &forms::DMS_SUBNET_GROUP);
    let own = security_groups(reader, table.take("security_groups"));
    let role = reader.formed(table.take("secret_access_role"), &forms::IAM_ROLE);
    let tls = reader.choice(table.take("tls"), TLS);
    let certificate = reader.formed(table.take("certificate"), &forms::DMS_CERTIFICATE);
    reader.finish(table);
    if subnet_group.is_absent() {
        let line = format!("subnet_group = \"{}\"", forms::DMS_SUBNET_GROUP.example);
        needed(
            reader,
            &header,
            "subnet_group",
            line,
            "a replication subnet group of DMS, which is not the databases' DB subnet group",
        );
    }
    // What lets the databases reach each other lets DMS reach them: the page that rbk began with says the same.
    let security_groups = own.or(&network.security_groups);
    if security_groups.is_absent() {
        let line = format!("security_groups = [\"{}\"]", forms::SECURITY_GROUP.example);
        needed(
            reader,
            &header,
            "security_groups",
            line,
            "or to `[network]`, for the databases, too",
        );
    }
    let verifies = match &tls {
        Given::Value(tls) => match tls.value {
            DmsTls::VerifyCa | DmsTls::VerifyFull => Some(true),
            DmsTls::None | DmsTls::Require => Some(false),
        },
        Given::Absent => Some(false),
        Given::Bad => None,
    };
    match (verifies, &certificate) {
        (Some(true), Given::Absent) => needed(
            reader,
            &header,
            "certificate",
            format!("certificate = \"{}\"", forms::DMS_CERTIFICATE.example),
            "the certificate authority that DMS verifies the databases by, imported into DMS",
        ),
        (Some(false), Given::Value(certificate)) => {
            reader.errors.push(EnvironmentError::NothingVerified {
                tls: tls.value().map_or(DmsTls::Require, |tls| tls.value).name(),
                written: tls.value().map(|tls| tls.span),
                span: certificate.span,
            });
        }
        _ => {}
    }
    Some(DmsPlace {
        subnet_group: subnet_group.into_inner()?,
        security_groups: security_groups.into_inner()?,
        secret_access_role: match role {
            Given::Bad => return None,
            role => role.into_inner(),
        },
        tls: match tls {
            Given::Bad => return None,
            tls => tls.into_inner().unwrap_or(DmsTls::Require),
        },
        certificate: certificate.into_inner(),
    })
}

fn needed(
    reader: &mut Reader<'_>,
    table: &Header,
    key: &'static str,
    line: String,
    note: &'static str,
) {
    reader.errors.push(EnvironmentError::MissingKey {
        key,
        table: title(&table.path),
        span: table.span,
        line,
        insert: table.insert,
        note: Some(note),
    });
}
