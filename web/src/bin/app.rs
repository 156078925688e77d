//! The page.

fn main() {
    porthole_web::hooks::panic::show_panics();
    yew::Renderer::<porthole_web::app::App>::new().render();
}
