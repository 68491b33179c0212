//! How a process ends: its exit code, and the one sentence that says why.

use std::process::ExitCode;

use crate::config::ConfigError;

/// How a process ends. The numbers are those of `sysexits.h` where one fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Bad configuration or usage.
    Usage = 64,
    /// A fault of the program or the machine.
    Internal = 70,
    /// Something it depends on stayed away past its deadline.
    Unavailable = 75,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> i32 {
        self as i32
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a process ended early: one sentence, and the code it ends with.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fatal {
    /// What went wrong and what to do.
    pub message: String,
    /// The code to end with.
    pub exit: Exit,
}

impl Fatal {
    /// A bad configuration or usage.
    pub fn usage(error: impl std::fmt::Display) -> Self {
        Self { message: error.to_string(), exit: Exit::Usage }
    }

    /// An address that cannot be listened on; `key` is where it is configured.
    pub fn cannot_bind(key: &str, address: std::net::SocketAddr, error: &std::io::Error) -> Self {
        let variable = format!("LEADLINE__{}", key.to_uppercase().replace('.', "__"));
        Self::usage(format!(
            "`{key}`: {address} cannot be listened on: {error}; set another, also by {variable}=127.0.0.1:PORT"
        ))
    }

    /// A fault of the program or the machine.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self { message: error.to_string(), exit: Exit::Internal }
    }

    /// Something the process depends on is away.
    pub fn unavailable(error: impl std::fmt::Display) -> Self {
        Self { message: error.to_string(), exit: Exit::Unavailable }
    }
}

impl From<ConfigError> for Fatal {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}
