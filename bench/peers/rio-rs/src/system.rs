//! A server of its own for each run.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use peers_common::Job;
use peers_common::tokio_modes::{Cores, Home, Stage};
use rio_rs::cluster::storage::local::LocalStorage;
use rio_rs::object_placement::local::LocalObjectPlacement;
use rio_rs::prelude::*;

use crate::object::{COUNTER, Lend, Lender, registry};

/// Between two looks whether the server is up.
const LOOK: Duration = Duration::from_millis(5);
/// The server needs far less for its start.
const LOOKS: usize = 2_000;

/// A server, and a way to it from inside of the process.
pub struct System {
    /// The server is on the callee's core.
    pub stage: Stage,
    /// What requests go by.
    pub app: Arc<AppData>,
}

impl System {
    /// Starts a server.
    pub fn start(job: Job, cores: Cores) -> Self {
        let stage = Stage::tokio(job.mode, cores);
        let (lend, lent) = mpsc::channel();
        stage.callee.drive(async move {
            let members = LocalStorage::default();
            let data = AppData::new();
            data.set(Lender(lend));
            let peers = PeerToPeerClusterProvider::builder();
            let mut server = Server::builder()
                .registry(registry())
                .app_data(data)
                .cluster_provider(peers.members_storage(members.clone()).build())
                .object_placement_provider(LocalObjectPlacement::default())
                .build();
            server.prepare().await.expect("memory needs no preparation");
            // On all addresses, as by default: a server tells its members the machine's first one.
            let listener = server.bind().await.expect("some port is free");
            tokio::spawn(async move { server.run(listener).await });
            borrow(members).await;
        });
        let app = lent.recv().expect("the server lends it");
        System { stage, app }
    }
}

/// Has the server lend its data, by the one request that comes from outside.
async fn borrow(members: LocalStorage) {
    for _ in 0..LOOKS {
        let active = members.active_members().await;
        if !active.expect("memory does not fail").is_empty() {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let client = ClientBuilder::new().members_storage(members).build();
    let mut client = client.expect("it knows where the members are");
    let lent: Result<(), RequestError<NoopError>> = client.send(COUNTER, "lender", &Lend).await;
    lent.expect("the server is up");
}
