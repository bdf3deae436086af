//! Why a component is not taken: each variant is a sentence that a person can act on.

/// Why a component is not taken. The version that served before goes on serving.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are more bytes than the limit allows.
    #[error("the component has {bytes} bytes; the limit component_bytes_max is {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The bytes are something else, or only a part of a component.
    #[error("not a WebAssembly component: {reason}")]
    NotAComponent {
        /// What they seem to be, and how to get a component.
        reason: String,
    },
    /// The component was built against another version of the contract.
    #[error(
        "built for the contract {found}; this host offers {offered}: rebuild the plugin against wit/weft.wit of this release"
    )]
    OtherContract {
        /// The interface as the component names it.
        found: String,
        /// What this host offers.
        offered: &'static str,
    },
    /// The component wants to use what no plugin is granted.
    #[error("imports what is not granted: {}", list(.imports))]
    NotGranted {
        /// All of them, so that one build mends all.
        imports: Vec<UngrantedImport>,
    },
    /// The component cannot be called by anyone.
    #[error("exports no role of {offered}: export filter, transform or route")]
    NoRole {
        /// What this host offers.
        offered: &'static str,
    },
    /// An interface has the right name, but not the functions and types of the contract.
    #[error("does not fit the contract {offered}: {reason}")]
    Misfit {
        /// What this host offers.
        offered: &'static str,
        /// Which function or type, in the words of the runtime.
        reason: String,
    },
    /// The component can never be instantiated here.
    #[error("needs more than an instance may have: {reason}")]
    Resources {
        /// What it needs and what there is.
        reason: String,
    },
    /// The component is invalid, or the compiler failed.
    #[error("does not compile: {reason}")]
    DoesNotCompile {
        /// In the words of the compiler.
        reason: String,
    },
    /// What the component says about itself makes no sense.
    #[error("its section {section} is no description: {reason}")]
    Description {
        /// The name of the custom section.
        section: &'static str,
        /// Which member breaks which rule.
        reason: String,
    },
    /// The component was compiled, but its first instance failed.
    #[error("failed its probe: {fault}")]
    Probe {
        /// What happened; quotes the guest's panic.
        fault: weft_core::contract::Fault,
    },
}

/// An import that is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UngrantedImport {
    /// The interface as the component names it.
    pub interface: String,
    /// How to build without it.
    pub way_out: &'static str,
}

fn list(imports: &[UngrantedImport]) -> String {
    let each = |import: &UngrantedImport| format!("{} ({})", import.interface, import.way_out);
    imports.iter().map(each).collect::<Vec<_>>().join("; ")
}
