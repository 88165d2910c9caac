//! The language that faults are asked for in: one line, or a TOML file with the same words.
//!
//! ```toml
//! [[fault]]
//! name = "stall"
//! at = "events"       # or any; without it, where the fault belongs
//! when = 0.05         # a share, or "#3", "#2-5", "#4-": requests in their order, events by seq; without it, always
//! value = "20s"
//! times = 3           # at most
//! within = "1m"       # of the server's start
//! ```
//!
//! Rule: an error names the fault that it is about, says what is wrong with it, and what would be right.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::catalogue::{self, Fault, Places, ROUTES, Route, ValueKind};
use super::{Faults, FaultsError, Rule, Value, When};

/// The longest time that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest size that can be asked for.
const LARGEST: u64 = 1 << 40;

/// One fault in its words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    name: String,
    at: Option<String>,
    when: Option<Share>,
    value: Option<String>,
    times: Option<u64>,
    within: Option<String>,
}

/// A number in a file, or a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Share {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsFile {
    fault: Vec<Words>,
}

impl Faults {
    /// Reads faults from one line, such as `cut=0.1,stall=0.05:20s,lost-answer@tool-results=#1`.
    ///
    /// # Errors
    /// When one of them cannot be understood; the message says which, and why.
    pub fn parse(line: &str) -> Result<Self, FaultsError> {
        let rules = line.split(',').map(str::trim).filter(|rule| !rule.is_empty());
        let rules: Vec<Rule> = rules.map(Rule::from_str).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            let problem = format!("no fault is named. The faults are: {}", catalogue::names());
            return Err(FaultsError::Rule { rule: line.to_owned(), problem });
        }
        Ok(Self { rules })
    }

    /// Reads faults from a file.
    ///
    /// # Errors
    /// When the file cannot be read or does not list faults.
    pub fn load(path: &Path) -> Result<Self, FaultsError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| FaultsError::Unreadable { path: path.to_owned(), error })?;
        let file = path.display().to_string();
        let invalid = |problem| FaultsError::Invalid { file: file.clone(), problem };
        let read: FaultsFile = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        let numbered = read.fault.into_iter().zip(1..);
        let rules = numbered.map(|(words, number)| {
            let name = words.name.clone();
            words.rule().map_err(|problem| invalid(format!("fault {number}, {name:?}: {problem}")))
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Reads what stands on a command line: a file, where there is one of that name or it ends in `.toml`; else a line.
    ///
    /// # Errors
    /// As [`Self::load`] and [`Self::parse`].
    pub fn read(argument: &str) -> Result<Self, FaultsError> {
        let path = Path::new(argument);
        let is_file = path.extension().is_some_and(|extension| extension == "toml") || path.is_file();
        if is_file { Self::load(path) } else { Self::parse(argument) }
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl FromStr for Rule {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        Words::read(text).and_then(Words::rule).map_err(|problem| FaultsError::Rule { rule: text.to_owned(), problem })
    }
}

impl Words {
    /// Takes `NAME[@WHERE][=WHEN][:SUFFIX]…` apart.
    fn read(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':').map(str::trim);
        let head = parts.next().unwrap_or_default();
        let (place, when) = head.split_once('=').map_or((head, None), |(place, when)| (place, Some(when)));
        let (name, at) = place.split_once('@').map_or((place, None), |(name, at)| (name, Some(at)));
        let owned = |text: &str| text.trim().to_owned();
        let mut words = Self {
            name: owned(name),
            at: at.map(owned),
            when: when.map(|when| Share::Text(owned(when))),
            ..Self::default()
        };
        for part in parts {
            let twice = if let Some(within) = part.strip_prefix("within-") {
                words.within.replace(within.to_owned()).is_some()
            } else if let Some(times) = part.strip_suffix('x').and_then(|times| times.parse().ok()) {
                words.times.replace(times).is_some()
            } else {
                words.value.replace(part.to_owned()).is_some()
            };
            if twice {
                return Err(format!("{part:?} says again what was said before it; leave one out"));
            }
        }
        Ok(words)
    }

    fn rule(self) -> Result<Rule, String> {
        let fault = Fault::find(&self.name).ok_or_else(|| {
            let (name, names) = (&self.name, catalogue::names());
            format!("there is no fault {name:?}. The faults are: {names}, where N is a status from 400 to 599")
        })?;
        Ok(Rule {
            fault,
            at: place(fault, self.at.as_deref())?,
            when: self.when.map_or(Ok(When::Chance(1.0)), Share::read)?,
            value: self.value.map(|value| read_value(fault, &value)).transpose()?,
            times: self.times,
            within: self.within.as_deref().map(duration).transpose()?,
        })
    }
}

fn place(fault: Fault, at: Option<&str>) -> Result<Option<Route>, String> {
    let named = |name| match ROUTES.iter().find(|(known, _)| *known == name) {
        Some((_, route)) => Ok(Some(*route)),
        None if name == "any" => Ok(None),
        None => Err(format!("there is no place {name:?}. The places are: {}", catalogue::places())),
    };
    let given = at.map(named).transpose()?;
    match (fault.entry().places, given) {
        (Places::Only(route), Some(given)) if given == Some(route) => Ok(given),
        (Places::Only(route), Some(_)) => Err(format!("it happens at {} only", route.name())),
        (Places::Only(route) | Places::Unless(route), None) => Ok(Some(route)),
        (Places::Any | Places::Unless(_), given) => Ok(given.flatten()),
    }
}

impl Share {
    fn read(self) -> Result<When, String> {
        let (chance, text) = match self {
            Self::Number(number) => (Some(number), number.to_string()),
            Self::Text(text) => (text.parse().ok(), text),
        };
        let numbers = text.strip_prefix('#').and_then(|numbers| {
            let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
            let last = if last.is_empty() { Some(u64::MAX) } else { last.parse().ok() };
            Some((first.parse().ok()?, last?))
        });
        match (chance, numbers) {
            (Some(chance), _) if (0.0..=1.0).contains(&chance) => Ok(When::Chance(chance)),
            (_, Some((first, last))) if 0 < first && first <= last => Ok(When::Numbers(first, last)),
            _ => Err(format!("{text:?} is no share from 0 to 1, such as 0.1, and no numbers, such as #3, #2-5 or #4-")),
        }
    }
}

fn read_value(fault: Fault, text: &str) -> Result<Value, String> {
    match fault.entry().value {
        ValueKind::Nothing => Err(format!(
            "{text:?} says nothing about it: what can follow is how often, such as 5x, and for how long, such as within-10s"
        )),
        ValueKind::Time(_) => duration(text).map(Value::Duration),
        ValueKind::Bytes(_) => size(text).map(Value::Size),
    }
}

/// A number and what follows it.
fn measure(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = measure(text).and_then(|(number, unit)| match unit {
        "ms" => Some(number / 1000.0),
        "s" => Some(number),
        "m" => Some(number * 60.0),
        "h" => Some(number * 3600.0),
        _ => None,
    });
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("{text:?} is no time: a number with ms, s, m or h, at most 24h, such as 20s"))
}

fn size(text: &str) -> Result<u64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[end..] {
        "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = unit.zip(text[..end].parse::<u64>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
    bytes
        .filter(|bytes| *bytes <= LARGEST)
        .ok_or_else(|| format!("{text:?} is no size: a whole number with B, KiB, MiB or GiB, such as 400B"))
}
