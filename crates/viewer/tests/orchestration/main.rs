//! Everything between what a person does and what a front end shows, against registries in memory.

mod archive;
mod base;
mod compare;
mod evidence;
mod export;
mod files;
mod flat;
mod given;
mod kept;
mod layers;
mod look;
mod names;
mod overview;
mod packages;
mod prepared;
mod relay;
mod reports;
mod search;
mod secrets;
mod shelf;
mod sign_in;
mod stage;
mod versions;
mod views;
mod waste;
mod wire;
