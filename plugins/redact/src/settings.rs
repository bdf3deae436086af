//! The configuration of the plugin.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use weft_plugin::json::{Pointer, Token};

/// The plugin, as configured.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Whole")]
pub struct Redact {
    /// What is removed, masked or hashed, at most [`RULES_MAX`].
    pub(crate) rules: Vec<Rule>,
    /// The secret under which values are hashed; there is one where a rule hashes.
    pub(crate) secret: Option<String>,
}

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(deserialize_with = "rules")]
    rules: Vec<Rule>,
    secret: Option<String>,
}

impl TryFrom<Whole> for Redact {
    type Error = &'static str;

    fn try_from(whole: Whole) -> Result<Self, Self::Error> {
        let Whole { rules, secret } = whole;
        let hashes = rules.iter().any(|rule| rule.action == Action::Hash);
        match (&secret, hashes) {
            (None, true) => Err("\"action\": \"hash\" needs a \"secret\", one that the step names"),
            (Some(_), false) => Err("\"secret\" goes with \"action\": \"hash\""),
            (Some(_), true) | (None, false) => Ok(Self { rules, secret }),
        }
    }
}

/// What becomes of one field.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Rule {
    /// The pointer as written.
    pub(crate) pointer: Pointer,
    /// Its levels, never none.
    pub(crate) steps: Vec<Step>,
    pub(crate) action: Action,
    /// An event without the field is rejected.
    pub(crate) required: bool,
}

/// One level of a pointer.
#[derive(Debug)]
pub(crate) enum Step {
    /// `*`: every member of an object, every element of an array.
    Every,
    /// The members of this name, or the element of this place.
    One { name: String, place: Option<usize> },
}

/// What is done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Remove,
    Mask {
        keep_last: usize,
    },
    /// Replaced by what is the same for the same value, and says nothing else to whoever lacks the secret.
    Hash,
}

/// One for each bit of a set of rules.
const RULES_MAX: usize = 64;
/// More would be no mask.
const KEEP_LAST_MAX: usize = 1_024;

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pointer: Pointer,
    action: ActionName,
    keep_last: Option<usize>,
    #[serde(default)]
    required: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionName {
    Remove,
    Mask,
    Hash,
}

impl TryFrom<Written> for Rule {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let action = match (written.action, written.keep_last) {
            (ActionName::Remove, None) => Action::Remove,
            (ActionName::Hash, None) => Action::Hash,
            (ActionName::Remove | ActionName::Hash, Some(_)) => {
                return Err("\"keep_last\" goes with \"action\": \"mask\"");
            }
            (ActionName::Mask, Some(keep_last)) if keep_last > KEEP_LAST_MAX => {
                return Err("\"keep_last\" is 0 to 1024");
            }
            (ActionName::Mask, keep_last) => Action::Mask { keep_last: keep_last.unwrap_or_default() },
        };
        let steps: Vec<_> = written.pointer.tokens().map(Step::of).collect();
        if steps.is_empty() {
            return Err("the pointer \"\" is the whole payload; a rule is about fields, like /customer/email or /*");
        }
        Ok(Self { pointer: written.pointer, steps, action, required: written.required })
    }
}

impl Step {
    fn of(token: Token<'_>) -> Self {
        match token.name() {
            name if name == "*" => Self::Every,
            name => Self::One { place: token.place(), name: name.into_owned() },
        }
    }
}

impl Action {
    /// The stricter of the two: what shows less.
    pub(crate) fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Mask { keep_last: own }, Self::Mask { keep_last: other }) => {
                Self::Mask { keep_last: own.min(other) }
            }
            (Self::Remove, _) | (_, Self::Remove) => Self::Remove,
            // A mask that keeps nothing does not even tell which values are the same.
            (whole @ Self::Mask { keep_last: 0 }, Self::Hash) | (Self::Hash, whole @ Self::Mask { keep_last: 0 }) => {
                whole
            }
            (Self::Hash, Self::Hash | Self::Mask { .. }) | (Self::Mask { .. }, Self::Hash) => Self::Hash,
        }
    }
}

fn rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Rule>, D::Error> {
    let rules = Vec::<Rule>::deserialize(deserializer)?;
    match rules.len() {
        0..=RULES_MAX => Ok(rules),
        count => Err(D::Error::custom(format!("{count} rules, at most {RULES_MAX}; use another step for the others"))),
    }
}
