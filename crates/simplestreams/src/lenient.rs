//! Values of JSON that may be of any type: one odd value spoils nothing but itself.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use std::fmt;
use std::marker::PhantomData;

/// The longest text that is kept, in characters.
const LONGEST: usize = 1024;

/// A text without control characters; empty when the value is a list or an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

/// A number that is not negative, also one that is written as a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) Option<u64>);

/// An object, or nothing when the value is something else.
#[derive(Clone, Debug)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// The first `MOST` members of an object, in order.
#[derive(Clone, Debug)]
pub(crate) struct Few<T, const MOST: usize>(pub(crate) Vec<(String, T)>);

impl<T, const MOST: usize> Default for Few<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Takes whatever comes: scalars as text, objects by what `object` does.
trait Take<'de>: Sized {
    fn none() -> Self;
    fn text(_text: &str) -> Self {
        Self::none()
    }
    fn number(number: u64) -> Self {
        Self::text(&number.to_string())
    }
    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::none())
    }
}

struct Taker<T>(PhantomData<T>);

impl<'de, T: Take<'de>> Visitor<'de> for Taker<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::text(if value { "true" } else { "false" }))
    }
    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(T::number(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<T, E> {
        Ok(u64::try_from(value).map_or_else(|_| T::text(&value.to_string()), T::number))
    }
    fn visit_f64<E>(self, value: f64) -> Result<T, E> {
        Ok(T::text(&value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(T::text(value))
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::none())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::none())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

impl Take<'_> for Text {
    fn none() -> Self {
        Self::default()
    }
    fn text(text: &str) -> Self {
        Self(text.chars().filter(|c| !c.is_control()).take(LONGEST).collect())
    }
}

impl Take<'_> for Number {
    fn none() -> Self {
        Self(None)
    }
    fn text(text: &str) -> Self {
        Self(text.parse().ok())
    }
    fn number(number: u64) -> Self {
        Self(Some(number))
    }
}

impl<'de, T: Deserialize<'de>> Take<'de> for Object<T> {
    fn none() -> Self {
        Self(None)
    }
    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|inner| Self(Some(inner)))
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Take<'de> for Few<T, MOST> {
    fn none() -> Self {
        Self::default()
    }
    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut members = Vec::new();
        while members.len() < MOST {
            match map.next_entry::<Text, T>()? {
                Some((name, value)) => members.push((name.0, value)),
                None => return Ok(Self(members)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self(members))
    }
}

macro_rules! by_taking {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<'de, $($generics)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Taker(PhantomData))
            }
        }
    )*};
}

by_taking! {
    [] Text;
    [] Number;
    [T: Deserialize<'de>] Object<T>;
    [T: Deserialize<'de>, const MOST: usize] Few<T, MOST>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn any_value_is_something() {
        assert_eq!(read::<Text>("\"a\\u001b[31mb\"").0, "a[31mb");
        assert_eq!(read::<Text>("14.04").0, "14.04");
        assert_eq!(read::<Text>("[1, {\"a\": []}]").0, "");
        assert_eq!(read::<Number>("\"12\"").0, Some(12));
        for json in ["-1", "null", "{}", "1.5", "\"x\""] {
            assert_eq!(read::<Number>(json).0, None, "{json}");
        }
        assert_eq!(read::<Few<Number, 2>>("{\"a\": 1, \"b\": [], \"c\": 3}").0.len(), 2);
        assert!(read::<Few<Text, 2>>("[\"a\"]").0.is_empty());
        assert!(read::<Object<Few<Text, 2>>>("3").0.is_none());
    }
}
