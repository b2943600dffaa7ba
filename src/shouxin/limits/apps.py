from django.apps import AppConfig


class LimitsConfig(AppConfig):
    name = "shouxin.limits"
    verbose_name = "额度"
