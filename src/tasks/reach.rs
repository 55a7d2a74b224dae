//! What a module's work reaches and makes: the facts by which a drill is kept from production.

/// Where a changing module works, told by the names of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only the folder of its own run.
    RunFolder,
    /// Databases on one server.
    Databases { server: &'static str, names: &'static [&'static str] },
    /// Folders of this machine, each with all that is in it.
    Folders { paths: &'static [&'static str] },
    /// Whole servers, with everything in them.
    Servers { names: &'static [&'static str] },
    /// Images of an asset, under this tag.
    Images { asset: &'static str, tag: &'static str },
    /// The file by which clients find one half of a pair: that of this server.
    Traffic { of: &'static str },
}

/// What a module makes that is there afterwards, and how it is got rid of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Makes {
    /// `database`, `folder`…
    pub what: &'static str,
    /// The input that names it.
    pub named_by: &'static str,
    /// Module that removes it.
    pub remove: &'static str,
    /// Observing module that ends well only where it is gone.
    pub probe: &'static str,
}
