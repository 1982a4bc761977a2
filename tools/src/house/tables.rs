//! What is allowed where. Each exception carries its reason; one that nothing needs any more
//! is itself a violation, so these tables stay short and true.

/// A crate of the workspace.
pub(super) struct Crate {
    pub(super) name: &'static str,
    /// From the workspace's root.
    pub(super) folder: &'static str,
    /// The crates of the workspace it may depend on, for tests and build scripts too.
    pub(super) uses: &'static [&'static str],
    /// Others import it, so it never prints.
    pub(super) library: bool,
}

/// The arrows of ARCHITECTURE.md, top down.
pub(super) const CRATES: &[Crate] = &[
    Crate {
        name: "quark-tests",
        folder: "tests",
        uses: &[
            "quark-bench",
            "quark-engine",
            "quark-net",
            "quark-numa",
            "quark-shards",
            "quark-storage",
            "quark-tools",
        ],
        library: false,
    },
    Crate {
        name: "quark-bench",
        folder: "bench",
        uses: &[
            "quark-engine",
            "quark-net",
            "quark-numa",
            "quark-shards",
            "quark-storage",
            "quark-tools",
        ],
        library: false,
    },
    Crate {
        name: "quark-tools",
        folder: "tools",
        uses: &["quark-engine", "quark-numa", "quark-shards"],
        library: false,
    },
    Crate {
        name: "quark-engine",
        folder: "engine",
        uses: &[
            "quark-macros",
            "quark-net",
            "quark-numa",
            "quark-shards",
            "quark-storage",
        ],
        library: true,
    },
    Crate {
        name: "quark-macros",
        folder: "engine/macros",
        uses: &[],
        library: true,
    },
    Crate {
        name: "quark-net",
        folder: "net",
        uses: &["quark-shards"],
        library: true,
    },
    Crate {
        name: "quark-storage",
        folder: "storage",
        uses: &["quark-shards"],
        library: true,
    },
    Crate {
        name: "quark-shards",
        folder: "shards",
        uses: &["quark-numa"],
        library: true,
    },
    Crate {
        name: "quark-numa",
        folder: "numa",
        uses: &[],
        library: true,
    },
];

/// Where the driver seam holds: this code reaches clocks, randomness and I/O only through its
/// shard's driver. numa reads the machine before there are shards, and the rest stands above
/// the engine's public face.
pub(super) const SHARD_SIDE: &[&str] = &["engine/src/", "net/src/", "shards/src/", "storage/src/"];

/// What a driver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Clock,
    Sleep,
    Randomness,
    Io,
}

/// A path that shard-side code may not name.
pub(super) struct Reserved {
    pub(super) path: &'static [&'static str],
    pub(super) service: Service,
}

const fn reserved(service: Service, path: &'static [&'static str]) -> Reserved {
    Reserved { path, service }
}

/// clippy.toml has the same list by function; here it is by type and module.
pub(super) const RESERVED: &[Reserved] = &[
    reserved(Service::Clock, &["std", "time", "Instant"]),
    reserved(Service::Clock, &["std", "time", "SystemTime"]),
    reserved(Service::Clock, &["chrono"]),
    reserved(Service::Clock, &["quanta"]),
    reserved(Service::Clock, &["minstant"]),
    reserved(Service::Sleep, &["std", "thread", "sleep"]),
    reserved(Service::Sleep, &["std", "thread", "sleep_until"]),
    reserved(Service::Sleep, &["std", "thread", "park_timeout"]),
    // Their default hasher is seeded by the system, so their order differs from run to run.
    reserved(Service::Randomness, &["std", "collections", "HashMap"]),
    reserved(Service::Randomness, &["std", "collections", "HashSet"]),
    reserved(Service::Randomness, &["std", "hash", "RandomState"]),
    reserved(Service::Randomness, &["fastrand"]),
    reserved(Service::Randomness, &["getrandom"]),
    reserved(Service::Randomness, &["rand"]),
    reserved(Service::Io, &["std", "fs"]),
    reserved(Service::Io, &["std", "io", "stdin"]),
    reserved(Service::Io, &["std", "io", "stdout"]),
    reserved(Service::Io, &["std", "io", "stderr"]),
    reserved(Service::Io, &["std", "net", "TcpListener"]),
    reserved(Service::Io, &["std", "net", "TcpStream"]),
    reserved(Service::Io, &["std", "net", "ToSocketAddrs"]),
    reserved(Service::Io, &["std", "net", "UdpSocket"]),
    reserved(Service::Io, &["std", "os"]),
    reserved(Service::Io, &["std", "process", "Command"]),
    reserved(Service::Io, &["io_uring"]),
    reserved(Service::Io, &["libc"]),
    reserved(Service::Io, &["mio"]),
    reserved(Service::Io, &["nix"]),
    reserved(Service::Io, &["rustix"]),
    reserved(Service::Io, &["socket2"]),
    reserved(Service::Io, &["tokio"]),
];

/// Shard-side code that may use a service itself.
pub(super) struct Exempt {
    /// A file, or a folder with its closing slash.
    pub(super) path: &'static str,
    pub(super) services: &'static [Service],
    #[expect(dead_code, reason = "read by people")]
    pub(super) reason: &'static str,
}

