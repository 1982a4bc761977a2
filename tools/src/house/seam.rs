//! Nothing above the drivers reads a clock, sleeps, draws randomness or does I/O by itself.
//!
//! This finds types and modules by name, which clippy can't; clippy finds calls by what they
//! resolve to, which this can't. Both lists are kept.

use super::Violation;
use super::code::{Code, Name};
use super::tables::{Exempt, RESERVED, Reserved, Service};

/// The lint that keeps clippy.toml's list, and the line by which a crate's root turns it on.
const LINT: &str = "clippy::disallowed_methods";
const DENIED: &str = "cfg_attr(not(test),deny(clippy::disallowed_methods))";

/// Looks through the files under `scope`, but for what is `exempt` and what is for tests only.
pub(super) fn check(code: &[Code<'_>], scope: &[&str], exempt: &[Exempt]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut used = vec![false; exempt.len()];
    let ours = |code: &&Code<'_>| scope.iter().any(|folder| code.path.starts_with(folder));
    for code in code.iter().filter(ours) {
        for name in code.names.iter().filter(|name| !name.test) {
            let Some(reserved) = RESERVED.iter().find(|reserved| is(name, reserved)) else {
                continue;
            };
            if excuse(code.path, Some(reserved.service), exempt, &mut used) {
                continue;
            }
            found.push(Violation {
                path: code.path.to_owned(),
                line: name.line,
                what: format!(
                    "{} {} above the driver seam",
                    name.segments.join("::"),
                    verb(reserved.service)
                ),
                remedy: remedy(reserved.service).to_owned(),
            });
        }
        found.extend(lints(code, scope, exempt, &mut used));
    }
    for (exempt, _) in exempt.iter().zip(used).filter(|(_, used)| !used) {
        found.push(Violation {
            path: exempt.path.to_owned(),
            line: 1,
            what: "exempt from the driver seam without need".to_owned(),
            remedy: "take it out of EXEMPT in tools/src/house/tables.rs".to_owned(),
        });
    }
    found
}

/// Each root must turn clippy's list on, and only exempt files may turn it off.
fn lints(
    code: &Code<'_>,
    scope: &[&str],
    exempt: &[Exempt],
    used: &mut [bool],
) -> Option<Violation> {
    let is_root = scope
        .iter()
        .any(|folder| code.path.strip_prefix(folder) == Some("lib.rs"));
    if is_root && !code.attributes.iter().any(|a| a.inner && a.text == DENIED) {
        return Some(Violation {
            path: code.path.to_owned(),
            line: 1,
            what: "does not turn on the list of clippy.toml".to_owned(),
            remedy: format!("add #![cfg_attr(not(test), deny({LINT}))]"),
        });
    }
    let off = code.attributes.iter().find(|a| {
        !a.test
            && a.text.contains(LINT)
            && (a.text.contains("allow(") || a.text.contains("expect("))
    })?;
    (!excuse(code.path, None, exempt, used)).then(|| Violation {
        path: code.path.to_owned(),
        line: off.line,
        what: format!("turns off {LINT}"),
        remedy: "go through the driver, or say why not in EXEMPT in tools/src/house/tables.rs"
            .to_owned(),
    })
}

/// Whether the table excuses `path`; notes which of its lines did.
fn excuse(path: &str, service: Option<Service>, exempt: &[Exempt], used: &mut [bool]) -> bool {
    let mut excused = false;
    for (exempt, used) in exempt.iter().zip(used) {
        let covers = service.is_none_or(|service| exempt.services.contains(&service));
        if covers && path.starts_with(exempt.path) {
            *used = true;
            excused = true;
        }
    }
    excused
}

/// Whether `name` means the reserved path, in full (`std::time::Instant`), by a glob of its
/// module, or from an imported module on (`time::Instant`).
fn is(name: &Name, reserved: &Reserved) -> bool {
    let segments: Vec<&str> = name.segments.iter().map(String::as_str).collect();
    let path = reserved.path;
    if let [crate_name] = path {
        return segments[0] == *crate_name && (segments.len() > 1 || name.imported);
    }
    if let [module @ .., "*"] = segments.as_slice()
        && *module == path[..path.len() - 1]
    {
        return true;
    }
    (0..path.len() - 1).any(|from| {
        let tail = &path[from..];
        segments.windows(tail.len()).any(|window| window == tail)
    })
}

fn verb(service: Service) -> &'static str {
    match service {
        Service::Clock => "reads a clock",
        Service::Sleep => "sleeps",
        Service::Randomness => "draws randomness",
        Service::Io => "does I/O",
    }
}

