//! Who belongs to a cluster, and which node serves which slots.
//!
//! **The table** names the members and the owner of every slot. It is kept outside of the nodes,
//! where a version can only be written behind the one before it. One version differs from the one
//! before it by one member at most.
//!
//! **Leases.** A member asks the others, again and again, to confirm the version that it has. Who has
//! that very version does; who has a newer one says so. If a majority of the version's members, the
//! asker among them, has confirmed a question, the asker holds a lease from when it asked. It serves
//! nothing without one, and writes no version of the table.
//!
//! **Taking over.** A slot that changes hands is served by its new owner once nobody else can serve
//! it: after its last owner has said that it has let go of it; or when a lease's time, and what clocks
//! may be wrong in that, has passed since a majority has confirmed the new version. For then no
//! earlier version has a lease any more: majorities of versions that differ by one member have a
//! member in common, who does not confirm an earlier version after a later one; and as only who has
//! the confirmation of a majority writes a version with other members, that holds along any chain of
//! versions, also for who has missed some.
//!
//! So no two nodes serve a slot at the same time, however long messages take, and whichever nodes
//! stop, end or come back, if clocks run as true as [`Timing`] says and no name is used by two
//! processes at once. Where that fails, fences in the state's store still keep state from harm.
//!
//! **Losing members.** Who is silent, or without a lease, for long enough by the word of a majority
//! is removed, and its slots go to others. A side without a majority can remove nobody, and serves
//! nothing after its leases. A cluster that lost its majority goes on when enough of its members are
//! back under their names.

mod keeper;
mod lease;
mod message;
mod node;
mod settings;
mod slot_set;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod wire;

pub use self::keeper::{Keeper, Surroundings};
pub use self::message::{Ask, Message, Versions};
pub use self::node::{Entry, Membership, Serve};
pub use self::settings::Timing;
pub use self::slot_set::SlotSet;
pub use self::store::{MemoryTable, StoreAnswer, TableStore, TableStoreError};
pub use self::table::{
    Address, Change, ChangeError, Deed, MEMBERS_MOST, Member, Newcomer, Status, Table,
};
