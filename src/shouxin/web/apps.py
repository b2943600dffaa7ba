from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "shouxin.web"
    verbose_name = "页面"

    def ready(self) -> None:
        """A policy file that cannot be used stops the start here, with its name and line."""
        from shouxin.policy import load_book

        load_book()
