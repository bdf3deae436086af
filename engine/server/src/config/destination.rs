//! Where deliveries go: `[[tenant.destination]]`.

use std::time::Duration;

use url::Url;
use weft_core::destination::Timeouts;
use weft_core::event::{EventPattern, Header};
use weft_core::limits::{self, Bound};
use weft_core::name::Name;
use weft_core::retry::RetryPolicy;
use weft_core::signing::Scheme;
use weft_core::statuses::Statuses;
use weft_outbound::{InvalidTarget, check_url};

use super::duration::shown;
use super::finding::with_causes;
use super::reader::{Field, Table};
use super::request::{self, RequestConfig};
use super::retry;
use super::secret::{self, Declared};
use super::signatures;
use super::tenant::Rules;
use super::unique::Unique;
use crate::secrets::SecretRef;

/// Most destinations of one tenant: what one event may fan out to (see [`limits::DELIVERIES`]).
const DESTINATIONS_MAX: usize = 10_000;
/// Longest URL: what common servers and proxies accept.
const URL_BYTES_MAX: usize = 2_048;
/// Most patterns of event types of one destination; each is tried for every event.
const EVENTS_MAX: usize = 256;
/// Most labels of one destination; each is copied to every route that sees the destinations.
const LABELS_MAX: usize = 64;
/// Longest value of a label.
const LABEL_BYTES_MAX: usize = 256;
/// Most secrets at once: each adds a signature to every request, and a rotation needs two.
const SECRETS_MAX: usize = 8;

/// Where deliveries go, as the file declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct DestinationConfig {
    /// Unique within the tenant.
    pub name: Name,
    /// Absolute, `http` or `https`, without credentials and fragment.
    pub url: Url,
    /// The event types that it subscribes to.
    pub events: Vec<EventPattern>,
    /// For routes that choose by label.
    pub labels: Vec<Header>,
    /// What its requests look like.
    pub request: RequestConfig,
    /// How its requests are signed.
    pub signatures: Vec<Scheme>,
    /// Newest first; empty: one is made when the destination is first seen, and sealed in the store.
    pub secrets: Vec<Declared<SecretRef>>,
    /// Newest first; empty: one is made when it is first needed, and sealed in the store.
    pub signing_keys: Vec<Declared<SecretRef>>,
    /// Answers by which it accepts a delivery.
    pub success: Statuses,
    /// What becomes of deliveries that it does not accept.
    pub retry: RetryPolicy,
    /// Time limits of one attempt; at most the limits `connect_ms_max` and `request_ms_max`.
    pub timeouts: Timeouts,
}

/// Reads all `[[tenant.destination]]` tables; those that cannot be read are left out and among the findings.
pub(super) fn read_all(field: Option<Field<'_>>, rules: &Rules<'_>) -> Vec<DestinationConfig> {
    let mut names = Unique::of("destination");
    let Some(field) = field else { return Vec::new() };
    let read = |field: Field<'_>| DestinationConfig::read(field.table()?, rules, &mut names);
    field.list(DESTINATIONS_MAX).into_iter().filter_map(read).collect()
}

impl DestinationConfig {
    fn read(table: Table<'_>, rules: &Rules<'_>, names: &mut Unique) -> Option<Self> {
        let name =
            table.required("name", "name the destination, e.g. name = \"crm\"").and_then(|field| names.claim(field));
        let url = table.required("url", "say where deliveries go, e.g. url = \"https://crm.example/hook\"");
        let url = url.and_then(|field| read_url(field, rules));
        let events = table.field("events").map_or_else(|| vec![EventPattern::All], events);
        let labels = table.field("labels").map(labels).unwrap_or_default();
        let request = request::read(&table, rules);
        let secrets = table.field("secrets").map(|field| secrets(field, rules)).unwrap_or_default();
        let keys = table.field("signing_keys");
        let signatures = table.field("signatures").map_or_else(|| by_default(keys.is_some()), signatures::read);
        let signing_keys = keys.map(|field| signing_keys(field, &signatures, rules)).unwrap_or_default();
        let success = table.field("success").map_or_else(Statuses::successes, retry::success);
        let retry = retry::read(&table, &success);
        let timeouts = timeouts(&table, rules);
        table.finish();
        Some(Self {
            name: name?,
            url: url?,
            events,
            labels,
            request,
            signatures,
            secrets,
            signing_keys,
            success,
            retry,
            timeouts,
        })
    }
}

