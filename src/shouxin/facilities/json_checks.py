"""Conditions on JSON columns that the database itself keeps."""

from typing import Any

from django.db import models
from django.db.models import Func


class NothingNegative(Func):
    """True while no number anywhere in a JSON column is below 0."""

    template = "(NOT jsonb_path_exists(%(expressions)s, '$.** ? (@ < 0)'))"
    output_field: Any = models.BooleanField()
    conditional = True
