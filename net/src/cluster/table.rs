use std::fmt;
use std::net::IpAddr;

use quark_shards::planted::{Bug, planted};
use quark_shards::slots::{NodeId, SLOTS, SlotTable, SlotTableError};
use thiserror::Error;

/// Who belongs to a cluster and who owns its slots, at one version. It is kept outside of the
/// cluster's nodes, and every change makes the next version of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    pub(super) version: u64,
    /// The number that the next newcomer gets. None is given twice.
    pub(super) next_id: u32,
    /// Ascending by their numbers.
    pub(super) members: Vec<Member>,
    /// None while no member owns slots.
    pub(super) slots: Option<SlotTable>,
    /// Since when each slot is its owner's, and whose it was before.
    pub(super) deeds: Box<[Deed]>,
}

/// Since when a slot has its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deed {
    /// The version of the table that gave it to him.
    pub since: u64,
    /// Who had it before, and can hand it over.
    pub from: Option<NodeId>,
}

impl Deed {
    /// Of a slot that nobody owns.
    pub(super) const NONE: Deed = Deed {
        since: 0,
        from: None,
    };
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number, which stays the same when it comes back under its name.
    pub id: NodeId,
    /// Its name. Only one process may run under it at any time.
    pub name: String,
    /// Drawn at each of its launches.
    pub incarnation: u64,
    /// Where it can be reached.
    pub address: Address,
    /// What it is about to do.
    pub status: Status,
}

/// Where a node listens: one port for each of its shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host, as the others see it.
    pub ip: IpAddr,
    /// By shard.
    pub ports: Vec<u16>,
}

/// What a member is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It serves its slots.
    Active,
    /// It has given its slots away and will leave.
    Draining,
}

/// A node that wants to be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its name.
    pub name: String,
    /// Drawn at this launch.
    pub incarnation: u64,
    /// Where it can be reached.
    pub address: Address,
}

/// What a new version of a table differs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One more member, which takes its fair share of the slots.
    Admit(Newcomer),
    /// A member was started again: what its last process held is to be waited for.
    Restart(NodeId, Newcomer),
    /// A member gives its slots away.
    Drain(NodeId),
    /// A member is gone; what slots it had go to the others.
    Remove(NodeId),
}

/// Why a table can't be changed so.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// There are as many members as a cluster can have, or none would be left.
    #[error(transparent)]
    Slots(#[from] SlotTableError),
    /// There is no such member.
    #[error("node {} is no member", .0.0)]
    NoMember(NodeId),
    /// Two nodes of one name.
    #[error("\"{0}\" is the name of a member already: give every node a name of its own")]
    NameTaken(String),
    /// There are as many as can count each other.
    #[error("a cluster has {MEMBERS_MOST} members at most")]
    TooMany,
}

/// The most members of a cluster: each speaks with each.
pub const MEMBERS_MOST: usize = 1024;

impl Table {
    /// The first version, of a cluster of one.
    #[must_use]
    pub fn found(founder: Newcomer) -> Self {
        let id = NodeId(1);
        let deed = Deed {
            since: 1,
            from: None,
        };
        Table {
            version: 1,
            next_id: 2,
            members: vec![founder.into_member(id)],
            slots: Some(SlotTable::single(id)),
            deeds: vec![deed; SLOTS].into(),
        }
    }

