//! The simulator: many shards in one thread, one seed, virtual time, disk and network.
