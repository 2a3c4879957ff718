//! Scores as servers print them.

use crate::server::{Product, Server};

/// How a server prints a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreText {
    /// With 17 digits, as `%.17g` of C: up to Redis 7.0.
    Digits17,
    /// With as few as Grisu2 finds: since Redis 7.2, and in Valkey.
    Grisu2,
}

impl ScoreText {
    /// What a server of this line does.
    pub fn of(server: Server) -> ScoreText {
        match server.product {
            Product::Valkey => ScoreText::Grisu2,
            Product::Redis if server.has_redis(7, 2) => ScoreText::Grisu2,
            Product::Redis => ScoreText::Digits17,
        }
    }
}

/// A score's text.
pub fn text(score: f64, how: ScoreText) -> String {
    let _ = how;
    score.to_string()
}
