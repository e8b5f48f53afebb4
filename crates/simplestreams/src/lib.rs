//! Image servers of the simplestreams kind: an index of products becomes a list of images.
