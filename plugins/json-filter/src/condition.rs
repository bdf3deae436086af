//! Conditions on an event: what they mean, and how they are read from the configuration.

mod read;

use std::cmp::Ordering;
use std::fmt;

use weft_plugin::Event;
use weft_plugin::field::Field;
use weft_plugin::json::{self, Picked, Pointer, Scalar, Value};

/// A condition on an event.
#[derive(Debug)]
pub(crate) enum Condition {
    /// Each of these holds; an empty list always does.
    All(Vec<Condition>),
    /// At least one of these holds; an empty list never does.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// The field is missing.
    Missing(Field),
    /// The field has a value that passes all tests; without a test, any value does.
    Value(Field, Vec<Test>),
}

/// A test of one value. One of a type that the test is not made for does not pass it.
#[derive(Debug)]
pub(crate) enum Test {
    /// It is one of these.
    OneOf(Vec<Scalar>),
    /// It stands so to this number or string.
    Compare(Relation, Scalar),
    /// It is a text that begins so.
    Prefix(String),
    /// It is a text with this part, or an array with this element.
    Contains(Scalar),
}

/// How a value stands to another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Relation {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

impl Condition {
    /// Collects the pointers that have to be picked from the payload.
    pub(crate) fn pointers<'p>(&'p self, pointers: &mut Vec<&'p Pointer>) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                for condition in conditions {
                    condition.pointers(pointers);
                }
            }
            Self::Not(condition) => condition.pointers(pointers),
            Self::Missing(field) | Self::Value(field, _) => pointers.extend(field.pointer()),
        }
    }

    /// Whether the condition holds for `event`, from which `picked` was picked.
    pub(crate) fn holds(&self, event: &Event, picked: &Picked<'_, '_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(event, picked)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(event, picked)),
            Self::Not(condition) => !condition.holds(event, picked),
            Self::Missing(field) => field.values(event, picked).is_empty(),
            Self::Value(field, tests) => {
                let values = field.values(event, picked);
                values.iter().any(|value| tests.iter().all(|test| test.passes(value)))
            }
        }
    }

    /// The first part to blame where the condition does not hold, for a person.
    pub(crate) fn first_unmet<'c>(&'c self, event: &Event, picked: &Picked<'_, '_>) -> &'c Self {
        match self {
            Self::All(conditions) => {
                let unmet = conditions.iter().find(|condition| !condition.holds(event, picked));
                unmet.map_or(self, |condition| condition.first_unmet(event, picked))
            }
            Self::Any(_) | Self::Not(_) | Self::Missing(_) | Self::Value(..) => self,
        }
    }
}

impl Test {
    fn passes(&self, value: &Value<'_>) -> bool {
        match self {
            Self::OneOf(scalars) => scalars.iter().any(|scalar| scalar.equals(value)),
            Self::Compare(relation, scalar) => scalar.compare(value).is_some_and(|ordering| relation.allows(ordering)),
            Self::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Contains(scalar) => contains(value, scalar),
        }
    }
}

fn contains(value: &Value<'_>, scalar: &Scalar) -> bool {
    if let Value::Array(array) = value {
        let elements = json::elements(array).unwrap_or_default();
        return elements.iter().any(|element| scalar.equals(&Value::of(element)));
    }
    match (value.as_str(), scalar) {
        (Some(text), Scalar::String(part)) => text.contains(part.as_str()),
        _ => false,
    }
}

/// Says what the condition asks for, and nothing of the event: reasons are stored and shown.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(_) => f.write_str("all of the conditions"),
            Self::Any(conditions) => match conditions.as_slice() {
                [first, ..] => write!(f, "any of {} conditions, the first: {first}", conditions.len()),
                [] => f.write_str("any of no conditions"),
            },
            Self::Not(condition) => write!(f, "not: {condition}"),
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::Value(field, tests) if tests.is_empty() => write!(f, "{field} exists"),
            Self::Value(field, tests) => {
                write!(f, "{field}")?;
                for (place, test) in tests.iter().enumerate() {
                    write!(f, "{} {test}", if place == 0 { "" } else { " and" })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(scalars) => match scalars.as_slice() {
                [scalar] => write!(f, "equals {scalar}"),
                [first, ..] => write!(f, "is one of {} values, the first: {first}", scalars.len()),
                [] => f.write_str("is one of no values"),
            },
            Self::Compare(relation, scalar) => write!(f, "{} {scalar}", relation.as_str()),
            Self::Prefix(prefix) => write!(f, "begins with {prefix:?}"),
            Self::Contains(scalar) => write!(f, "contains {scalar}"),
        }
    }
}

impl Relation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Greater => "is greater than",
            Self::GreaterOrEqual => "is at least",
            Self::Less => "is less than",
            Self::LessOrEqual => "is at most",
        }
    }
}
