from django.apps import AppConfig


class EngagementConfig(AppConfig):
    name = "shouxin.engagement"
    verbose_name = "客户关系"

    def ready(self) -> None:
        from shouxin.engagement.appointments import duties_of_staff, move_appointments
        from shouxin.engagement.selectors import digits_of_customers, texts_of_customers
        from shouxin.parties.handover import register_duty_source, register_mover
        from shouxin.parties.search_index import register_digit_source, register_text_source

        register_text_source(texts_of_customers)
        register_digit_source(digits_of_customers)
        register_duty_source(duties_of_staff)
        register_mover(move_appointments)