    /// The only version of a cluster whose members do not change.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn fixed(nodes: Vec<Newcomer>) -> Result<Self, ChangeError> {
        if nodes.len() > MEMBERS_MOST {
            return Err(ChangeError::TooMany);
        }
        let ids: Vec<_> = (1..).map(NodeId).take(nodes.len()).collect();
        let slots = SlotTable::assign(&ids)?;
        let mut table = Table {
            version: 1,
            next_id: u32::try_from(nodes.len() + 1).expect("there are no more than that"),
            members: Vec::new(),
            slots: None,
            deeds: vec![Deed::NONE; SLOTS].into(),
        };
        for (node, id) in nodes.into_iter().zip(ids) {
            if table.named(&node.name).is_some() {
                return Err(ChangeError::NameTaken(node.name));
            }
            table.members.push(node.into_member(id));
        }
        table.give(Some(slots));
        Ok(table)
    }

    /// Rises with every change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Ascending by their numbers.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Who has this number.
    #[must_use]
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        let place = self.members.binary_search_by_key(&id, |member| member.id);
        place.ok().map(|place| &self.members[place])
    }

    /// Who has this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// How many members are more than half of them.
    #[must_use]
    pub fn majority(&self) -> usize {
        if planted(Bug::HalfMajority) {
            return self.members.len().div_ceil(2);
        }
        self.members.len() / 2 + 1
    }

    /// The owner of `slot`, if anyone owns slots.
    #[inline]
    #[must_use]
    pub fn owner(&self, slot: u16) -> Option<NodeId> {
        self.slots.as_ref().map(|slots| slots.owner(slot))
    }

    /// Since when that is so.
    #[inline]
    #[must_use]
    pub fn deed(&self, slot: u16) -> Deed {
        self.deeds[usize::from(slot)]
    }

    /// The slots and who owns them.
    #[must_use]
    pub fn slots(&self) -> Option<&SlotTable> {
        self.slots.as_ref()
    }

    /// The next version.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn changed(&self, change: &Change) -> Result<Self, ChangeError> {
        let mut next = self.clone();
        next.version += 1;
        match change {
            Change::Admit(newcomer) => next.admit(newcomer)?,
            Change::Restart(id, newcomer) => {
                let status = Status::Active;
                let known = next.member_mut(*id)?;
                let was = known.status;
                *known = Member {
                    status,
                    ..newcomer.clone().into_member(*id)
                };
                if was == Status::Draining {
                    next.give(self.joined(*id)?);
                }
                next.begin_anew(*id);
            }
            Change::Drain(id) => {
                next.member_mut(*id)?.status = Status::Draining;
                next.give(self.without(*id)?);
            }
            Change::Remove(id) => {
                next.member_mut(*id)?;
                next.members.retain(|member| member.id != *id);
                next.give(self.without(*id)?);
            }
        }
        Ok(next)
    }

    fn admit(&mut self, newcomer: &Newcomer) -> Result<(), ChangeError> {
        if self.members.len() >= MEMBERS_MOST {
            return Err(ChangeError::TooMany);
        }
        if self.named(&newcomer.name).is_some() {
            return Err(ChangeError::NameTaken(newcomer.name.clone()));
        }
        let id = NodeId(self.next_id);
        self.next_id += 1;
        let slots = self.joined(id)?;
        // Numbers rise, so it is the last.
        self.members.push(newcomer.clone().into_member(id));
        self.give(slots);
        Ok(())
    }

    fn member_mut(&mut self, id: NodeId) -> Result<&mut Member, ChangeError> {
        let place = self.members.binary_search_by_key(&id, |member| member.id);
        let place = place.map_err(|_| ChangeError::NoMember(id))?;
        Ok(&mut self.members[place])
    }

    fn joined(&self, id: NodeId) -> Result<Option<SlotTable>, SlotTableError> {
        Ok(Some(match &self.slots {
            None => SlotTable::single(id),
            Some(slots) => slots.join(id)?,
        }))
    }

    /// The slots without this member's; as they are if it has none.
    fn without(&self, id: NodeId) -> Result<Option<SlotTable>, SlotTableError> {
        let Some(slots) = &self.slots else {
            return Ok(None);
        };
        Ok(match slots.nodes() {
            [only] if *only == id => None,
            nodes if nodes.contains(&id) => Some(slots.leave(id)?),
            _ => Some(slots.clone()),
        })
    }

    /// Every slot has the owner that `slots` say, and a deed if that is another than before.
    fn give(&mut self, slots: Option<SlotTable>) {
        for slot in 0..=u16::MAX {
            let before = self.owner(slot);
            let after = slots.as_ref().map(|slots| slots.owner(slot));
            if before != after {
                self.deeds[usize::from(slot)] = match after {
                    None => Deed::NONE,
                    Some(_) => Deed {
                        since: self.version,
                        from: before,
                    },
                };
            }
        }
        self.slots = slots;
    }

    /// Its slots are this member's from this version on, and nobody can hand them over.
    fn begin_anew(&mut self, id: NodeId) {
        for slot in 0..=u16::MAX {
            if self.owner(slot) == Some(id) {
                self.deeds[usize::from(slot)] = Deed {
                    since: self.version,
                    from: None,
                };
            }
        }
    }
}

impl fmt::Debug for Table {
    /// Without the slots, which nobody could read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("version", &self.version)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl Newcomer {
    fn into_member(self, id: NodeId) -> Member {
        Member {
            id,
            name: self.name,
            incarnation: self.incarnation,
            address: self.address,
            status: Status::Active,
        }
    }
}
