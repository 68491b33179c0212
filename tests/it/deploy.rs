//! What is shipped beside the programs, as far as it needs the programs: the image's libraries, its health check, the configuration
//! of the containers. Whether the files under `deploy` are well-formed is the business of `deploy/check`.

use std::path::Path;
use std::process::{Command, Output};

use leadline_tests::binaries::Binaries;
use leadline_tests::{Stack, Suite, eventually, free_port};

use crate::support::{PATIENCE, Product, Running};
use crate::tidy::sources::root;

/// What `gcr.io/distroless/cc-debian13` holds of the C library and of the compiler's.
const IN_THE_IMAGE: [&str; 7] =
    ["linux-vdso.so", "ld-linux", "libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2"];

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("deploy::the_programs_need_only_what_their_image_has", [], |_| need_only_what_the_image_has());
    suite.test("deploy::the_configuration_of_the_containers_is_good", [], |_| the_configuration_is_good());
    suite.test("deploy::a_health_check_tells_by_its_exit_code", [], a_health_check_tells);
}

fn need_only_what_the_image_has() {
    let programs = Binaries::built();
    for program in [programs.leadline(), programs.ingest(), programs.email(), programs.crm()] {
        let needed = Command::new("ldd").arg(&program).output().unwrap();
        assert!(needed.status.success(), "{}", String::from_utf8_lossy(&needed.stderr));
        let needed = String::from_utf8(needed.stdout).unwrap();
        let missing = |line: &&str| !IN_THE_IMAGE.iter().any(|held| line.rsplit('/').any(|part| part.trim().starts_with(held)));
        let missing: Vec<&str> = needed.lines().filter(missing).collect();
        assert!(needed.contains("libc.so.6") && missing.is_empty(), "{}: {missing:?}", program.display());
    }
}

fn the_configuration_is_good() {
    let file = root().join("deploy/compose/leadline.toml");
    let checked =
        Command::new(Binaries::built().leadline()).arg("--config").arg(file).args(["config", "check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
}

fn a_health_check_tells(stack: &Stack) {
    let product = Product::on_embedded(stack, "health", "");
    let up = product.up(&[]);
    for args in [&[][..], &["--live"]] {
        let told = health(&up.address(), args);
        let word = if args.is_empty() { "ready\n" } else { "live\n" };
        assert_eq!((told.status.code(), String::from_utf8_lossy(&told.stdout).as_ref()), (Some(0), word));
    }
    // Its Kafka is not there.
    let worker = product.spawn("email", &Binaries::built().email(), &["--sink", &product.email_sink]);
    let told = ask_until_it_answers(&worker);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stdout).starts_with("not ready: "), "{told:?}");
    let nobody = health(&format!("127.0.0.1:{}", free_port()), &[]);
    assert_eq!(nobody.status.code(), Some(75), "{nobody:?}");
}

fn health(address: &str, args: &[&str]) -> Output {
    // As in an image: without a configuration.
    let mut command = Command::new(Binaries::built().leadline());
    command.current_dir(Path::new("/")).args(["health", "--address", address]).args(args).output().unwrap()
}

fn ask_until_it_answers(worker: &Running) -> Output {
    eventually("the admin port is open", PATIENCE, || {
        let told = health(&worker.address(), &[]);
        (told.status.code() != Some(75)).then_some(told)
    })
}
