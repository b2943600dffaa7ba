"""What a background job did for one run key, so that a repeated or restarted run does nothing twice."""

from typing import ClassVar

from django.db import models


class JobRun(models.Model):
    """One run of one job, such as ("limits.expire", "2025-06-30"). A run that is done is never done again."""

    class State(models.TextChoices):
        RUNNING = "running", "进行中"
        DONE = "done", "已完成"
        FAILED = "failed", "失败"

    job = models.CharField("任务", max_length=80)
    run_key = models.CharField("批次", max_length=120)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.RUNNING)
    attempts = models.PositiveIntegerField("次数", default=0)
    started_at = models.DateTimeField("开始", null=True)
    finished_at = models.DateTimeField("结束", null=True)
    result = models.JSONField("结果", default=dict)
    error = models.TextField("错误", blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "run_key"], name="job_run_key_once")]

    def __str__(self) -> str:
        return f"{self.job} {self.run_key} {self.get_state_display()}"
