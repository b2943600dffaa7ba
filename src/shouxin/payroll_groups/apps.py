from django.apps import AppConfig


class PayrollGroupsConfig(AppConfig):
    name = "shouxin.payroll_groups"
    verbose_name = "联保集团贷款"