pub(super) const EXEMPT: &[Exempt] = &[
    Exempt {
        path: "shards/src/driver/",
        services: &[
            Service::Clock,
            Service::Sleep,
            Service::Randomness,
            Service::Io,
        ],
        reason: "the drivers are what everyone else goes through",
    },
    Exempt {
        path: "shards/src/port.rs",
        services: &[Service::Clock, Service::Sleep],
        reason: "a port belongs to a plain thread, which has no driver to ask",
    },
    Exempt {
        path: "shards/src/stall/watcher.rs",
        services: &[Service::Clock, Service::Sleep],
        reason: "the watch over stalls is a thread beside the shards",
    },
    Exempt {
        path: "engine/src/cluster/status.rs",
        services: &[Service::Clock, Service::Sleep],
        reason: "threads outside wait for what a node becomes",
    },
    Exempt {
        path: "engine/src/density/memory.rs",
        services: &[Service::Sleep, Service::Io],
        reason: "the watch over memory is a thread beside the shards",
    },
    Exempt {
        path: "engine/src/launch.rs",
        services: &[Service::Clock],
        reason: "launches run on plain threads, before the loops",
    },
    Exempt {
        path: "engine/src/errand.rs",
        services: &[Service::Sleep],
        reason: "threads outside wait for what they have shards do",
    },
    Exempt {
        path: "engine/src/running.rs",
        services: &[Service::Clock, Service::Sleep],
        reason: "shutdowns run on plain threads, after the loops",
    },
    Exempt {
        path: "net/src/tls.rs",
        services: &[Service::Io],
        reason: "certificates are read by threads that may block, never by a shard",
    },
    Exempt {
        path: "storage/src/postgres/",
        services: &[Service::Clock, Service::Io],
        reason: "runs on the control thread, where the library that it is for finds its tokio",
    },
    Exempt {
        path: "storage/src/redis/",
        services: &[Service::Io],
        reason: "runs on the control thread, where it watches its library's task",
    },
    Exempt {
        path: "storage/src/remote/",
        services: &[Service::Clock, Service::Sleep, Service::Io],
        reason: "the control thread, which shards meet only by message, and the way to it",
    },
];

/// A place where `unsafe` may stand.
pub(super) struct Unsafe {
    /// A file, or a folder with its closing slash.
    pub(super) path: &'static str,
    #[expect(dead_code, reason = "read by people")]
    pub(super) reason: &'static str,
}

pub(super) const UNSAFE: &[Unsafe] = &[
    Unsafe {
        path: "engine/src/activation/",
        reason: "turns borrow an actor from its cell as far as the gate lets them",
    },
    Unsafe {
        path: "engine/src/mailbox.rs",
        reason: "messages of many types wait in one queue",
    },
    Unsafe {
        path: "engine/src/turn.rs",
        reason: "a turn's body borrows its frame and its actor, and goes before both",
    },
    Unsafe {
        path: "engine/src/types.rs",
        reason: "an actor type's table is found by number, and an actor by its cell's address",
    },
    Unsafe {
        path: "engine/src/whole.rs",
        reason: "carries a value's bytes through a register",
    },
    Unsafe {
        path: "net/src/frame/sum.rs",
        reason: "an instruction that not every processor has",
    },
    Unsafe {
        path: "shards/examples/wakes.rs",
        reason: "hands operations to the kernel, to measure them",
    },
    Unsafe {
        path: "shards/src/block.rs",
        reason: "hands out uninitialised memory, and takes it back",
    },
    Unsafe {
        path: "shards/src/calls.rs",
        reason: "a reply lies untyped in its slot until its caller takes it",
    },
    Unsafe {
        path: "shards/src/current.rs",
        reason: "lends the shard that is being polled to whoever runs in it",
    },
    Unsafe {
        path: "shards/src/driver/uring/",
        reason: "the kernel reads and writes buffers that it was lent",
    },
    Unsafe {
        path: "shards/src/envelope.rs",
        reason: "a message loses its type on the way, and gets it back by its header",
    },
    Unsafe {
        path: "shards/src/local_ring.rs",
        reason: "messages of many types lie in one run of slots",
    },
    Unsafe {
        path: "shards/src/ring.rs",
        reason: "a slot is written by one thread and read by another, in turns",
    },
    Unsafe {
        path: "shards/src/ring/",
        reason: "the ends of a ring, and what they share",
    },
    Unsafe {
        path: "shards/src/task.rs",
        reason: "futures of many types lie in recycled cells, and wakers point at them",
    },
    Unsafe {
        path: "shards/tests/allocations.rs",
        reason: "an allocator that counts is an allocator",
    },
    Unsafe {
        path: "storage/tests/memory.rs",
        reason: "an allocator that counts is an allocator",
    },
    Unsafe {
        path: "tests/tests/allocations.rs",
        reason: "an allocator that counts is an allocator",
    },
    Unsafe {
        path: "tests/tests/footprint.rs",
        reason: "an allocator that counts is an allocator",
    },
    Unsafe {
        path: "tests/tests/launch.rs",
        reason: "a seccomp filter denies io_uring to a thread of the test",
    },
];
