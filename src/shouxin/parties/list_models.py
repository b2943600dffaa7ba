"""What people make of the list: saved views and tags."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from shouxin.bank.models import OrgUnit, Staff


class SavedView(models.Model):
    """A list as somebody wants it again: filters, columns and order are the query of its address."""

    owner = models.ForeignKey(Staff, models.CASCADE, related_name="saved_views")
    name = models.CharField("视图名称", max_length=40)
    query = models.CharField("条件", max_length=1000)
    shared_with = models.ForeignKey(
        OrgUnit, models.CASCADE, null=True, blank=True, related_name="+", verbose_name="共享给机构及下级"
    )
    is_pinned = models.BooleanField("置顶", default=False)

    class Meta:
        ordering: ClassVar = ["-is_pinned", "name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="view_name_once_per_person"),
            models.CheckConstraint(condition=~Q(name=""), name="view_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Tag(models.Model):
    """A word that the bank puts on customers."""

    name = models.CharField("标签", max_length=40, unique=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class CustomerTag(models.Model):
    customer = models.ForeignKey("parties.Customer", models.CASCADE, related_name="tags")
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="customers")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tag", "customer"], name="tag_once_per_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.tag}"
