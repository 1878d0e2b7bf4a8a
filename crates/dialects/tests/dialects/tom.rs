//! Tom.
