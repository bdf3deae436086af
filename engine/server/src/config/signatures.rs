//! How a destination's requests are signed: `signatures` of `[[tenant.destination]]`.

use weft_core::request_header::checked_name;
use weft_core::signature_template::{Pattern, Place, SignatureTemplate};
use weft_core::signing::Scheme;

use super::reader::Field;

/// Most signatures of one destination; each hashes every body.
const SIGNATURES_MAX: usize = 4;

/// Reads the list of signatures.
pub(super) fn read(field: Field<'_>) -> Vec<Scheme> {
    let list = field.list(SIGNATURES_MAX);
    if list.is_empty() {
        field.problem::<()>("names no signature: the receiver could not tell who sends");
    }
    let mut schemes: Vec<Scheme> = Vec::new();
    for field in list {
        let Some(scheme) = scheme(field) else { continue };
        if schemes.iter().any(|before| place(before) == place(&scheme)) {
            field.problem::<()>("signs the same way, or in the same header, as one before it");
        }
        schemes.push(scheme);
    }
    schemes
}

/// Where a signature stands: two in one place would be one.
fn place(scheme: &Scheme) -> &str {
    match scheme {
        Scheme::V1 => "v1",
        Scheme::V1a => "v1a",
        Scheme::Template(template) => &template.header,
    }
}

fn scheme(field: Field<'_>) -> Option<Scheme> {
    if field.is_table() {
        return template(field).map(Scheme::Template);
    }
    match field.text()? {
        "v1" => Some(Scheme::V1),
        "v1a" => Some(Scheme::V1a),
        "github" => Some(Scheme::Template(SignatureTemplate::github())),
        "stripe" => Some(Scheme::Template(SignatureTemplate::stripe())),
        _ => field.problem("must be \"v1\", \"v1a\", \"github\", \"stripe\" or a table with header, signed and value"),
    }
}

fn template(field: Field<'_>) -> Option<SignatureTemplate> {
    let table = field.table()?;
    let header = table.required("header", "name the header, e.g. header = \"X-Acme-Signature\"").and_then(header);
    let signed = table.required("signed", "say what is signed, e.g. signed = \"{timestamp}.{body}\"");
    let signed = signed.and_then(|field| pattern(field, &[Place::Hmac]));
    let value = table.required("value", "say what the header holds, e.g. value = \"sha256={hmac}\"");
    let value = value.and_then(|field| pattern(field, &[Place::Body]));
    let each = table.field("each").and_then(|field| pattern(field, &[Place::Body]));
    let encoding = table.field("encoding").and_then(Field::parsed).unwrap_or_default();
    table.finish();
    let template = SignatureTemplate { header: header?, signed: signed?, value: value?, each, encoding };
    if !template.signed.holds(Place::Body) {
        return field.problem("signed holds no {body}: whoever changes a body would not be found out");
    }
    let has_hmac = |pattern: &Pattern| pattern.holds(Place::Hmac);
    if !has_hmac(&template.value) && !template.each.as_ref().is_some_and(has_hmac) {
        return field.problem("neither value nor each holds {hmac}: there would be no signature");
    }
    Some(template)
}

fn header(field: Field<'_>) -> Option<String> {
    checked_name(field.text()?).map_or_else(|why| field.problem(why.to_string()), Some)
}

/// Reads a pattern without these places.
fn pattern(field: Field<'_>, without: &[Place]) -> Option<Pattern> {
    let pattern: Pattern = field.parsed()?;
    if without.iter().any(|place| pattern.holds(*place)) {
        return field.problem("must not hold {body} in a header, nor {hmac} in what is signed");
    }
    Some(pattern)
}
