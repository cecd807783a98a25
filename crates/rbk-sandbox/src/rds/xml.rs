//! Writes answers of the Query protocol.

use std::fmt::Display;

use jiff::Timestamp;
use quick_xml::escape::escape;

/// A growing XML text.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    out: String,
}

impl Xml {
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Xml {
        let value = value.to_string();
        self.out
            .push_str(&format!("<{name}>{}</{name}>", escape(value.as_str())));
        self
    }

    /// Members without a value are left out.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Xml {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    pub(crate) fn time(&mut self, name: &str, value: Timestamp) -> &mut Xml {
        self.text(name, format_time(value))
    }

    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Xml)) -> &mut Xml {
        self.out.push_str(&format!("<{name}>"));
        content(self);
        self.out.push_str(&format!("</{name}>"));
        self
    }

    /// `<name><member>…</member>…</name>`
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        member: &str,
        items: impl IntoIterator<Item = T>,
        mut content: impl FnMut(&mut Xml, T),
    ) -> &mut Xml {
        self.element(name, |xml| {
            for item in items {
                xml.element(member, |xml| content(xml, item));
            }
        })
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

/// RDS gives milliseconds.
pub(crate) fn format_time(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The envelope of an answer.
pub(crate) fn answer(
    namespace: &str,
    operation: &str,
    result: Option<Xml>,
    request_id: &str,
) -> String {
    let result = result
        .map(|xml| format!("<{operation}Result>{}</{operation}Result>", xml.finish()))
        .unwrap_or_default();
    format!(
        "<{operation}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

/// The envelope of an error.
pub(crate) fn error(
    namespace: &str,
    status: u16,
    code: &str,
    message: &str,
    request_id: &str,
) -> String {
    let side = if status >= 500 { "Receiver" } else { "Sender" };
    let mut xml = Xml::default();
    xml.text("Type", side)
        .text("Code", code)
        .text("Message", message);
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error>{}</Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        xml.finish()
    )
}
