from django.apps import AppConfig


class PartiesConfig(AppConfig):
    name = "shouxin.parties"
    verbose_name = "客户"
