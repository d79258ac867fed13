"""What stands between a run and its readers: smoothing, redaction, guards, and a user's own."""

from fieldstream._merged import merged
from fieldstream.transforms.guard import Draft, Guard
from fieldstream.transforms.pipeline import Pipeline
from fieldstream.transforms.redact import Redact
from fieldstream.transforms.smooth import Smooth
from fieldstream.transforms.stage import Stage, Transform

__all__ = ["Draft", "Guard", "Pipeline", "Redact", "Smooth", "Stage", "Transform", "merged"]
