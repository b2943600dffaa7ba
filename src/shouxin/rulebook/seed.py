"""Fill an empty register with the documents that the shipped rules cite."""

import datetime as dt
from pathlib import Path

from shouxin.policy.loader import read_mapping
from shouxin.rulebook.models import Clause, Document, Version

FILE = Path(__file__).resolve().parent / "register.yaml"


def create_register() -> list[Document]:
    """The shipped documents, each with its first version in force; nothing when there is a register already."""
    if Document.objects.exists():
        return []
    documents = []
    for code, row in read_mapping(FILE).items():
        document = Document.objects.create(
            code=code,
            title=row["title"],
            issuer=row["issuer"],
            issuer_name=row["issuer_name"],
            owner=row.get("owner", ""),
        )
        in_force = dt.date.fromisoformat(row["in_force"])
        version = Version.objects.create(
            document=document,
            number=1,
            label=row.get("label", ""),
            reference=row.get("reference", ""),
            meeting=row.get("meeting", ""),
            addressees=row.get("addressees", ""),
            issued_date=dt.date.fromisoformat(row["issued"]),
            in_force_from=in_force,
            in_force_to=dt.date.fromisoformat(row["in_force_to"]) if "in_force_to" in row else None,
            published_date=in_force,
            superseded_by=row.get("superseded_by", ""),
        )
        Clause.objects.bulk_create(
            Clause(version=version, requirement=requirement, article=article, text=text)
            for requirement, article, text in row["clauses"]
        )
        documents.append(document)
    return documents
