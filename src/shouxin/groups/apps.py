from django.apps import AppConfig


class GroupsConfig(AppConfig):
    name = "shouxin.groups"
    verbose_name = "集团客户"
