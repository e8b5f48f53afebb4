//! The daemon's side of the conversation with the keeper.
