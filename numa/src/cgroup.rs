//! The processor time that cgroups, version 2 or 1, leave to this process.

use crate::{TopologyError, files::Files};

/// Cgroups deeper than this are not looked at; the kernel's own files stop well before.
const DEEPEST: usize = 64;

/// The tightest quota on the way from this process's cgroup to the root, in cores; none when
/// nothing bounds it.
pub(crate) fn quota(files: Files<'_>) -> Result<Option<f64>, TopologyError> {
    let Some(groups) = files.optional_text("proc/self/cgroup")? else {
        return Ok(None);
    };
    let Some(mounts) = files.optional_text("proc/self/mountinfo")? else {
        return Ok(None);
    };
    let mut tightest: Option<f64> = None;
    // Both versions can be mounted at once, each with some of the controllers.
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Err(files.malformed("proc/self/cgroup", "a line is not `id:controllers:path`"));
        };
        let version = if controllers.is_empty() {
            Version::Two
        } else if controllers.split(',').any(|name| name == "cpu") {
            Version::One
        } else {
            continue;
        };
        for mount in mounts.lines().filter_map(|line| Mount::of(line, version)) {
            for folder in mount.folders(group) {
                if let Some(quota) = version.quota(files, &folder)? {
                    tightest = Some(tightest.map_or(quota, |other| other.min(quota)));
                }
            }
        }
    }
    Ok(tightest)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The quota of the cgroup at `folder`, in cores.
    fn quota(self, files: Files<'_>, folder: &str) -> Result<Option<f64>, TopologyError> {
        match self {
            Self::Two => {
                let path = format!("{folder}/cpu.max");
                let Some(text) = files.optional_text(&path)? else {
                    return Ok(None);
                };
                let mut words = text.split_whitespace();
                let quota = words.next().unwrap_or_default();
                if quota == "max" {
                    return Ok(None);
                }
                let quota = files.parse(&path, quota)?;
                // The kernel writes both; a quota alone would be of its default period.
                let period = files.parse(&path, words.next().unwrap_or("100000"))?;
                cores(files, &path, quota, period).map(Some)
            }
            Self::One => {
                let path = format!("{folder}/cpu.cfs_quota_us");
                let Some(quota) = files.optional_value::<i64>(&path)? else {
                    return Ok(None);
                };
                let Ok(quota) = u64::try_from(quota) else {
                    return Ok(None); // -1: no bound
                };
                let period = files.value(&format!("{folder}/cpu.cfs_period_us"))?;
                cores(files, &path, quota, period).map(Some)
            }
        }
    }
}

fn cores(files: Files<'_>, path: &str, quota: u64, period: u64) -> Result<f64, TopologyError> {
    if quota == 0 || period == 0 {
        return Err(files.malformed(path, format!("{quota} µs of every {period} µs is no quota")));
    }
    Ok(quota as f64 / period as f64)
}

/// Where a hierarchy of cgroups is mounted, and which of its cgroups is the top that is seen.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    top: String,
    folder: String,
}

impl Mount {
    /// Reads a line of mountinfo, if it mounts the hierarchy that bounds processor time.
    fn of(line: &str, version: Version) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let kind = system.next()?;
        let options = system.nth(1).unwrap_or_default();
        let wanted = match version {
            Version::Two => kind == "cgroup2",
            Version::One => kind == "cgroup" && options.split(',').any(|option| option == "cpu"),
        };
        let mut fields = mount.split(' ').skip(3);
        let (top, folder) = (fields.next()?, fields.next()?);
        wanted.then(|| Self {
            top: unescape(top),
            folder: unescape(folder),
        })
    }

    /// The folders of `group` and of every cgroup above it that can be seen.
    fn folders(&self, group: &str) -> Vec<String> {
        let top = self.top.trim_end_matches('/');
        let below = match group.strip_prefix(top) {
            Some(below) if below.is_empty() || below.starts_with('/') => below,
            // Outside what is mounted here (a container sees it so): its top is what bounds us.
            _ => "",
        };
        let mut folders = vec![self.folder.trim_end_matches('/').to_owned()];
        for name in below
            .split('/')
            .filter(|name| !name.is_empty())
            .take(DEEPEST)
        {
            if name == ".." {
                folders.truncate(1);
                break;
            }
            let above = folders.last().map_or("", String::as_str);
            folders.push(format!("{above}/{name}"));
        }
        folders
    }
}

/// Mountinfo writes blanks and backslashes in octal.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(top: &str) -> Mount {
        Mount {
            top: top.to_owned(),
            folder: "/sys/fs/cgroup".to_owned(),
        }
    }

    #[test]
    fn a_group_is_bounded_by_all_above_it() {
        assert_eq!(
            mount("/").folders("/a.slice/b"),
            [
                "/sys/fs/cgroup",
                "/sys/fs/cgroup/a.slice",
                "/sys/fs/cgroup/a.slice/b"
            ]
        );
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_top() {
        assert_eq!(
            mount("/docker/7f").folders("/docker/7f"),
            ["/sys/fs/cgroup"]
        );
        assert_eq!(
            mount("/docker/7f").folders("/docker/7f/x"),
            ["/sys/fs/cgroup", "/sys/fs/cgroup/x"]
        );
        assert_eq!(
            mount("/docker/7f").folders("/docker/7fa"),
            ["/sys/fs/cgroup"]
        );
        assert_eq!(mount("/").folders("/../../elsewhere"), ["/sys/fs/cgroup"]);
    }

    #[test]
    fn finds_the_mount_of_each_version() {
        let one =
            "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct";
        let other = "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset";
        let two = "41 31 0:38 / /sys/fs/my\\040group rw,relatime - cgroup2 cgroup2 rw";
        assert_eq!(
            Mount::of(one, Version::One).unwrap().folder,
            "/sys/fs/cgroup/cpu,cpuacct"
        );
        assert_eq!(Mount::of(other, Version::One), None);
        assert_eq!(Mount::of(one, Version::Two), None);
        assert_eq!(
            Mount::of(two, Version::Two).unwrap().folder,
            "/sys/fs/my group"
        );
        assert_eq!(Mount::of("nonsense", Version::Two), None);
    }
}
