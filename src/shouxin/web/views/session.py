"""Sign in and out, and the health probe."""

from typing import Any

from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from shouxin.web.demo import people


class SignInView(views.LoginView):
    """The sign-in page; in the demo it lists the demo users."""

    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if settings.IS_DEMO:
            units = {unit.code: unit.name for unit in people.UNITS}
            context["demo_password"] = people.PASSWORD
            context["demo_users"] = [
                {
                    "username": person.username,
                    "name": person.name,
                    "role": "、".join(str(role.label) for role in person.roles),
                    "unit": units[person.unit],
                }
                for person in people.STAFF
            ]
        return context


class SignOutView(views.LogoutView):
    """POST only, as Django has it."""


@login_not_required
@never_cache
def health(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """200 when the database answers and has every migration, 503 with the reason otherwise."""
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    if pending:
        return JsonResponse({"status": "migrations pending", "count": len(pending)}, status=503)
    return JsonResponse({"status": "ok"})
