//! A layer worker.

fn main() {
    porthole_web::layer::run();
}
