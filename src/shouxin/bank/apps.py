from django.apps import AppConfig


class BankConfig(AppConfig):
    name = "shouxin.bank"
    verbose_name = "机构与人员"
