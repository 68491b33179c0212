//! A disk that is full, and one that becomes read-only: a small one in memory, if this user may mount one.

use std::path::{Path, PathBuf};
use std::process::Command;

use leadline_tests::{Stack, eventually};
use serde_json::json;

use super::{Site, figure, ids};
use crate::support::PATIENCE;

/// A small disk of its own.
struct Disk(PathBuf);

impl Disk {
    /// `None` when this user may not mount anything.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=4m", "tmpfs", &at.display().to_string()]).then(|| Self(at.to_owned()))
    }

    fn remount(&self, how: &str) {
        assert!(run("mount", &["-o", &format!("remount,{how}"), &self.0.display().to_string()]), "remounting {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", &self.0.display().to_string()]);
    }
}

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

pub(super) fn full_and_read_only(stack: &Stack) {
    let site = Site::new(stack, "");
    let at = site.product.folder().join("leadline-data");
    let Some(disk) = Disk::mount(&at) else {
        println!("left out: this user may not mount a disk");
        return;
    };
    let mut ingest = site.ingest();
    site.away();
    let body =
        |text: &str| json!({"UserDetails": {"Email": "ada@contoso.example"}, "Description": text.repeat(50_000)}).to_string();
    let mut accepted = Vec::new();
    let mut fill = || loop {
        let posted = site.product.post(body("x"));
        match posted.status {
            202 => accepted.push(posted.json()["lead_id"].as_str().unwrap().to_owned()),
            status => break (status, posted.header("retry-after").map(str::to_owned)),
        }
    };
    assert_eq!(fill(), (503, Some("30".to_owned())), "the disk is full");
    assert!(accepted.len() > 5, "{}", accepted.len());
    site.back();
    site.until_published(&accepted);
    eventually("the spool can be used again", PATIENCE, || (figure(&ingest, "leadline_spool_usable") == 1.0).then_some(()));

    // It cannot become read-only while a file of it is open.
    assert_eq!(ingest.stop(), 0);
    disk.remount("ro");
    let ingest = site.ingest();
    let (status, durable, _) = site.post("bob");
    assert_eq!((status, durable.as_str()), (202, "kafka"), "Kafka is there, and the disk is not needed");
    site.away();
    let refused = site.product.post(body("y"));
    assert_eq!(refused.status, 503, "the disk is read-only");
    disk.remount("rw");
    eventually("the spool can be used again", PATIENCE, || (figure(&ingest, "leadline_spool_usable") == 1.0).then_some(()));
    let posted = site.product.post(body("z"));
    assert_eq!(posted.status, 202, "{}", posted.body);
    let last = posted.json()["lead_id"].as_str().unwrap().to_owned();
    site.back();
    site.until_published(&[last]);
    println!("{} leads fitted on the disk", ids(&site.leads()).len() - 2);
}