/// Reads a URL. Findings show it without what may be secret: credentials and the query.
fn read_url(field: Field<'_>, rules: &Rules<'_>) -> Option<Url> {
    let text = field.text()?;
    let shown = format!("{:?}", without_secrets(text));
    let problem = |rule: String| field.problem_showing(&shown, rule);
    if text.len() > URL_BYTES_MAX {
        return problem(format!("must be at most {URL_BYTES_MAX} bytes long"));
    }
    let url = match text.parse::<Url>() {
        Ok(url) => url,
        Err(why) => return problem(format!("must be an absolute URL, e.g. \"https://crm.example/hook\": {why}")),
    };
    if let Some(rule) = broken_rule(&url) {
        return problem(rule.to_owned());
    }
    match check_url(&url, rules.guard) {
        Ok(()) => Some(url),
        Err(InvalidTarget::Forbidden(why)) => {
            let address = why.address;
            problem(format!("the address guard refuses it: {why}; if it is meant, add \"{address}\" to network.allow"))
        }
        Err(why) => problem(with_causes(&why)),
    }
}

/// What every URL of a destination must be, whatever the network.
fn broken_rule(url: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Some("the scheme must be http or https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not hold credentials: receivers check the signature (webhook-signature)");
    }
    url.fragment().map(|_| "must not hold a fragment (\"#…\"): it is never sent")
}

/// The text of a URL, with its credentials and its query taken out.
fn without_secrets(text: &str) -> String {
    let (text, cut) = match text.find(['?', '#']) {
        Some(at) => (&text[..at], "…"),
        None => (text, ""),
    };
    let start = text.find("//").map_or(0, |at| at + 2);
    // Credentials end at the last `@` of the authority; a parser that disagrees about slashes must not show them.
    match text.rfind('@') {
        Some(at) if at >= start => format!("{}…{}{cut}", &text[..start], &text[at..]),
        Some(_) | None => format!("{text}{cut}"),
    }
}

fn events(field: Field<'_>) -> Vec<EventPattern> {
    let patterns: Vec<_> = field.list(EVENTS_MAX);
    if patterns.is_empty() {
        field.warning("subscribes to nothing: only a route that names it reaches it");
    }
    patterns.into_iter().filter_map(Field::parsed).collect()
}

fn labels(field: Field<'_>) -> Vec<Header> {
    let Some(entries) = field.entries(LABELS_MAX) else { return Vec::new() };
    let label = |(name, value): (&str, Field<'_>)| {
        if let Err(why) = name.parse::<Name>() {
            return value.hiding().problem(why.to_string());
        }
        let text = value.text()?;
        if text.is_empty() || text.len() > LABEL_BYTES_MAX {
            return value.problem(format!("must be 1 to {LABEL_BYTES_MAX} bytes long"));
        }
        Some(Header { name: name.to_owned(), value: text.to_owned() })
    };
    entries.into_iter().filter_map(label).collect()
}

fn secrets(field: Field<'_>, rules: &Rules<'_>) -> Vec<Declared<SecretRef>> {
    let field = field.hiding();
    let secrets = field.list(SECRETS_MAX);
    if secrets.is_empty() {
        return field.problem("names no secret; leave the key out to have one made").unwrap_or_default();
    }
    secrets.into_iter().filter_map(|secret| secret::reference(secret, rules.folder)).collect()
}

/// The signatures of a destination that names none.
fn by_default(has_keys: bool) -> Vec<Scheme> {
    if has_keys { vec![Scheme::V1, Scheme::V1a] } else { vec![Scheme::V1] }
}

fn signing_keys(field: Field<'_>, signatures: &[Scheme], rules: &Rules<'_>) -> Vec<Declared<SecretRef>> {
    if !signatures.contains(&Scheme::V1a) {
        field.hiding().problem::<()>("is for the signature \"v1a\", which is not among the signatures");
    }
    secrets(field, rules)
}

fn timeouts(table: &Table<'_>, rules: &Rules<'_>) -> Timeouts {
    let connect = table.field("connect_timeout");
    let total = table.field("request_timeout");
    let total = total.and_then(|field| timeout(field, limits::REQUEST_MS, rules.limits.request));
    let total = total.unwrap_or(rules.limits.request);
    let Some((field, asked)) =
        connect.and_then(|field| Some((field, timeout(field, limits::CONNECT_MS, rules.limits.connect)?)))
    else {
        return Timeouts { connect: rules.limits.connect.min(total), total };
    };
    if asked > total {
        field.problem::<()>(format!("must be at most request_timeout ({}), which includes it", shown(total)));
    }
    Timeouts { connect: asked, total }
}

/// Reads a time limit; `most` is what the configuration's limit `bound` says.
fn timeout(field: Field<'_>, bound: Bound, most: Duration) -> Option<Duration> {
    let asked = field.duration()?;
    let least = Duration::from_millis(bound.min);
    if (least..=most).contains(&asked) {
        return Some(asked);
    }
    field.problem(format!(
        "must be {} to {}; the most is limits.{}, which can be raised to {} ({})",
        shown(least),
        shown(most),
        bound.key,
        bound.max,
        bound.why
    ))
}
