//! h
pub mod chance;
pub mod clients;
pub mod nemesis;
pub mod plan;
pub mod runner;
pub mod scenario;
pub mod simulation;
