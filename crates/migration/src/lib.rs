//! The protocol by which a container moves between daemons: messages, framing, and who says what when.
