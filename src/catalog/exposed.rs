//! Names that tell of a secret: objects that no pattern expects, and that should lie nowhere in the open.

/// Whole names that programs give to private keys and passwords.
const NAMES: [&str; 9] =
    [".htpasswd", ".netrc", ".pgpass", "credentials", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa", "secrets.yaml"];
/// What stands after the last dot of others.
const ENDINGS: [&str; 7] = ["env", "jks", "kdbx", "key", "keystore", "p12", "pfx"];

/// What to say of an object by its name alone; nothing of most.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let base = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let by_ending = base
        .rsplit_once('.')
        .is_some_and(|(stem, ending)| ENDINGS.contains(&ending) || (ending == "pem" && stem.starts_with("privkey")));
    (by_ending || NAMES.contains(&base.as_str())).then_some("by its name a private key or a password, in the open")
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn private_keys_and_passwords_are_told_from_what_everyone_may_see() {
        for name in
            ["letsencrypt/live/privkey.pem", "a/privkey1.pem", "id_rsa", "x/.env", "app/prod.env", "tls/server.KEY"]
        {
            assert!(by_name(name).is_some(), "{name}");
        }
        for name in
            ["fullchain.pem", "cert.pem", "id_rsa.pub", "environment", "monkey", "server.key.gpg", "x.key/readme"]
        {
            assert!(by_name(name).is_none(), "{name}");
        }
    }
}
