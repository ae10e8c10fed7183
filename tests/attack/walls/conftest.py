"""Fixtures of the wall tests."""

from wallkit import image, jobs, launcher, level

__all__ = ["image", "jobs", "launcher", "level"]
