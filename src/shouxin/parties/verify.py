"""What must hold between customers and those who look after them."""

from django.db import connection

_OVERLAPS = """
SELECT c.number, a.valid_from, b.valid_from FROM parties_ownership a
JOIN parties_ownership b ON b.customer_id = a.customer_id AND b.id > a.id AND b.kind = 'main'
    AND daterange(a.valid_from, a.valid_to) && daterange(b.valid_from, b.valid_to)
JOIN parties_customer c ON c.id = a.customer_id
WHERE a.kind = 'main' ORDER BY c.number
"""


# The list's copies are kept by triggers and by imports; no foreign key of their own stands behind them.
_STALE = """
SELECT c.number FROM parties_customer c
LEFT JOIN parties_ownership o ON o.customer_id = c.id AND o.kind = 'main' AND o.valid_to IS NULL
LEFT JOIN (parties_classification k JOIN parties_classscheme s ON s.id = k.scheme_id AND s.is_main)
    ON k.customer_id = c.id AND k.valid_to IS NULL
WHERE (c.main_owner_id, c.main_class_id) IS DISTINCT FROM (o.staff_id, k.customer_class_id) ORDER BY c.number
"""


def list_breaches() -> list[tuple[str, str]]:
    """Customers with two main owners on one day (CM-07), or whose row repeats owner or class wrongly."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAPS)
        found = [
            (number, f"同一日有两个主办：自 {first} 与自 {second} 的两段重叠")
            for number, first, second in cursor.fetchall()
        ]
        cursor.execute(_STALE)
        return found + [(number, "名单上的主办或类别与主办、分类记录不一致") for (number,) in cursor.fetchall()]
