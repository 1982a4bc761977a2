//! What an error of PostgreSQL's means.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::provider::StoreError;
use crate::remote::Failure;

pub(super) fn failure(error: &Error, place: &str) -> Failure {
    let place = place.to_owned();
    let Some(told) = error.as_db_error() else {
        let why = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        return Failure::Broken(why);
    };
    let why = format!("{} ({})", told.message(), told.code().code());
    let code = told.code();
    // The server goes, comes, or has no room for more connections.
    let class = code.code().get(..2).unwrap_or_default();
    let passes = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    if class == "08" || passes.contains(code) {
        return Failure::Broken(why);
    }
    let passes = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::OUT_OF_MEMORY,
    ];
    if passes.contains(code) {
        return Failure::Again(why);
    }
    Failure::Said(match *code == SqlState::DISK_FULL {
        true => StoreError::Full { place },
        false => StoreError::Refused { place, why },
    })
}
