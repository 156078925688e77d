//! A worker that looks into contents.

fn main() {
    porthole_web::layer::run_contents();
}
