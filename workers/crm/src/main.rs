//! The CRM worker's binary. Everything else is in the library.

fn main() -> std::process::ExitCode {
    leadline_runtime::process::main::<leadline_crm::Crm>()
}
