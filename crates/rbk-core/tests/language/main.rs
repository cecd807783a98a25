//! What is said of runbooks with a mistake, and what its fixes make of them.

mod fixes;
mod mistakes;
mod world;
