"""Every table that can be imported: what it is called, its columns, who brings it in, and whether it can be undone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from shouxin.intake import customer_rows
from shouxin.intake.evidence_files import TABLES, columns_of, needed_of
from shouxin.reporting.import_customers import CustomerImport
from shouxin.reporting.import_kinds import Context, Importer
from shouxin.reporting.import_relations import CONTACTS, FOLLOW_UPS, NEEDED, RelationImport
from shouxin.reporting.import_undo import UNDO, Undo
from shouxin.reporting.imports import TableImport


@dataclass(frozen=True, slots=True)
class Kind:
    """One table; ``undo`` is None where an import cannot be taken back, and ``why_not`` says why."""

    table: str
    label: str
    columns: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    importer: Callable[[Context], Importer]
    undo: Undo | None
    why_not: str = ""

    def title(self, column: str) -> str:
        """How a column is called to people."""
        return self.columns[column][0] if self.columns.get(column) else column


_LABELS = {
    "entities": "主体", "holdings": "持股", "agreements": "控制协议", "concert": "一致行动", "kin": "亲属",
    "posts": "任职", "dependence": "经济依存", "guarantees": "担保", "deals": "存量业务", "capital": "资本数据",
}  # fmt: skip
KINDS: Mapping[str, Kind] = {
    kind.table: kind
    for kind in (
        Kind("customers", "客户名单", customer_rows.SYNONYMS, customer_rows.NEEDED, CustomerImport, UNDO["customers"]),
        Kind("contacts", "联系人", CONTACTS, NEEDED["contacts"], partial(RelationImport, table="contacts"),
             UNDO["contacts"]),
        Kind("follow_ups", "跟进记录", FOLLOW_UPS, NEEDED["follow_ups"], partial(RelationImport, table="follow_ups"),
             UNDO["follow_ups"]),
        *(
            Kind(
                table, _LABELS[table], columns_of(table), needed_of(table), partial(TableImport, table=table),
                UNDO.get(table),
                "存量业务导入后即记入额度账本，账本只增不改；请逐笔结清或冲正" if table == "deals" else "",
            )
            for table in TABLES
        ),
    )
}  # fmt: skip
