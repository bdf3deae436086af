//! Asks the linker for a small stack, which the host resets for each event.

fn main() {
    println!("cargo:rustc-link-arg-cdylib=-zstack-size=65536");
}
