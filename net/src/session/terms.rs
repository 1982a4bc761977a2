use crate::cursor::{Cursor, MalformedError};

/// The longest names that may be said: of clusters, nodes and actor types, in bytes.
pub const NAME_MOST: usize = 255;

/// The most actor types of one application.
pub const ACTORS_MOST: usize = 1024;

/// The most shards of one node.
pub const SHARDS_MOST: usize = 1024;

/// What every side reads, in bytes behind the length: a schema of any size, with its frame.
pub const FRAME_LEAST: u32 = (256 << 10) + 64;

/// What a side says of itself when a session opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The cluster it belongs to, or wants to talk to.
    pub cluster: String,
    /// Who it is.
    pub who: Who,
    /// The newest table of owners it knows of.
    pub epoch: u64,
    /// Which actor types it has, in its own order.
    pub actors: Vec<Offer>,
    /// What it has room for.
    pub window: Window,
    /// The longest frame it reads, in bytes behind the length: [`FRAME_LEAST`] at least.
    pub max_frame: u32,
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Hosts no actors.
    Client,
    /// Hosts actors.
    Node(Node),
}

/// A node, as its sessions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, which no other node of the cluster has.
    pub name: String,
    /// Drawn at each of its launches, so that one that came back is told from one that stayed.
    pub incarnation: u64,
    /// What keys are hashed with. Only told to those who were let in.
    pub seed: u64,
    /// The shard at this end of the session.
    pub shard: u16,
    /// The port that each shard listens on.
    pub ports: Vec<u16>,
}

/// An actor type of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its registered name.
    pub name: String,
    /// What its messages look like, in one number.
    pub fingerprint: u64,
}

/// How much may be under way towards a side: calls not yet answered, and one-way messages not yet
/// credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Messages, one at least.
    pub messages: u32,
    /// Bytes of their frames. One frame may always be under way, however large.
    pub bytes: u32,
}

impl Default for Window {
    /// 1,024 messages in 16 MiB.
    fn default() -> Self {
        Window {
            messages: 1024,
            bytes: 16 << 20,
        }
    }
}

const CLIENT: u8 = 0;
const NODE: u8 = 1;

impl Terms {
    /// Whether it hosts actors.
    #[must_use]
    pub fn is_node(&self) -> bool {
        matches!(self.who, Who::Node(_))
    }

    /// Appends what is sent in a `Hello` or a `Welcome`, with this side's part of the salt.
    pub(super) fn write(&self, salt: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&salt.to_le_bytes());
        text(&self.cluster, out);
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.window.messages.to_le_bytes());
        out.extend_from_slice(&self.window.bytes.to_le_bytes());
        out.extend_from_slice(&self.max_frame.to_le_bytes());
        match &self.who {
            Who::Client => out.push(CLIENT),
            Who::Node(node) => node.write(out),
        }
        count(self.actors.len(), out);
        for actor in &self.actors {
            text(&actor.name, out);
            out.extend_from_slice(&actor.fingerprint.to_le_bytes());
        }
    }

    /// What [`write`](Self::write) wrote, with the peer's part of the salt.
    pub(super) fn read(body: &[u8]) -> Result<(Self, u64), MalformedError> {
        let mut body = Cursor::new(body);
        let salt = body.u64("the salt")?;
        let terms = Terms {
            cluster: body.text(NAME_MOST, "the cluster's name")?.to_owned(),
            epoch: body.u64("the epoch")?,
            window: Window {
                messages: body.u32("the window")?.max(1),
                bytes: body.u32("the window")?,
            },
            max_frame: body.u32("the longest frame")?.max(FRAME_LEAST),
            who: match body.u8("who it is")? {
                CLIENT => Who::Client,
                NODE => Who::Node(Node::read(&mut body)?),
                other => {
                    return Err(MalformedError::Unknown {
                        what: "the kind of peer",
                        is: other.into(),
                    });
                }
            },
            actors: {
                let count = body.count(ACTORS_MOST, "the number of actor types")?;
                let offers = (0..count).map(|_| Offer::read(&mut body));
                offers.collect::<Result<_, _>>()?
            },
        };
        body.end()?;
        Ok((terms, salt))
    }
}

impl Node {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(NODE);
        text(&self.name, out);
        out.extend_from_slice(&self.incarnation.to_le_bytes());
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.shard.to_le_bytes());
        count(self.ports.len(), out);
        for port in &self.ports {
            out.extend_from_slice(&port.to_le_bytes());
        }
    }

    fn read(body: &mut Cursor<'_>) -> Result<Self, MalformedError> {
        Ok(Node {
            name: body.text(NAME_MOST, "the node's name")?.to_owned(),
            incarnation: body.u64("the node's incarnation")?,
            seed: body.u64("the node's seed")?,
            shard: body.u16("the shard")?,
            ports: {
                let count = body.count(SHARDS_MOST, "the number of shards")?;
                let ports = (0..count).map(|_| body.u16("a port"));
                ports.collect::<Result<_, _>>()?
            },
        })
    }
}

impl Offer {
    fn read(body: &mut Cursor<'_>) -> Result<Self, MalformedError> {
        Ok(Offer {
            name: body.text(NAME_MOST, "an actor type's name")?.to_owned(),
            fingerprint: body.u64("an actor type's fingerprint")?,
        })
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// # Panics
/// If it does not fit: what a side says of itself is checked when it launches.
fn count(count: usize, out: &mut Vec<u8>) {
    let count = u16::try_from(count).expect("checked at launch");
    out.extend_from_slice(&count.to_le_bytes());
}
