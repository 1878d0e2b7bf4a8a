//! ManaMesh.
