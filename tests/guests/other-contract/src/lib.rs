//! A filter for a contract that this host does not offer: `weft:plugin@9.0.0`.

use exports::weft::plugin::filter::Guest;

wit_bindgen::generate!({ path: "wit", world: "filter-plugin" });

struct OtherContract;

impl Guest for OtherContract {
    fn decide(event: String) -> bool {
        !event.is_empty()
    }
}

export!(OtherContract);
