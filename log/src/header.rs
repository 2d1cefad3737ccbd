//! The headers of Twinlog's own records: named here once, for whoever writes them and whoever reads them.

/// Of a notice: by which door it came.
pub const DOOR: &str = "twinlog-door";
/// Of a notice: when intake had it, microseconds since the Unix epoch, decimal.
pub const RECEIVED_AT_US: &str = "twinlog-received-at-us";
/// Of a notice: that an operator has it told once more, so that it is no copy of what was told before.
pub const REPLAYED: &str = "twinlog-replayed";
/// Of change events and facts: the site that says so.
pub const SITE: &str = "twinlog-site";
/// Of change events and facts: the number of the schema that wrote the value, decimal.
pub const SCHEMA_VERSION: &str = "twinlog-schema-version";
