//! Clients of the outside systems, the guard around them, and the simulator.
