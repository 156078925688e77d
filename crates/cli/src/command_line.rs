//! The whole command line: global options and a verb.

use clap::{Parser, builder::Styles};

use crate::{args::Global, commands::Command, limits};

/// Look inside any container image, and verify every byte.
///
/// SRC is a reference as Docker reads it (`nginx` is docker.io/library/nginx:latest), or one of `store:NAME`, `oci:DIR[:NAME]`,
/// `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]`, `layer:FILE` (one layer, any compression), or a path such as
/// ./image.tar.
#[derive(Parser)]
#[command(name = "porthole", version, styles = Styles::plain(), after_help = limits::and_then(EXIT_CODES), max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 done                        5 no such platform
  1 the answer is no            6 rate-limited
  2 usage or bad reference      7 verification failed, or malformed image
  3 authentication              8 network
  4 not found                   9 any other failure
                              130 interrupted (128 and the number of the signal)

Data goes to stdout, everything else to stderr.";
