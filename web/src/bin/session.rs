//! The session worker.

fn main() {
    porthole_web::session::run();
}
