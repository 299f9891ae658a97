//! Arguments in, exit code out.

use std::ffi::OsString;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let [only] = arguments.as_slice()
        && only == guardian::shim::ARGV0
    {
        return guardian::shim::run().into();
    }
    guardian::cli::run(arguments).into()
}
