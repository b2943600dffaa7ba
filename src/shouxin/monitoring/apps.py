from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "shouxin.monitoring"
