//! How a message leaves the process, and its reply comes back.
//!
//! A [`Wire`] is a constant of the message's type, so that whoever has a call in hand reaches its
//! codecs without looking anything up.

use std::convert::Infallible;
use std::marker::PhantomData;

use bytes::BytesMut;
use quark_net::codec::{
    Arguments, Codec, DecodeError, EncodeError, Travel, decode_answer, decode_reply, encode_answer,
    encode_reply,
};
use quark_net::schema::{Book, MethodSchema, Schema, Shape};

use crate::actor::Method;

/// A message's codecs.
pub struct Wire<M: Method> {
    /// Appends the message's arguments.
    pub encode: fn(M, Codec, &mut BytesMut) -> Result<(), EncodeError>,
    /// The message whose arguments these bytes are.
    pub decode: fn(&[u8], Codec) -> Result<M, DecodeError>,
    /// Appends the reply to it.
    pub encode_reply: fn(&Reply<M>, Codec, &mut BytesMut) -> Result<(), EncodeError>,
    /// The reply that these bytes are.
    pub decode_reply: fn(&[u8], Codec) -> Result<Reply<M>, DecodeError>,
    /// What the method looks like to others. Last, because it names no type of the method's: of one that is
    /// in error, the compiler then says nothing more when it looks for this table's end.
    pub describe: fn(&mut Book) -> MethodSchema,
}

/// A method's own answer, or its own error.
type Reply<M> = Result<<M as Method>::Ok, <M as Method>::Err>;

/// Asks whether a message can leave the process: its own constants are found before those of
/// [`StaysHome`], and are there for those that can only.
pub struct Travelling<M>(PhantomData<M>);

impl<M> Travelling<M>
where
    M: Method<Args: Arguments, Ok: Travel, Err: Travel>,
{
    /// The wire of a method that has an error of its own.
    pub const WIRE: Option<&'static Wire<M>> =
        match (<M::Args as Arguments>::UNFIT, M::Ok::UNFIT, M::Err::UNFIT) {
            (None, None, None) => Some(&Wire {
                describe: |book| described::<M>(book, M::Err::describe),
                encode: encode::<M>,
                decode: decode::<M>,
                encode_reply: encode_reply::<M::Ok, M::Err>,
                decode_reply: decode_reply::<M::Ok, M::Err>,
            }),
            _ => None,
        };
}

impl<M> Travelling<M>
where
    M: Method<Args: Arguments, Ok: Travel, Err = Infallible>,
{
    /// The wire of a method that has none.
    pub const SURE_WIRE: Option<&'static Wire<M>> =
        match (<M::Args as Arguments>::UNFIT, M::Ok::UNFIT) {
            (None, None) => Some(&Wire {
                describe: |book| described::<M>(book, |_| Shape::Never),
                encode: encode::<M>,
                decode: decode::<M>,
                encode_reply: |reply, codec, out| match reply {
                    Ok(answer) => encode_answer(answer, codec, out),
                    Err(never) => match *never {},
                },
                decode_reply: |bytes, codec| decode_answer(bytes, codec).map(Ok),
            }),
            _ => None,
        };
}

/// What every message has, for those that can't leave the process.
pub trait StaysHome<M: Method> {
    /// No wire.
    const WIRE: Option<&'static Wire<M>> = None;
    /// Nor here.
    const SURE_WIRE: Option<&'static Wire<M>> = None;
}

impl<M: Method> StaysHome<M> for Travelling<M> {}

fn described<M>(book: &mut Book, err: fn(&mut Book) -> Shape) -> MethodSchema
where
    M: Method<Args: Arguments, Ok: Travel>,
{
    MethodSchema {
        name: M::NAME.to_owned(),
        arguments: M::Args::describe_arguments(M::ARGUMENTS, book),
        ok: M::Ok::describe(book),
        err: err(book),
    }
}

fn encode<M>(message: M, codec: Codec, out: &mut BytesMut) -> Result<(), EncodeError>
where
    M: Method<Args: Arguments>,
{
    message
        .into_args()
        .encode_arguments(M::ARGUMENTS, codec, out)
}

fn decode<M>(bytes: &[u8], codec: Codec) -> Result<M, DecodeError>
where
    M: Method<Args: Arguments>,
{
    let args = M::Args::decode_arguments(M::ARGUMENTS, bytes, codec)?;
    // Those of the attribute, which alone have a wire, are made of their arguments.
    M::from_args(args).ok_or(DecodeError::Malformed)
}
