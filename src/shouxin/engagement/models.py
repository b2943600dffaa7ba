"""客户关系: the people at a customer, what was said and done with them and when, their days and their wishes."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from shouxin.bank.models import Staff
from shouxin.parties.models import Customer


class Channel(models.TextChoices):
    """Ways to reach a customer regularly (CO-06, TE-08)."""

    PHONE = "phone", "电话"
    VISIT = "visit", "私人会晤"
    EMAIL = "email", "电子邮件"
    LETTER = "letter", "信件"
    FAX = "fax", "传真"
    NEWSLETTER = "newsletter", "通讯"
    VOICE = "voice", "语音广播"
    BLOG = "blog", "博客"
    SALES_LETTER = "sales_letter", "销售信件"
    TEXT = "text", "短信"


class RoleCard(models.Model):
    """What somebody in a role cares for, at home or at work, and what to talk about (SK-08)."""

    class Kind(models.TextChoices):
        POST = "post", "职务"
        FAMILY = "family", "家庭角色"

    name = models.CharField("角色", max_length=40, unique=True)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    indicators = models.JSONField("关心的指标", default=list)
    topics = models.JSONField("建议话题", default=list)

    class Meta:
        ordering: ClassVar = ["kind", "id"]

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """One person at a customer. ``level`` is where they stand in the shop or company (JR-08)."""

    class Level(models.TextChoices):
        OWNER = "owner", "老板"
        MANAGER = "manager", "店长"
        CLERK = "clerk", "店员"

    class Gatekeeper(models.TextChoices):
        SWITCHBOARD = "switchboard", "总机"
        SECRETARY = "secretary", "秘书"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="contacts")
    name = models.CharField("姓名", max_length=80, blank=True)
    surname = models.CharField("姓氏", max_length=10, blank=True, help_text="留空则取姓名首字；复姓请填写")
    title = models.CharField("尊称", max_length=20, blank=True, help_text="总、主任、老师…")
    role = models.ForeignKey(
        RoleCard, models.PROTECT, null=True, blank=True, related_name="contacts", verbose_name="角色"
    )
    level = models.CharField("层级", max_length=10, choices=Level.choices, blank=True)
    gatekeeper = models.CharField("转接人", max_length=12, choices=Gatekeeper.choices, blank=True)
    spouse = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="配偶")
    phone = models.CharField("电话", max_length=40, blank=True)
    preferred_channel = models.CharField("偏好方式", max_length=12, choices=Channel.choices, blank=True)
    decision_verified_by = models.ForeignKey(Staff, models.PROTECT, null=True, blank=True, related_name="+")
    decision_verified_date = models.DateField("决策权核实", null=True, blank=True)
    decision_evidence = models.CharField("核实依据", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["customer", "id"]
        verbose_name = "联系人"
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(name="") | ~Q(gatekeeper=""), name="contact_has_a_name_or_passes_on"),
            models.CheckConstraint(condition=~Q(spouse=F("id")), name="contact_not_own_spouse"),
            models.CheckConstraint(
                condition=Q(decision_verified_by__isnull=True) | Q(decision_verified_date__isnull=False),
                name="decision_power_verified_on_a_day",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.get_gatekeeper_display()


class BestTime(models.Model):
    """Hours of a weekday (Monday is 0) at which somebody can be reached; the end hour is excluded (NS-06)."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="best_times")
    weekday = models.PositiveSmallIntegerField("星期", choices=[(n, f"周{c}") for n, c in enumerate("一二三四五六日")])
    from_hour = models.PositiveSmallIntegerField("自（时）")
    to_hour = models.PositiveSmallIntegerField("至（时）")

    class Meta:
        ordering: ClassVar = ["weekday", "from_hour"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(weekday__lte=6, from_hour__lt=F("to_hour"), to_hour__lte=24), name="best_time_is_a_span"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.from_hour}–{self.to_hour} 时"


