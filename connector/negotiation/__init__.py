"""Negotiations and the agreements they end in (DSP 2025-1, contract negotiation protocol), for both sides."""
