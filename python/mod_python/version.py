"""The version of this library."""

# The same as the version in Cargo.toml: the library travels inside the module and must match it.
version = "4.0.0"