class Preference(models.Model):
    """What somebody likes, by category, with where it is known from and since when (HT-03)."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="preferences", verbose_name="联系人")
    category = models.CharField("类别", max_length=40)
    value = models.CharField("喜好", max_length=120)
    source = models.CharField("来源", max_length=120)
    noted_date = models.DateField("记录日期")

    class Meta:
        ordering: ClassVar = ["category", "id"]

    def __str__(self) -> str:
        return f"{self.category}：{self.value}"


class SpecialDate(models.Model):
    """A day to remember each year, by the sun's or the moon's calendar; the year may be unknown (SK-13)."""

    class Calendar(models.TextChoices):
        SOLAR = "solar", "公历"
        LUNAR = "lunar", "农历"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="special_dates")
    contact = models.ForeignKey(
        Contact, models.CASCADE, null=True, blank=True, related_name="special_dates", verbose_name="联系人"
    )
    occasion = models.CharField("日子", max_length=40)
    calendar = models.CharField("历法", max_length=5, choices=Calendar.choices, default=Calendar.SOLAR)
    month = models.PositiveSmallIntegerField("月")
    day = models.PositiveSmallIntegerField("日")
    year = models.PositiveSmallIntegerField("年", null=True, blank=True)
    is_leap_month = models.BooleanField("闰月", default=False)

    class Meta:
        ordering: ClassVar = ["month", "day"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(month__gte=1, month__lte=12, day__gte=1)
                & (Q(calendar="solar", day__lte=31, is_leap_month=False) | Q(calendar="lunar", day__lte=30)),
                name="special_date_exists_in_its_calendar",
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.occasion} {self.get_calendar_display()} {'闰' if self.is_leap_month else ''}{self.month}-{self.day}"
        )


class Greeting(models.Model):
    """What was wished on a special date in one year; the same text twice is no wish (SK-13)."""

    special_date = models.ForeignKey(SpecialDate, models.CASCADE, related_name="greetings")
    year = models.PositiveSmallIntegerField()
    text = models.CharField("祝辞", max_length=500)
    sent_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["special_date", "year"], name="one_greeting_a_year"),
        ]

    def __str__(self) -> str:
        return self.text[:40]


class Activity(models.Model):
    """One thing done with a customer: a note, a call, a visit. Imported ones keep their author and time."""

    class Kind(models.TextChoices):
        NOTE = "note", "记录"
        CALL = "call", "通话"
        VISIT = "visit", "拜访"
        MESSAGE = "message", "信函与消息"

    class Result(models.TextChoices):
        """How a call ended, without blame (NS-08)."""

        ANSWERED = "answered", "接通"
        REFUSED = "refused", "婉拒"
        COLD = "cold", "冷淡"
        NO_ANSWER = "no_answer", "未接"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="activities")
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="activities", verbose_name="联系人"
    )
    kind = models.CharField("方式", max_length=10, choices=Kind.choices)
    happened_at = models.DateTimeField("时间")
    author = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="activities")
    author_name = models.CharField(max_length=80)
    text = models.TextField("内容")
    result = models.CharField("结果", max_length=10, choices=Result.choices, blank=True)
    is_practice = models.BooleanField("演练", default=False)
    is_imported = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-happened_at", "-id"]
        verbose_name = "跟进"
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(text=""), name="activity_says_something")]
        indexes: ClassVar = [models.Index(fields=["customer", "-happened_at"], name="activity_of_customer"),
                             models.Index(fields=["author", "-happened_at"], name="activity_of_author")]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.happened_at:%Y-%m-%d}"


class ActivityVersion(models.Model):
    """What an activity said before it was edited."""

    activity = models.ForeignKey(Activity, models.CASCADE, related_name="versions")
    text = models.TextField()
    edited_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    edited_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.activity_id} {self.edited_at}"


class Appointment(models.Model):
    """A call or visit that is planned, with the four things to have ready before a call (NS-02, NS-03)."""

    class Way(models.TextChoices):
        PHONE = "phone", "电话"
        EMAIL = "email", "电子邮件"
        DOOR = "door", "上门推销"
        REFERRAL = "referral", "第三方引荐"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="appointments")
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="联系人"
    )
    staff = models.ForeignKey(Staff, models.PROTECT, related_name="appointments")
    way = models.CharField("预约方法", max_length=10, choices=Way.choices, default=Way.PHONE)
    planned_at = models.DateTimeField("时间")
    outline = models.TextField("沟通提纲", blank=True)
    is_ready = models.BooleanField("准备就绪、有信心", default=False)
    done_as = models.OneToOneField(Activity, models.SET_NULL, null=True, blank=True, related_name="appointment")

    class Meta:
        ordering: ClassVar = ["planned_at"]
        indexes: ClassVar = [models.Index(fields=["staff", "planned_at"], name="appointment_of_staff")]

    def __str__(self) -> str:
        return f"{self.customer} {self.planned_at:%Y-%m-%d %H:%M}"


class Absence(models.Model):
    """Days on which somebody is away, and who looks after their customers; the last day is excluded (HT-08)."""

    staff = models.ForeignKey(Staff, models.PROTECT, related_name="absences")
    from_date = models.DateField("自")
    until_date = models.DateField("至（不含）")
    substitute = models.ForeignKey(
        Staff, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="代看人"
    )
    reason = models.CharField("去向", max_length=120, blank=True)

    class Meta:
        ordering: ClassVar = ["-from_date"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(until_date__gt=F("from_date")), name="absence_period_forward"),
            models.CheckConstraint(condition=~Q(substitute=F("staff")), name="substitute_is_another"),
        ]

    def __str__(self) -> str:
        return f"{self.staff} {self.from_date}"


class ChannelConsent(models.Model):
    """Whether a customer agrees to be addressed by a channel (CO-06)."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="consents")
    channel = models.CharField("渠道", max_length=12, choices=Channel.choices)
    is_given = models.BooleanField("同意")
    decided_date = models.DateField("日期")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "channel"], name="one_consent_per_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {'同意' if self.is_given else '拒绝'}"


class SuspectedLink(models.Model):
    """From a visit note to the credit side: “老板的弟弟开了新公司” is for the officers who identify groups."""

    class State(models.TextChoices):
        OPEN = "open", "待核实"
        TAKEN = "taken", "已采纳"
        DISMISSED = "dismissed", "已排除"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="suspected_links")
    activity = models.ForeignKey(Activity, models.SET_NULL, null=True, related_name="+")
    other_name = models.CharField("对方名称", max_length=200)
    text = models.CharField("线索", max_length=500)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN)
    raised_by = models.ForeignKey(Staff, models.PROTECT, related_name="+")
    raised_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(Staff, models.PROTECT, null=True, related_name="+")
    decision = models.CharField("处理意见", max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="open") | Q(decided_by__isnull=False), name="suspected_link_decided_by_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} ~ {self.other_name}"


# The rest of the room by subject; Django finds every table from here.
from shouxin.engagement.service_models import (  # noqa: E402
    Contribution,
    EndSale,
    Purchase,
    ServiceCase,
    ServiceRequest,
    Site,
    StaffSkill,
)

__all__ = [
    "Absence", "Activity", "ActivityVersion", "Appointment", "BestTime", "Channel", "ChannelConsent", "Contact",
    "Contribution", "EndSale", "Greeting", "Preference", "Purchase", "RoleCard", "ServiceCase", "ServiceRequest",
    "Site", "SpecialDate", "StaffSkill", "SuspectedLink",
]  # fmt: skip
