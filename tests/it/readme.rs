//! The sink that `workers/README.md` shows is made of what stands there, built, and run against a real Kafka.
//!
//! It is built in a workspace that is this one with one more member, into the same target folder: only the new crate is compiled.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use leadline_proto::Status;
use leadline_tests::binaries::Binaries;
use leadline_tests::{Stack, Suite, Tool, eventually, fixtures};
use serde_json::Value;

use crate::support::{PATIENCE, Product, Sinks};

const NAME: &str = "journal";

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("readme::the_sink_of_the_readme_is_built_and_takes_leads", [Tool::Kafka], example_sink);
}

fn example_sink(stack: &Stack) {
    let readme = fs::read_to_string(root().join("workers/README.md")).unwrap();
    let blocks = blocks(&readme);
    let files: Vec<&Block> = blocks.iter().filter(|block| block.path.is_some()).collect();
    assert_eq!(files.len(), 7, "the files of the example: {:?}", files.iter().map(|file| &file.path).collect::<Vec<_>>());
    let program = build(&files);

    let product = Product::new(stack, "readme", stack.kafka().bootstrap(), &Sinks { email: String::new(), crm_url: None }, "");
    // What the text ends with.
    let section = &blocks.iter().rfind(|block| block.path.is_none()).expect("the section of the sink").text;
    let config = fs::read_to_string(product.config()).unwrap();
    fs::write(product.config(), format!("{config}\n{section}")).unwrap();
    product.create_topics();
    let _ingest = product.start_ingest();
    let (lead, test) =
        (product.post(fixtures::lead("sample")).lead_id(), product.post(fixtures::lead("validate-button")).lead_id());

    let mut worker = product.spawn(NAME, &program, &["--sink", NAME]);
    worker.wait_until_ready();
    let outcome = product.outcome(stack.kafka(), NAME, lead);
    assert!(
        matches!(&outcome.status, Status::Delivered { reference: Some(reference), .. } if reference.as_str() == lead.to_string())
    );
    assert!(matches!(product.outcome(stack.kafka(), NAME, test).status, Status::Skipped { rule } if rule.as_str() == "test"));
    let lines = fs::read_to_string(product.folder().join("leads.jsonl")).unwrap();
    let leads: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(leads.iter().map(|lead| &lead["lead_id"]).collect::<Vec<_>>(), [&Value::from(lead.to_string())], "{lines}");

    // The file cannot be written: the sink is down and no lead is given up for it.
    let (file, moved) = (product.folder().join("leads.jsonl"), product.folder().join("before.jsonl"));
    fs::rename(&file, &moved).unwrap();
    fs::create_dir(&file).unwrap();
    let next = product.post(fixtures::lead("sample")).lead_id();
    worker.process.wait_for_line("journal-path", PATIENCE);
    fs::remove_dir(&file).unwrap();
    assert_eq!(worker.stop(), 0);
    let _again = product.spawn(NAME, &program, &["--sink", NAME]);
    product.outcome(stack.kafka(), NAME, next);
    eventually("the line is written", PATIENCE, || {
        fs::read_to_string(&file).ok().filter(|lines| lines.contains(&next.to_string()))
    });
}

/// A block of code, with the file that the line before it names.
struct Block {
    path: Option<String>,
    text: String,
}

/// The blocks after the heading of the example. A path stands in the last line before its block, as `` `PATH`: ``.
fn blocks(readme: &str) -> Vec<Block> {
    let (_, example) = readme.split_once("## A sink in full\n").expect("the README shows a sink in full");
    let mut parts = example.split("```");
    let mut blocks = Vec::new();
    while let (Some(before), Some(block)) = (parts.next(), parts.next()) {
        let line = before.trim_end().lines().last().unwrap_or_default();
        let path = line.strip_suffix("`:").and_then(|line| line.rsplit('`').next());
        let (_language, text) = block.split_once('\n').expect("a block has lines");
        blocks.push(Block { path: path.map(str::to_owned), text: text.to_owned() });
    }
    blocks
}

/// Makes the workspace with the new member, builds it, and gives the member's program.
fn build(files: &[&Block]) -> PathBuf {
    let programs = Binaries::built().folder();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    members(&manifest).iter().for_each(|member| link(member, &folder));
    let one_more = manifest.replacen("\nmembers = [", &format!("\nmembers = [\"workers/{NAME}\", "), 1);
    write(&folder.join("Cargo.toml"), &one_more);
    write(&folder.join("Cargo.lock"), &fs::read_to_string(root().join("Cargo.lock")).unwrap());
    files.iter().for_each(|file| write(&folder.join(file.path.as_ref().unwrap()), &file.text));
    cargo(&folder, programs);
    programs.join("leadline-journal")
}

/// The members of the workspace.
fn members(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// Has the new workspace use a folder of this one.
fn link(member: &str, folder: &Path) {
    let link = folder.join(member);
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    // It may point to where the repository was before.
    let _ = fs::remove_file(&link);
    symlink(root().join(member), &link).unwrap();
}

/// Writes a file unless it is there already: a newer one would be compiled again.
fn write(file: &Path, text: &str) {
    if fs::read_to_string(file).is_ok_and(|present| present == text) {
        return;
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// Builds the new program with the features that the whole workspace asks for, as the harness does: so nothing else is compiled.
fn cargo(folder: &Path, programs: &Path) {
    let marked = programs.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let target = marked.or_else(|| programs.parent()).expect("the programs lie in a target folder");
    let profile = programs.file_name().unwrap().to_string_lossy().replace("debug", "dev");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--offline", "--workspace", "--bin", "leadline-journal", "--profile", &profile, "--target-dir"])
        .arg(target);
    cargo.current_dir(folder);
    if programs.parent() != Some(target) {
        cargo.arg("--target").arg(programs.parent().and_then(Path::file_name).unwrap());
    }
    // What cargo has told this program about its package is not about that one.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_a_package(name)) {
        cargo.env_remove(name);
    }
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

fn is_of_a_package(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
