//! Reads a condition from the configuration. An error names the rule; the path to it is added outside.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use weft_plugin::field::{EventPart, Field};
use weft_plugin::json::{Pointer, Scalar};

use super::{Condition, Relation, Test};

/// Levels of conditions within conditions: each is a frame on a stack of 64 KiB.
const LEVELS_MAX: usize = 16;

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let condition = deserializer.deserialize_map(ConditionVisitor)?;
        if condition.levels() > LEVELS_MAX {
            return Err(D::Error::custom("conditions lie within conditions at most 16 levels deep"));
        }
        Ok(condition)
    }
}

impl Condition {
    fn levels(&self) -> usize {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                1 + conditions.iter().map(Self::levels).max().unwrap_or_default()
            }
            Self::Not(condition) => 1 + condition.levels(),
            Self::Missing(_) | Self::Value(..) => 1,
        }
    }
}

struct ConditionVisitor;

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = Condition;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a condition, like {\"pointer\": \"/amount\", \"gte\": 10}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::All => draft.join(Condition::All(map.next_value()?))?,
                Key::Any => draft.join(Condition::Any(map.next_value()?))?,
                Key::Not => draft.join(Condition::Not(map.next_value()?))?,
                Key::Pointer => draft.subject(Field::Pointer(map.next_value::<Pointer>()?))?,
                Key::Header => draft.subject(Field::Header(map.next_value()?))?,
                Key::Attribute => draft.subject(Field::Attribute(map.next_value()?))?,
                Key::Event => draft.subject(Field::Event(map.next_value::<EventPart>()?))?,
                Key::Exists => draft.exists = Some(map.next_value()?),
                Key::Equals => draft.tests.push(Test::OneOf(vec![map.next_value()?])),
                Key::OneOf => draft.tests.push(Test::OneOf(map.next_value()?)),
                Key::Gt => draft.compare(Relation::Greater, map.next_value()?)?,
                Key::Gte => draft.compare(Relation::GreaterOrEqual, map.next_value()?)?,
                Key::Lt => draft.compare(Relation::Less, map.next_value()?)?,
                Key::Lte => draft.compare(Relation::LessOrEqual, map.next_value()?)?,
                Key::Prefix => draft.tests.push(Test::Prefix(map.next_value()?)),
                Key::Contains => draft.tests.push(Test::Contains(map.next_value()?)),
            }
        }
        draft.finish()
    }
}

/// What has been read of a condition.
#[derive(Default)]
struct Draft {
    joined: Option<Condition>,
    field: Option<Field>,
    exists: Option<bool>,
    tests: Vec<Test>,
}

impl Draft {
    fn join<E: Error>(&mut self, condition: Condition) -> Result<(), E> {
        match self.joined.replace(condition) {
            None => Ok(()),
            Some(_) => Err(E::custom("one of all, any and not to a condition; put the others into a list under all")),
        }
    }

    fn subject<E: Error>(&mut self, field: Field) -> Result<(), E> {
        match self.field.replace(field) {
            None => Ok(()),
            Some(_) => {
                Err(E::custom("one of pointer, header, attribute and event to a condition; list several under all"))
            }
        }
    }

    fn compare<E: Error>(&mut self, relation: Relation, scalar: Scalar) -> Result<(), E> {
        match scalar {
            Scalar::Number(_) | Scalar::String(_) => self.tests.push(Test::Compare(relation, scalar)),
            Scalar::Null | Scalar::Bool(_) => return Err(E::custom("expected a number or a string to compare with")),
        }
        Ok(())
    }

    fn finish<E: Error>(self) -> Result<Condition, E> {
        match (self.joined, self.field) {
            (Some(condition), None) if self.exists.is_none() && self.tests.is_empty() => Ok(condition),
            (Some(_), _) => {
                Err(E::custom("all, any and not stand alone; put the other keys into a condition of the list"))
            }
            (None, None) => {
                Err(E::custom("what is tested is missing: one of pointer, header, attribute, event, all, any, not"))
            }
            (None, Some(field)) => match (self.exists, self.tests.is_empty()) {
                (Some(false), true) => Ok(Condition::Missing(field)),
                (Some(false), false) => {
                    Err(E::custom("\"exists\": false allows no other test: nothing is there to test"))
                }
                (None, true) => Err(E::custom(
                    "a test is missing: one of exists, equals, one_of, gt, gte, lt, lte, prefix, contains",
                )),
                (Some(true), _) | (None, false) => Ok(Condition::Value(field, self.tests)),
            },
        }
    }
}

/// A key of a condition.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    All,
    Any,
    Not,
    Pointer,
    Header,
    Attribute,
    Event,
    Exists,
    Equals,
    OneOf,
    Gt,
    Gte,
    Lt,
    Lte,
    Prefix,
    Contains,
}