fn remedy(service: Service) -> &'static str {
    match service {
        Service::Clock => "take the time from the shard (Driver::now)",
        Service::Sleep => "arm a timer of the shard",
        Service::Randomness => {
            "take it from the shard (Driver::random); for maps, hashbrown with a fixed hasher"
        }
        Service::Io => "submit an Op to the shard's driver",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: &[&str] = &["a/src/"];
    const ALL: &[Service] = &[Service::Clock, Service::Io];
    const EXEMPT: &[Exempt] = &[Exempt {
        path: "a/src/driver/",
        services: ALL,
        reason: "for the test",
    }];

    fn found(path: &str, text: &str, exempt: &[Exempt]) -> Vec<String> {
        let code = [Code::parse(path, text).expect("Rust")];
        let found = check(&code, SCOPE, exempt);
        found.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn every_way_of_naming_a_clock_is_found() {
        for text in [
            "use std::time::Instant;",
            "use std::{io, time::{Duration, Instant}};",
            "use std::time::*;",
            "use std::time;\nfn a() { time::Instant::now(); }",
            "fn a() { let _ = ::std::time::Instant::now(); }",
            "fn a() -> std::time::SystemTime { todo!() }",
            "use quanta;",
        ] {
            let found = found("a/src/b.rs", text, &[]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains("reads a clock above the driver seam"));
        }
    }

    #[test]
    fn each_service_is_found_with_its_remedy() {
        for (text, remedy) in [
            ("\nfn a() { std::thread::sleep(D); }", "arm a timer"),
            ("\nuse rand::Rng;", "Driver::random"),
            (
                "\nuse std::collections::{BTreeMap, HashMap};",
                "fixed hasher",
            ),
            ("\nfn a() { unsafe { libc::read(0) } }", "submit an Op"),
            ("\nuse std::net::{SocketAddr, TcpStream};", "submit an Op"),
        ] {
            let found = found("a/src/b.rs", text, &[]);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("a/src/b.rs:2: "), "{}", found[0]);
            assert!(found[0].contains(remedy), "{}", found[0]);
        }
    }

    #[test]
    fn values_tests_and_other_crates_are_left_alone() {
        let fine = "use std::net::SocketAddr; use std::time::Duration; use crate::time::Time;\n\
                    // std::time::Instant\n\
                    #[cfg(test)] mod tests { use std::time::Instant; }\n\
                    fn a(rand: u64) -> u64 { rand }";
        assert_eq!(found("a/src/b.rs", fine, &[]), [""; 0]);
        assert_eq!(found("b/src/b.rs", "use std::time::Instant;", &[]), [""; 0]);
    }

    #[test]
    fn an_exemption_covers_its_services_only() {
        let path = "a/src/driver/b.rs";
        assert_eq!(found(path, "use std::time::Instant;", EXEMPT), [""; 0]);
        let sleep = "use std::fs; use std::thread::sleep;";
        assert_eq!(found(path, sleep, EXEMPT).len(), 1);
    }

    #[test]
    fn an_exemption_without_need_is_found() {
        let found = found("a/src/b.rs", "fn a() {}", EXEMPT);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("without need"), "{}", found[0]);
    }

    #[test]
    fn clippys_list_is_on_at_the_root_and_off_only_where_exempt() {
        let on = "#![cfg_attr(not(test), deny(clippy::disallowed_methods))]";
        let off = "#![allow(clippy::disallowed_methods)]";
        assert_eq!(found("a/src/lib.rs", on, &[]), [""; 0]);
        assert_eq!(found("a/src/lib.rs", "", &[]).len(), 1);
        assert_eq!(found("a/src/b.rs", off, &[]).len(), 1);
        assert_eq!(found("a/src/driver/mod.rs", off, EXEMPT), [""; 0]);
    }
}
