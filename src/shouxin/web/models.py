"""Systems that call the HTTP API: who they act for, what they may do, how often."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from shouxin.bank.models import Staff


class ApiClient(models.Model):
    """One client system. Its data scope is that of its service account; the key itself is kept as a hash only."""

    class Scope(models.TextChoices):
        READ = "read", "查询"
        BOOK = "book", "预占、放款、归还"
        REVERSE = "reverse", "冲销"
        CASES = "cases", "授信案件与预警"

    name = models.CharField("系统名称", max_length=60, unique=True)
    account = models.ForeignKey(Staff, models.PROTECT, related_name="api_clients", verbose_name="服务账号")
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices), verbose_name="权限")
    key_hash = models.CharField(max_length=64, unique=True)
    key_hint = models.CharField("密钥前缀", max_length=8)
    calls_per_minute = models.PositiveIntegerField("每分钟次数", default=6000)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(calls_per_minute__gt=0), name="api_client_rate_positive"),
        ]

    def __str__(self) -> str:
        return self.name
