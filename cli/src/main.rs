//! The operator's command. Everything else is in the library.

fn main() -> std::process::ExitCode {
    leadline::main()
}
