//! `mcp`: the Model Context Protocol on standard input and output.

use clap::Parser;

use crate::agent::mcp;
use crate::error::Error;

use super::Call;

/// Serves agents by the Model Context Protocol on standard input and output, until that ends
#[derive(Debug, Parser)]
#[command(after_help = "Example: claude mcp add guardian -- guardian mcp")]
pub(super) struct Mcp;

pub(super) fn run(call: &Call, _: &Mcp) -> Result<u8, Error> {
    mcp::serve(call.home.clone())?;
    Ok(0)
}
