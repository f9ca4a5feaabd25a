"""The one place that names the version (read by hatchling and by `mmsproxy --version`)."""

__version__ = "0.1.0"
