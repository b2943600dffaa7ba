from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "shouxin.web"
    verbose_name = "页面"
