from django.apps import AppConfig


class FacilitiesConfig(AppConfig):
    name = "shouxin.facilities"
    verbose_name = "授信与支用"
