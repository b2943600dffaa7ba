from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "shouxin.audit"
    verbose_name = "审计"
