"""Transfers (DSP 2025-1, transfer process protocol): data go to the zone sealed, their keys go to one job at a time."""
