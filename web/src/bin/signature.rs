//! The worker that checks signatures.

fn main() {
    porthole_web::evidence::run();
}
