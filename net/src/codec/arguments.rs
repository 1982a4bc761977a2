//! What a method is called with: its arguments as a tuple, of twelve at most.
//!
//! The exact codec writes the tuple, the tolerant one a map of the arguments' names.

use std::fmt;
use std::marker::PhantomData;

use bytes::BytesMut;
use serde::de::value::{self, UnitDeserializer};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    Visitor,
};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::exact::{self, Exact};
use super::{Codec, DecodeError, EncodeError, Travel, tolerant};
use crate::schema::{Argument, Book, first};

/// Arguments that can all leave the process. Their names are given beside them, as many as there
/// are arguments; with fewer, all of this panics.
pub trait Arguments: Sized {
    /// Why they can't though each of them has a form.
    const UNFIT: Option<&'static str>;

    /// What they look like.
    fn describe_arguments(names: &[&'static str], book: &mut Book) -> Vec<Argument>;

    /// Appends their form to `out`.
    ///
    /// # Errors
    /// They are too large; `out` is as it was then.
    fn encode_arguments(
        &self,
        names: &[&'static str],
        codec: Codec,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError>;

    /// The arguments whose form is all of `bytes`, which may come from anyone.
    ///
    /// # Errors
    /// They are not the form of such arguments.
    fn decode_arguments(
        names: &[&'static str],
        bytes: &[u8],
        codec: Codec,
    ) -> Result<Self, DecodeError>;
}

macro_rules! arguments {
    ($($type:ident $place:tt)*) => {
        #[allow(unused_variables, reason = "of no arguments, nothing is asked")]
        impl<$($type: Travel + Serialize + DeserializeOwned),*> Arguments for ($($type,)*)
        where
            Self: Exact,
        {
            const UNFIT: Option<&'static str> = first([$($type::UNFIT),*]);

            fn describe_arguments(names: &[&'static str], book: &mut Book) -> Vec<Argument> {
                vec![$(Argument {
                    name: names[$place].to_owned(),
                    shape: $type::describe(book),
                }),*]
            }

            fn encode_arguments(
                &self,
                names: &[&'static str],
                codec: Codec,
                out: &mut BytesMut,
            ) -> Result<(), EncodeError> {
                match codec {
                    Codec::Exact => exact::encode(self, out),
                    Codec::Tolerant => tolerant::encode(&Named(names, self), out),
                }
            }

            fn decode_arguments(
                names: &[&'static str],
                bytes: &[u8],
                codec: Codec,
            ) -> Result<Self, DecodeError> {
                match codec {
                    Codec::Exact => exact::decode(bytes),
                    Codec::Tolerant => {
                        let values = Values::<Self>(names, PhantomData);
                        tolerant::reader(bytes)?
                            .deserialize_map(values)
                            .map_err(tolerant::other_type)
                    }
                }
            }
        }

        #[allow(unused_variables, reason = "of no arguments, nothing is asked")]
        impl<$($type: Serialize),*> Serialize for Named<'_, ($($type,)*)> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let &Named(names, values) = self;
                #[allow(unused_mut, reason = "as above")]
                let mut map = serializer.serialize_map(Some(names.len()))?;
                $(map.serialize_entry(names[$place], &values.$place)?;)*
                map.end()
            }
        }

        #[allow(unused_variables, reason = "of no arguments, nothing is asked")]
        impl<'de, $($type: Deserialize<'de>),*> Visitor<'de> for Values<'_, ($($type,)*)> {
            type Value = ($($type,)*);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of arguments")
            }

            #[allow(clippy::unused_unit, reason = "so are no arguments")]
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let Values(names, _) = self;
                #[allow(unused_mut, reason = "as above")]
                let mut values = ($(None::<$type>,)*);
                while let Some(place) = map.next_key_seed(Place(names))? {
                    match place {
                        $(Some($place) => values.$place = Some(map.next_value()?),)*
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(($(match values.$place {
                    Some(value) => value,
                    None => absent(names[$place])?,
                },)*))
            }
        }
    };
}

arguments!();
arguments!(A 0);
arguments!(A 0 B 1);
arguments!(A 0 B 1 C 2);
arguments!(A 0 B 1 C 2 D 3);
arguments!(A 0 B 1 C 2 D 3 E 4);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
arguments!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);

/// Arguments and their names, to be written.
struct Named<'a, T>(&'a [&'static str], &'a T);

/// Arguments of these names, to be read.
struct Values<'a, T>(&'a [&'static str], PhantomData<T>);

/// Which of the names comes next, if it is one of them.
struct Place<'a>(&'a [&'static str]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an argument's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// What stands for an argument that is not there: only options have such a value.
fn absent<'de, T: Deserialize<'de>, E: Error>(name: &'static str) -> Result<T, E> {
    let nothing = UnitDeserializer::<value::Error>::new();
    T::deserialize(nothing).map_err(|_| E::missing_field(name))
}
