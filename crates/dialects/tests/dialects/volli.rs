//! Volli.
