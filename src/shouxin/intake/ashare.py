"""Turn public tables of listed companies into evidence tables.

Input files: companies.csv (code, full name, credit code, nature), shareholders_top10.csv (code, holder, shares,
percent of all shares), officers.csv (code, post code, name), suppliers_top5.csv, customers_top5.csv.

Who is one: an institution is one entity by its full registered name, wherever it appears; a person's name is no
identity — names repeat — so each (company, name) is a person of its own, and a person who is shareholder and officer
of the same company is one.

Who is a person: somebody who is also an officer of the company, since officers are natural persons; else by how the
name is written. A Chinese name has two to four characters (more with a dot between, 艾尔肯·绕孜) and no word of an
institution; single characters such as 会, 厅 or 社 end an institution's name but stand in given names too, so they
count only in names of more than three characters. A name in Latin letters has two to five words and no company word.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from shouxin.intake.evidence_out import Rows

INSTITUTION_WORDS = re.compile(
    r"公司|集团|企业|中心|基金|信托|计划|合伙|银行|证券|保险|社保|投资|资产|管理|委员会|国资|财政|政府|账户|专户|组合|养老金|年金|"
    r"QFII|大学|学校|医院|协会|研究|总部|办公室|有限|股份|工会|联社|农场|宾馆|酒店|商店|"
    r"LIMITED|INCORPORATED|ASSOCIATION|BANK|FUND|TRUST|CAPITAL|HOLDING|NOMINEE|COMPANY|PARTNERS|MORGAN|GOLDMAN|MERRILL|"
    r"BARCLAYS|HSBC|CITIGROUP|PARIBAS|UBS|HKSCC|INVESTMENT|MANAGEMENT|AUTHORITY|DEPOSITORY|INDUSTRIAL|LABORATOR|AIRLINES|"
    r"ISHARES|SICAV|MAURITIUS|"
    r"\b(?:LTD|CORP\w*|LLC|L\.L\.C|LP|L\.P|PLC|SE|AG|SA|S\.A|NV|B\.V|BHD|GMBH|ETF|SPDR|BRANCH|ENERGY|DIRECT)\b|INC\b",
    re.IGNORECASE,
)
INSTITUTION_ENDINGS = re.compile(r"[局厅院所厂社会](?:[（(].*)?")
LETTERS_OF_A_NAME_MAX = 3
CHINESE_NAME = re.compile(
    r"(?:[\u3400-\u9fff]{2,4}|[\u3400-\u9fff]{1,8}[·•．.][\u3400-\u9fff·•．.]{1,12})(?:[（(][大小一二甲乙A-Z][）)])?"
)
LATIN_NAME = re.compile(r"[A-Za-z]+(?:[ ,.'\-]+[A-Za-z]+){0,4}\.?(?: ?[（(][\u3400-\u9fff]{2,4}[）)])?")
NATURES = (
    ("代持", re.compile(r"香港中央结算|HKSCC|NOMINEES", re.IGNORECASE)),
    ("中央汇金", re.compile(r"中央汇金")),
    ("证金", re.compile(r"中国证券金融")),
    ("政府", re.compile(r"国有资产监督管理|财政部|财政厅|财政局|人民政府|国资委")),
)
POSTS = {
    "dsz": "董事长",
    "zjl": "总经理",
    "dshms": "董事会秘书",
    "gsds": "董事",
    "gsjs": "监事",
    "gsgg": "高级管理人员",
}


def is_person_name(name: str) -> bool:
    """Whether a shareholder's name is a natural person's, by how it is written."""
    if INSTITUTION_WORDS.search(name):
        return False
    if len(name) > LETTERS_OF_A_NAME_MAX and INSTITUTION_ENDINGS.search(name, len(name) - 1):
        return False
    return bool(CHINESE_NAME.fullmatch(name) or LATIN_NAME.fullmatch(name))


def normal_name(name: str) -> str:
    """One spelling for one registered name: full-width brackets, no spaces between Chinese."""
    return re.sub(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])", "", name.strip()).replace("(", "（").replace(")", "）")


class Converter:
    """Collects entities while the other tables are read; ids are stable from one run to the next."""

    def __init__(self, source: Path, *, merge_equal_names: bool = False) -> None:
        self._source = source
        self._merge = merge_equal_names
        self._entities: dict[str, tuple[str, ...]] = {}
        self._listed: dict[str, str] = {}
        self._of_name: dict[str, str] = {}
        self._officers: list[tuple[str, str, str]] = []
        self._is_officer: set[tuple[str, str]] = set()

    def convert(self) -> dict[str, Rows]:
        """The rows of each evidence table."""
        self._read_companies()
        self._read_officers()
        holdings = list(self._holdings())
        posts = list(self._posts())
        dependence = list(self._dependence())
        return {
            "entities": list(self._entities.values()),
            "holdings": holdings,
            "posts": posts,
            "dependence": dependence,
        }

    def _rows(self, name: str) -> Iterator[dict[str, str]]:
        with (self._source / name).open(encoding="utf-8-sig", newline="") as stream:
            yield from csv.DictReader(stream)

    def _read_companies(self) -> None:
        for row in self._rows("companies.csv"):
            code, name = row["gpdm"], normal_name(row["gsmc"])
            self._listed[code] = code
            self._of_name[name] = code
            industry = row.get("hymc", "")
            self._entities[code] = (code, name, "org", "", "股份有限公司", row["gssx"], "1", industry, "", "", "")

    def _read_officers(self) -> None:
        for row in self._rows("officers.csv"):
            name, company = row["name"].strip(), row["stock_code"]
            if name and company in self._listed:
                self._officers.append((company, row["position_code"], name))
                self._is_officer.add((company, name))

    def _holder(self, name: str, company: str) -> str:
        """The entity of a shareholder's name at a company."""
        is_person = (company, name) in self._is_officer or is_person_name(name)
        if is_person and not self._merge:
            return self._person(name, company)
        key = normal_name(name)
        if key not in self._of_name:
            self._of_name[key] = f"I{len(self._of_name) + 1:06d}"
        entity = self._of_name[key]
        if entity not in self._entities:
            nature = next((label for label, pattern in NATURES if pattern.search(key)), "")
            kind = "person" if is_person else "org"
            self._entities[entity] = (entity, name, kind, "", "", nature, "0", "", "", "", "")
        return entity

    def _person(self, name: str, company: str) -> str:
        entity = f"{company}/{name}"
        self._entities.setdefault(entity, (entity, name, "person", "", "", "", "0", "", "", "", ""))
        return entity

    def _holdings(self) -> Iterator[tuple[str, ...]]:
        for row in self._rows("shareholders_top10.csv"):
            company = row["stock_code"]
            if company in self._listed:
                holder = self._holder(row["holder_name"].strip(), company)
                yield (holder, company, row["pct"], "", "", "", "", "前十大股东")

    def _posts(self) -> Iterator[tuple[str, ...]]:
        seen: set[tuple[str, str, str]] = set()
        for company, code, name in self._officers:
            post = POSTS.get(code)
            if post is None:
                continue  # independent directors, present and past, are no key managers
            key = (self._person(name, company), company, post)
            if key not in seen:
                seen.add(key)
                yield (*key, "", "")

    def _dependence(self) -> Iterator[tuple[str, ...]]:
        """A named trading partner that is itself listed; a masked or unlisted name proves nothing."""
        tables = (("suppliers_top5.csv", "supplier_name", "pct_of_purchases", "采购占比"),
                  ("customers_top5.csv", "customer_name", "pct_of_sales", "销售占比"))  # fmt: skip
        for file, name_column, ratio_column, kind in tables:
            for row in self._rows(file):
                on = self._of_name.get(normal_name(row[name_column]), "")
                company = row["stock_code"]
                if on in self._listed and company in self._listed and on != company and _is_share(row[ratio_column]):
                    yield (company, on, row[ratio_column], kind, str(int(float(row["report_year"]))))


def _is_share(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,2}(\.\d{1,6})?|100(\.0{1,6})?", text))
