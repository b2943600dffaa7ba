from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "shouxin.jobs"
    verbose_name = "后台任务"
