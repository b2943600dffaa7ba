"""What must hold between customers and those who look after them."""

from django.db import connection

_OVERLAPS = """
SELECT c.number, a.valid_from, b.valid_from FROM parties_ownership a
JOIN parties_ownership b ON b.customer_id = a.customer_id AND b.id > a.id AND b.kind = 'main'
    AND daterange(a.valid_from, a.valid_to) && daterange(b.valid_from, b.valid_to)
JOIN parties_customer c ON c.id = a.customer_id
WHERE a.kind = 'main' ORDER BY c.number
"""


def list_breaches() -> list[tuple[str, str]]:
    """Customers with two main owners on one day, with what is wrong (CM-07)."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAPS)
        return [
            (number, f"同一日有两个主办：自 {first} 与自 {second} 的两段重叠")
            for number, first, second in cursor.fetchall()
        ]
