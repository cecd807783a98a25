//! How sequences stand, and how they are set.
