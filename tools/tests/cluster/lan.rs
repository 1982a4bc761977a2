//! A network of this machine's own: each node in a namespace with its own address, on a bridge that
//! it can be cut off from.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, id};

/// Whoever is on it, numbered from 1; this process is on it, too.
pub(crate) struct Lan {
    net: u8,
    many: u8,
}

impl Lan {
    /// One for so many; nothing where this process may not make networks, with the reason printed.
    pub(crate) fn new(many: u8) -> Option<Self> {
        let lan = Lan {
            net: (id() % 250) as u8,
            many,
        };
        if let Err(why) = ip(&["link", "add", &lan.bridge(), "type", "bridge"]) {
            println!(
                "not tried, for no networks can be made here (as root, with iproute2, they can): {why}"
            );
            return None;
        }
        let bridge = lan.bridge();
        done(&["addr", "add", &format!("{}/24", lan.here()), "dev", &bridge]);
        done(&["link", "set", &bridge, "up"]);
        for node in 1..=many {
            let (space, end) = (lan.namespace(node), lan.end(node));
            done(&["netns", "add", &space]);
            done(&[
                "link", "add", &end, "type", "veth", "peer", "name", "eth0", "netns", &space,
            ]);
            done(&["link", "set", &end, "master", &bridge]);
            let addr = format!("{}/24", lan.addr(node));
            done(&["-n", &space, "addr", "add", &addr, "dev", "eth0"]);
            done(&["-n", &space, "link", "set", "eth0", "up"]);
            done(&["-n", &space, "link", "set", "lo", "up"]);
            lan.heal(node);
        }
        Some(lan)
    }

    fn bridge(&self) -> String {
        format!("qb{}", self.net)
    }

    /// The end of a node's cable at the bridge.
    fn end(&self, node: u8) -> String {
        format!("qv{}n{node}", self.net)
    }

    /// What runs in it is on the node.
    pub(crate) fn namespace(&self, node: u8) -> String {
        format!("quark-{}-{node}", self.net)
    }

    /// Where this process is.
    pub(crate) fn here(&self) -> IpAddr {
        self.addr(254)
    }

    /// Where a node is.
    pub(crate) fn addr(&self, node: u8) -> IpAddr {
        Ipv4Addr::new(10, 213, self.net, node).into()
    }

    /// Pulls a node's cable.
    pub(crate) fn cut(&self, node: u8) {
        done(&["link", "set", &self.end(node), "down"]);
    }

    /// Puts it in again.
    pub(crate) fn heal(&self, node: u8) {
        done(&["link", "set", &self.end(node), "up"]);
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for node in 1..=self.many {
            // Its cable goes with it.
            let _ = ip(&["netns", "del", &self.namespace(node)]);
        }
        let _ = ip(&["link", "del", &self.bridge()]);
    }
}

fn done(arguments: &[&str]) {
    if let Err(why) = ip(arguments) {
        panic!("ip {}: {why}", arguments.join(" "));
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let ran = Command::new("ip").args(arguments).output();
    let ran = ran.map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned())
}
