"""What changes the measure of a hold after it was made: cash cover with its shares, and exchange rates by version."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.limits.models.holds import Hold
from shouxin.parties.models import Customer


class RateSet(models.Model):
    """One version of the exchange rates of a day. A correction is a new version; the old one stays."""

    business_date = models.DateField("日期")
    version = models.PositiveIntegerField("版本", default=1)
    source = models.CharField("来源", max_length=80)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-business_date", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["business_date", "version"], name="rate_set_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.business_date} v{self.version}"


class RateQuote(models.Model):
    """Yuan for one unit of a currency in one rate set."""

    rate_set = models.ForeignKey(RateSet, models.PROTECT, related_name="quotes")
    currency = models.CharField("币种", max_length=3)
    rate = models.DecimalField("人民币/单位", max_digits=14, decimal_places=8)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rate_set", "currency"], name="rate_quote_once_per_set"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="rate_quote_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.rate}"


class Mitigant(models.Model):
    """Cover that a customer gave. Only cash-like kinds lower the net exposure; the others are recorded."""

    class Kind(models.TextChoices):
        MARGIN = "MARGIN", "保证金"
        OWN_CD = "OWN_CD", "本行存单"
        TREASURY = "TREASURY", "国债"
        MORTGAGE = "MORTGAGE", "抵押"
        GUARANTEE = "GUARANTEE", "保证"

    customer = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="mitigants")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=120)
    value_fen = models.BigIntegerField("价值（分）")
    eligible_fen = models.BigIntegerField("合格金额（分）", help_text="价值减折扣；非现金类为 0")
    shared_fen = models.BigIntegerField("已分配（分）", default=0)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(eligible_fen__gte=0) & Q(eligible_fen__lte=F("value_fen")), name="mitigant_eligible_within"
            ),
            models.CheckConstraint(
                condition=Q(shared_fen__gte=0) & Q(shared_fen__lte=F("eligible_fen")),
                name="mitigant_shares_within_value",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MitigantLink(models.Model):
    """The share of one mitigant that covers one hold."""

    mitigant = models.ForeignKey(Mitigant, models.PROTECT, related_name="links")
    hold = models.ForeignKey(Hold, models.PROTECT, related_name="cover_links")
    share_fen = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["mitigant", "hold"], name="mitigant_linked_once_to_hold"),
            models.CheckConstraint(condition=Q(share_fen__gte=0), name="mitigant_share_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.mitigant} → {self.hold}"
