from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "shouxin.reporting"
    label = "reporting"

    def ready(self) -> None:
        from shouxin.parties.pool import register_exposure_guard
        from shouxin.reporting.exposure_guard import customers_with_exposure

        register_exposure_guard(customers_with_exposure)
