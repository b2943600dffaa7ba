"""Turn read models into the data that the page's charts draw; figures travel as texts."""

from collections.abc import Sequence
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from shouxin.domain.money import format_wan
from shouxin.reporting.selectors import Capital, GroupRow
from shouxin.web.templatetags.shouxin_format import translated


def group_url(row: GroupRow) -> str:
    return reverse("group_detail", args=[row.label]) if row.is_confirmed else reverse("candidate_detail", args=[row.id])


def percent(share: Decimal | None) -> str:
    return "—" if share is None else f"{share:.2f}%"


def group_share_chart(rows: Sequence[GroupRow], capital: Capital) -> dict[str, object]:
    """Groups by their share of year-end net capital, with the warn and the limit line (JS-11, JS-12)."""
    return {
        "items": [
            {
                "label": row.name,
                "ratio": f"{row.share or 0:.4f}",
                "text": percent(row.share),
                "level": row.level,
                "url": group_url(row),
            }
            for row in rows
        ],
        "warn": f"{capital.warn_percent:f}",
        "limit": f"{capital.limit_percent:f}",
        "warn_text": _("预警 %(line)s%%") % {"line": f"{capital.warn_percent:f}"},
        "limit_text": _("上限 %(line)s%%") % {"line": f"{capital.limit_percent:f}"},
        "table": {
            "head": [_("集团"), _("用信（万元）"), _("占资本净额"), _("占最近资本净额")],
            "rows": [
                [row.name, format_wan(row.exposure_fen), percent(row.share), percent(row.latest_share)] for row in rows
            ],
        },
    }


def donut_chart(parts: Sequence[tuple[str, int]], total_label: str) -> dict[str, object]:
    """Shares of a whole in 万元."""
    whole = sum(fen for _name, fen in parts)
    return {
        "items": [
            {
                "label": translated(name),
                "value": f"{Decimal(fen) / 1_000_000:f}",
                "text": f"{format_wan(fen)} {_('万元')}",
            }
            for name, fen in parts
        ],
        "total_text": format_wan(whole).removesuffix(".00"),
        "total_label": total_label,
        "table": {"head": ["", _("万元")], "rows": [[translated(name), format_wan(fen)] for name, fen in parts]},
    }
