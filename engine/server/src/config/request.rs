//! What a destination's own requests look like: `format`, `method`, `headers` and `auth` of `[[tenant.destination]]`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weft_core::destination::Method;
use weft_core::envelope::BodyFormat;
use weft_core::request_header::{OwnHeader, VALUE_BYTES_MAX, check_value, checked_name};

use super::reader::{Field, Table};
use super::secret::{self, Declared};
use super::tenant::Rules;
use crate::secrets::{SecretRef, SecretText};

/// Most headers of one destination; each is sent with every request.
const HEADERS_MAX: usize = 32;

/// What a destination's own requests look like, as the file declares it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestConfig {
    /// What their bodies look like.
    pub format: BodyFormat,
    /// What they ask for.
    pub method: Method,
    /// Sent with every one.
    pub headers: Vec<HeaderConfig>,
    /// How they say who sends them, beside the signature.
    pub auth: Option<AuthConfig>,
}

/// A header that is sent with every request.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderConfig {
    /// Lower case.
    pub name: String,
    /// Its value.
    pub value: HeaderText,
}

/// The value of a header: in the file, or where the file says.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderText {
    /// It stands in the file.
    Plain(String),
    /// It is a secret.
    Secret(Declared<SecretRef>),
}

/// What the header `authorization` holds.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthConfig {
    /// A token (RFC 6750).
    Bearer(Declared<SecretRef>),
    /// A name and a password (RFC 7617).
    Basic {
        /// Without a colon.
        username: String,
        /// Where it is.
        password: Declared<SecretRef>,
    },
}

/// Reads the keys of a destination that say what its requests look like.
pub(super) fn read(table: &Table<'_>, rules: &Rules<'_>) -> RequestConfig {
    RequestConfig {
        format: table.field("format").and_then(Field::parsed).unwrap_or_default(),
        method: table.field("method").and_then(Field::parsed).unwrap_or_default(),
        headers: table.field("headers").map(|field| headers(field, rules)).unwrap_or_default(),
        auth: table.field("auth").and_then(|field| auth(field, rules)),
    }
}

fn headers(field: Field<'_>, rules: &Rules<'_>) -> Vec<HeaderConfig> {
    let header = |(name, value): (&str, Field<'_>)| {
        let value = value.hiding();
        let name = match checked_name(name) {
            Ok(name) => name,
            Err(why) if name.eq_ignore_ascii_case("authorization") => {
                return value.problem(format!("{why}: write auth = {{ bearer = {{ env = \"NAME\" }} }}"));
            }
            Err(why) => return value.problem(why.to_string()),
        };
        Some(HeaderConfig { name, value: header_text(value, rules)? })
    };
    let entries = field.entries(HEADERS_MAX).unwrap_or_default();
    let headers: Vec<HeaderConfig> = entries.into_iter().filter_map(header).collect();
    for (at, header) in headers.iter().enumerate() {
        if headers[..at].iter().any(|before| before.name == header.name) {
            field.hiding().problem::<()>(format!("names {:?} twice: upper and lower case are one header", header.name));
        }
    }
    headers
}

fn header_text(value: Field<'_>, rules: &Rules<'_>) -> Option<HeaderText> {
    if value.is_table() {
        return secret::reference(value, rules.folder).map(HeaderText::Secret);
    }
    let text = value.text()?;
    match check_value(text, VALUE_BYTES_MAX) {
        Ok(()) => Some(HeaderText::Plain(text.to_owned())),
        Err(why) => value.problem(why.to_string()),
    }
}

fn auth(field: Field<'_>, rules: &Rules<'_>) -> Option<AuthConfig> {
    let field = field.hiding();
    let table = field.table()?;
    let secret = |field: Field<'_>| secret::reference(field, rules.folder);
    let auth = match (table.field("bearer"), table.field("username"), table.field("password")) {
        (Some(token), None, None) => secret(token).map(AuthConfig::Bearer),
        (None, Some(username), Some(password)) => {
            let (username, password) = (username_of(username), secret(password));
            username.zip(password).map(|(username, password)| AuthConfig::Basic { username, password })
        }
        _ => table.problem("must hold bearer, or username and password"),
    };
    table.finish();
    auth
}

fn username_of(field: Field<'_>) -> Option<String> {
    let username = field.text()?;
    match check_value(username, VALUE_BYTES_MAX) {
        Ok(()) if username.contains(':') => field.problem("must not hold a colon: it ends the name (RFC 7617)"),
        Ok(()) => Some(username.to_owned()),
        Err(why) => field.problem(why.to_string()),
    }
}

impl RequestConfig {
    /// The headers of each request; `secret` reads what is not in the file, if it can be read and makes a header by what is handed in.
    pub(super) fn headers(
        &self,
        secret: impl Fn(&Declared<SecretRef>, &dyn Fn(&SecretText) -> String) -> Option<String>,
    ) -> Vec<OwnHeader> {
        let own = self.headers.iter().filter_map(|HeaderConfig { name, value }| {
            let value = match value {
                HeaderText::Plain(text) => text.clone(),
                HeaderText::Secret(reference) => secret(reference, &|text| text.as_str().to_owned())?,
            };
            Some(OwnHeader::new(name.clone(), value))
        });
        let auth = self.auth.as_ref().and_then(|auth| match auth {
            AuthConfig::Bearer(token) => secret(token, &|token| format!("Bearer {}", token.as_str())),
            AuthConfig::Basic { username, password } => secret(password, &|password| {
                format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.as_str())))
            }),
        });
        own.chain(auth.map(|value| OwnHeader::new("authorization".to_owned(), value))).collect()
    }
}
