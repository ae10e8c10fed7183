"""The messages of the Dataspace Protocol 2025-1 that this space speaks: read, checked, written. Pure."""
