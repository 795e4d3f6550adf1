//! What the browser may do with a page: show it, and run its own scripts. Nothing from anywhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The style of every page.
pub const STYLE: &str = include_str!("../../templates/page.css");

/// The script of the index.
pub const INDEX_SCRIPT: &str = include_str!("../../templates/switches.js");

/// The script of a report.
pub const REPORT_SCRIPT: &str = concat!(
    include_str!("../../templates/switches.js"),
    include_str!("../../templates/edges.js"),
    include_str!("../../templates/payload.js"),
    include_str!("../../templates/drawing.js"),
    include_str!("../../templates/timeline.js"),
);

/// The content security policy that allows exactly this style and this script, by their hashes.
pub fn content_security_policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    )
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}
