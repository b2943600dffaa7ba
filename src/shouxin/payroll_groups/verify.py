"""What must hold in the books of payroll groups: balances are the sums of their entries."""

from django.db import connection

_CHECKS = (
    ("LOAN", "借据余额与分录合计不一致",
     """SELECT l.number FROM payroll_groups_loan l LEFT JOIN payroll_groups_loanentry e ON e.loan_id = l.id
        GROUP BY l.id HAVING l.principal_fen <> coalesce(sum(e.principal_fen), 0)
            OR l.interest_fen <> coalesce(sum(e.interest_fen), 0) ORDER BY l.number"""),
    ("CONTRACT", "合同已用与借据本金合计不一致",
     """SELECT c.number FROM payroll_groups_contract c
        LEFT JOIN payroll_groups_loan l ON l.contract_id = c.id AND l.state = 'out'
        GROUP BY c.id HAVING c.owed_fen <> coalesce(sum(l.principal_fen), 0) ORDER BY c.number"""),
    ("FUND", "保证基金余额与分录合计不一致",
     """SELECT a.number FROM payroll_groups_fundaccount a LEFT JOIN payroll_groups_fundentry e ON e.account_id = a.id
        GROUP BY a.id HAVING a.balance_fen <>
            coalesce(sum(CASE e.kind WHEN 'refund' THEN -e.amount_fen ELSE e.amount_fen END), 0) ORDER BY a.number"""),
)  # fmt: skip


def list_breaches() -> list[tuple[str, str, str]]:
    """Each as (rule, subject, message)."""
    found = []
    with connection.cursor() as cursor:
        for rule, message, query in _CHECKS:
            cursor.execute(query)
            found += [(rule, number, message) for (number,) in cursor.fetchall()]
    return found
