//! How tables and messages are written down. Integers are little-endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hashbrown::HashMap;
use quark_shards::slots::{NodeId, SLOTS, SlotTable};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::message::{Ask, Message, Versions};
use super::table::{Address, Deed, MEMBERS_MOST, Member, Newcomer, Status, Table};
use crate::cursor::{Cursor, MalformedError};
use crate::session::{NAME_MOST, SHARDS_MOST};

/// The first byte of a table: its format.
const FORMAT: u8 = 1;

impl Table {
    /// The table as bytes: some 130 KiB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * SLOTS + 64 * self.members.len() + 1024);
        out.push(FORMAT);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.next_id.to_le_bytes());
        count(self.members.len(), &mut out);
        for member in &self.members {
            out.extend_from_slice(&member.id.0.to_le_bytes());
            out.push(match member.status {
                Status::Active => ACTIVE,
                Status::Draining => DRAINING,
            });
            write_node(&member.name, member.incarnation, &member.address, &mut out);
        }
        match &self.slots {
            None => out.push(0),
            Some(slots) => {
                out.push(1);
                self.write_slots(slots, &mut out);
            }
        }
        out
    }

    /// Each deed once, and then which of them every slot has.
    fn write_slots(&self, slots: &SlotTable, out: &mut Vec<u8>) {
        let mut known: HashMap<_, u16, _> = HashMap::with_hasher(Xxh3DefaultBuilder::new());
        let mut deeds = Vec::new();
        let mut places = Vec::with_capacity(2 * SLOTS);
        for slot in 0..=u16::MAX {
            let deed = (slots.owner(slot), self.deed(slot));
            let place = *known.entry(deed).or_insert_with(|| {
                deeds.push(deed);
                u16::try_from(deeds.len() - 1).expect("there are no more than slots")
            });
            places.extend_from_slice(&place.to_le_bytes());
        }
        out.extend_from_slice(&slots.epoch().to_le_bytes());
        let most = u32::try_from(deeds.len()).expect("there are no more than slots");
        out.extend_from_slice(&most.to_le_bytes());
        for (owner, deed) in deeds {
            out.extend_from_slice(&owner.0.to_le_bytes());
            out.extend_from_slice(&deed.since.to_le_bytes());
            // No node has the number zero.
            out.extend_from_slice(&deed.from.map_or(0, |from| from.0).to_le_bytes());
        }
        out.extend_from_slice(&places);
    }

    /// What [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// If it is no such thing.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedError> {
        let mut body = Cursor::new(bytes);
        let format = body.u8("the format")?;
        if format != FORMAT {
            return Err(unknown("the format", format.into()));
        }
        let version = body.u64("the version")?;
        let next_id = body.u32("the next number")?;
        let count = body.count(MEMBERS_MOST, "the number of members")?;
        let members = (0..count).map(|_| read_member(&mut body));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        let mut numbers = members.windows(2);
        if let Some(pair) = numbers.find(|pair| pair[0].id >= pair[1].id) {
            return Err(unknown("the member after", pair[0].id.0.into()));
        }
        let mut table = Table {
            version,
            next_id,
            members,
            slots: None,
            deeds: vec![Deed::NONE; SLOTS].into(),
        };
        match body.u8("whether slots are owned")? {
            0 => {}
            1 => table.read_slots(&mut body)?,
            other => return Err(unknown("whether slots are owned", other.into())),
        }
        body.end()?;
        Ok(table)
    }

    fn read_slots(&mut self, body: &mut Cursor<'_>) -> Result<(), MalformedError> {
        let epoch = body.u64("the epoch")?;
        let count = body.u32("the number of deeds")? as usize;
        if count > SLOTS {
            return Err(MalformedError::TooMuch {
                what: "the number of deeds",
                is: count,
                most: SLOTS,
            });
        }
        // Only as many as there are bytes for: each takes sixteen.
        let mut deeds = Vec::with_capacity(count.min(body.rest().len() / 16));
        for _ in 0..count {
            let owner = NodeId(body.u32("an owner")?);
            let since = body.u64("a deed's version")?;
            let from = body.u32("an earlier owner")?;
            if self.member(owner).is_none() {
                return Err(unknown("the owner", owner.0.into()));
            }
            let from = (from != 0).then_some(NodeId(from));
            deeds.push((owner, Deed { since, from }));
        }
        let mut owners = Vec::with_capacity(SLOTS);
        for slot in 0..SLOTS {
            let place = body.u16("a slot's deed")?;
            let (owner, deed) = deeds
                .get(usize::from(place))
                .ok_or_else(|| unknown("the deed", place.into()))?;
            owners.push(*owner);
            self.deeds[slot] = *deed;
        }
        let restored = SlotTable::restore(epoch, owners);
        self.slots = Some(restored.map_err(|_| unknown("the number of slots", 0))?);
        Ok(())
    }
}

const ACTIVE: u8 = 0;
const DRAINING: u8 = 1;

const ASK: u8 = 0;
const CONFIRM: u8 = 1;
const REFUSE: u8 = 2;
const JOIN: u8 = 3;
const TABLE: u8 = 4;

