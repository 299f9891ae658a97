//! What agents speak with guardian by, beside the command line.

#[cfg(feature = "mcp")]
pub mod mcp;
