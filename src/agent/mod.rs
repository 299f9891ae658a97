//! What agents speak with guardian by, beside the command line, and what is written into their configuration.

pub mod install;
#[cfg(feature = "mcp")]
pub mod mcp;