impl Message {
    /// Appends the message, and which node says it: zero if it is no member.
    pub fn write(&self, from: NodeId, out: &mut Vec<u8>) {
        out.extend_from_slice(&from.0.to_le_bytes());
        match self {
            Message::Ask(ask) => {
                out.push(ASK);
                out.extend_from_slice(&ask.version.to_le_bytes());
                out.extend_from_slice(&ask.round.to_le_bytes());
                out.push(ask.has_lease.into());
                out.push(ask.is_settled.into());
                out.extend_from_slice(&ask.let_go.first.to_le_bytes());
                out.extend_from_slice(&ask.let_go.last.to_le_bytes());
                count(ask.silent.len(), out);
                for id in &ask.silent {
                    out.extend_from_slice(&id.0.to_le_bytes());
                }
            }
            Message::Confirm { version, round } => {
                out.push(CONFIRM);
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(&round.to_le_bytes());
            }
            Message::Refuse { version } => {
                out.push(REFUSE);
                out.extend_from_slice(&version.to_le_bytes());
            }
            Message::Join(newcomer) => {
                out.push(JOIN);
                let Newcomer {
                    name,
                    incarnation,
                    address,
                } = newcomer;
                write_node(name, *incarnation, address, out);
            }
            Message::Table(table) => {
                out.push(TABLE);
                out.extend_from_slice(&table.encode());
            }
        }
    }

    /// Whether these bytes say that they are a [`Table`](Self::Table), which takes milliseconds to be
    /// taken apart, however few they are.
    #[must_use]
    pub fn is_table(bytes: &[u8]) -> bool {
        bytes.get(4) == Some(&TABLE)
    }

    /// What [`write`](Self::write) wrote, and who says it.
    ///
    /// # Errors
    /// If it is no such thing.
    pub fn read(bytes: &[u8]) -> Result<(NodeId, Self), MalformedError> {
        let mut body = Cursor::new(bytes);
        let from = NodeId(body.u32("who says it")?);
        let message = match body.u8("the kind")? {
            ASK => Message::Ask(Ask {
                version: body.u64("the version")?,
                round: body.u64("the round")?,
                has_lease: body.u8("whether it has a lease")? != 0,
                is_settled: body.u8("whether it is settled")? != 0,
                let_go: Versions {
                    first: body.u64("what it let go of")?,
                    last: body.u64("what it let go of")?,
                },
                silent: {
                    let count = body.count(MEMBERS_MOST, "the number of silent members")?;
                    let silent = (0..count).map(|_| body.u32("a member").map(NodeId));
                    silent.collect::<Result<_, _>>()?
                },
            }),
            CONFIRM => Message::Confirm {
                version: body.u64("the version")?,
                round: body.u64("the round")?,
            },
            REFUSE => Message::Refuse {
                version: body.u64("the version")?,
            },
            JOIN => {
                let (name, incarnation, address) = read_node(&mut body)?;
                Message::Join(Newcomer {
                    name,
                    incarnation,
                    address,
                })
            }
            TABLE => {
                let table = Table::decode(body.rest())?;
                return Ok((from, Message::Table(Arc::new(table))));
            }
            other => return Err(unknown("the kind", other.into())),
        };
        body.end()?;
        Ok((from, message))
    }
}

fn read_member(body: &mut Cursor<'_>) -> Result<Member, MalformedError> {
    let id = NodeId(body.u32("a member's number")?);
    let status = match body.u8("a member's status")? {
        ACTIVE => Status::Active,
        DRAINING => Status::Draining,
        other => return Err(unknown("the status", other.into())),
    };
    let (name, incarnation, address) = read_node(body)?;
    Ok(Member {
        id,
        name,
        incarnation,
        address,
        status,
    })
}

fn write_node(name: &str, incarnation: u64, address: &Address, out: &mut Vec<u8>) {
    count(name.len(), out);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&incarnation.to_le_bytes());
    match address.ip {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    count(address.ports.len(), out);
    for port in &address.ports {
        out.extend_from_slice(&port.to_le_bytes());
    }
}

fn read_node(body: &mut Cursor<'_>) -> Result<(String, u64, Address), MalformedError> {
    let name = body.text(NAME_MOST, "a node's name")?.to_owned();
    let incarnation = body.u64("a node's incarnation")?;
    let ip = match body.u8("the kind of address")? {
        4 => IpAddr::V4(Ipv4Addr::from_bits(u32::from_be_bytes(octets(body)?))),
        6 => IpAddr::V6(Ipv6Addr::from(octets::<16>(body)?)),
        other => return Err(unknown("the kind of address", other.into())),
    };
    let count = body.count(SHARDS_MOST, "the number of shards")?;
    let ports = (0..count).map(|_| body.u16("a port"));
    let ports = ports.collect::<Result<_, _>>()?;
    Ok((name, incarnation, Address { ip, ports }))
}

fn octets<const N: usize>(body: &mut Cursor<'_>) -> Result<[u8; N], MalformedError> {
    let octets = body.bytes(N, "an address")?;
    octets
        .try_into()
        .map_err(|_| MalformedError::Short("an address"))
}

/// How many, or how long: bounded by whoever made it.
fn count(count: usize, out: &mut Vec<u8>) {
    let count = u16::try_from(count).expect("lists and names are bounded where they are made");
    out.extend_from_slice(&count.to_le_bytes());
}

fn unknown(what: &'static str, is: u64) -> MalformedError {
    MalformedError::Unknown { what, is }
}
