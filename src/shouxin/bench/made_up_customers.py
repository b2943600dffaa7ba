"""Made-up customers in any number for the benchmarks: always the same ones, written with COPY.

The caller has pointed Django at a scratch database and migrated it.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from django.db import connection

from shouxin.bank.models import Institution, OrgUnit, RoleAssignment, Staff
from shouxin.bank.services import create_unit
from shouxin.domain.search_text import SearchFields, pinyin_of, search_vector
from shouxin.parties.models import ClassScheme, CustomerClass

DAY = dt.date(2025, 6, 30)
PLACES = (
    "杭州",
    "上海",
    "广州",
    "重庆",
    "武汉",
    "西安",
    "青岛",
    "无锡",
    "昆明",
    "贵阳",
    "大连",
    "厦门",
    "长沙",
    "海口",
)
WORDS = (
    "鹏飞", "瑞丰", "永康", "金源", "恒泰", "安信", "中天", "东方", "和顺", "嘉禾", "明德", "同兴", "文博", "宏远",
    "德昌", "华美", "盛世", "泰和", "天成", "万通", "国瑞", "宝利", "新雅", "百川", "正大", "润泽", "启明", "星河",
)  # fmt: skip
CHARACTERS = (
    "安邦昌达德鼎丰福冠广海汉浩恒宏华辉惠吉佳嘉建金锦晶景凯康乐利联隆茂美明铭鹏启庆荣瑞润升圣盛泰腾天通万"
    "旺文祥新信星兴旭雅洋益永优宇裕源远跃云泽展兆真正智中众卓"
)
TRADES = (
    "纺织",
    "建材",
    "食品",
    "物流",
    "机械",
    "农业",
    "电子",
    "医药",
    "装饰",
    "商贸",
    "科技",
    "能源",
    "化工",
    "置业",
)
FORMS = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司", "厂", "经营部")
SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾单仇解"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国志文"
NEXT_STEPS = ("", "电话约访", "上门拜访", "送产品资料", "了解用款需求")
_CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODE_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """One customer as a list file would have it."""

    name: str
    is_person: bool
    uscc: str
    phone: str
    email: str


def credit_code(serial: int) -> str:
    """A credit code with a right check character for each serial number."""
    body = f"9133{serial % 89 + 10:02d}00{'MA'}{serial:07d}"[:17]
    total = sum(_CODE_CHARACTERS.index(c) * w for c, w in zip(body, _CODE_WEIGHTS, strict=True))
    return body + _CODE_CHARACTERS[(31 - total % 31) % 31]


def made_up(count: int, *, seed: int = 7, start: int = 0) -> Iterator[MadeUp]:
    random = Random(seed)  # noqa: S311 - invented names, nothing secret
    pick = random.choice
    for serial in range(start, start + count):
        if random.random() < 0.8:
            word = pick(WORDS) if random.random() < 0.3 else pick(CHARACTERS) + pick(CHARACTERS) + pick(CHARACTERS)
            name = f"{pick(PLACES)}{word}{pick(TRADES)}{pick(FORMS)}"
            yield MadeUp(name, False, credit_code(serial), f"139{serial:08d}", f"c{serial}@example.com")
        else:
            name = pick(SURNAMES) + pick(GIVEN) + pick(GIVEN)
            yield MadeUp(name, True, "", f"138{serial:08d}", "")


@dataclass(frozen=True, slots=True)
class BenchBank:
    """The people who look at the list."""

    approver: Staff
    branch_head: Staff
    manager: Staff


def set_up(*, managers: int) -> BenchBank:
    """A bank of 40 branches with its managers, one scheme of four classes."""
    Institution.objects.create(name="基准银行", policy_overlay="demo-rural-bank", business_date=DAY)
    root = create_unit(code="HO", name="总行", kind="head_office", parent=None)
    branches = [create_unit(code=f"B{n:02d}", name=f"{n:02d} 支行", kind="branch", parent=root) for n in range(40)]
    scheme = ClassScheme.objects.create(code="prospect-four", name="准客户四类", is_main=True)
    for place, (code, days) in enumerate((("A", 7), ("B", 14), ("C", 30), ("D", 90)), start=1):
        CustomerClass.objects.create(scheme=scheme, code=code, name=f"{code} 类", follow_up_days=days, position=place)
    since = dt.date(2020, 1, 1)

    def person(name: str, unit: OrgUnit, role: str) -> Staff:
        staff = Staff.objects.create(username=name, name=name, unit=unit, joined_date=since, password="!")  # noqa: S106
        RoleAssignment.objects.create(staff=staff, role=role, valid_from=since)
        return staff

    approver = person("approver", root, RoleAssignment.Role.APPROVER)
    head = person("head", branches[3], RoleAssignment.Role.BRANCH_HEAD)
    people = Staff.objects.bulk_create(
        Staff(username=f"m{n}", name=f"经理{n}", unit=branches[n % 40], joined_date=since, password="!")  # noqa: S106
        for n in range(managers)
    )
    RoleAssignment.objects.bulk_create(
        RoleAssignment(staff=p, role=RoleAssignment.Role.CUSTOMER_MANAGER, valid_from=since) for p in people
    )
    return BenchBank(approver, head, people[3])


def load(count: int) -> None:
    """Write customers with their parties, owners, classes and telephones, indexes in place, and analyse."""
    managers = list(Staff.objects.filter(username__startswith="m").order_by("pk").values_list("pk", "unit_id"))
    classes = list(CustomerClass.objects.order_by("position").values_list("pk", "scheme_id"))
    random = Random(11)  # noqa: S311
    rows = []
    for pk, row in enumerate(made_up(count), start=1):
        owner, unit = managers[pk % len(managers)]
        chosen = None if random.random() < 0.08 else classes[min(3, int(random.expovariate(0.8)))]
        rows.append((pk, row, owner, unit, chosen, random.random()))
    at = dt.datetime(2025, 6, 30, 12, tzinfo=dt.UTC)
    with connection.cursor() as cursor:
        cursor.execute("SET shouxin.list_columns = 'given'")
        cursor.execute("SET session_replication_role = replica")  # made-up rows refer to rows that are there
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('parties_customer', 'parties_party',"
            " 'parties_ownership', 'parties_contactpoint', 'parties_classification')"
            " AND indexdef NOT LIKE 'CREATE UNIQUE%'"
        )
        later = cursor.fetchall()  # an index of a full table is built faster than it grows
        for name, _ in later:
            cursor.execute(f"DROP INDEX {name}")
        with _copy(cursor, "parties_party (id,kind,name,short_name,pinyin,pinyin_initials,uscc,legal_form,nature,"
                           "industry,sex)") as copy:  # fmt: skip
            for pk, row, *_ in rows:
                pinyin, initials = pinyin_of(row.name)
                kind = "person" if row.is_person else "org"
                copy.write_row((pk, kind, row.name, "", pinyin, initials, row.uscc or None, "", "", "", ""))
        with _copy(cursor, "parties_customer (id,party_id,number,stage,org_type,unit_id,next_step,next_step_date,"
                           "last_contact_date,note,is_locked,main_owner_id,main_class_id,is_valid,search,created_at,"
                           "updated_at)") as copy:  # fmt: skip
            for pk, row, owner, unit, chosen, chance in rows:
                number, step = f"KH{pk:08d}", NEXT_STEPS[int(chance * 5)]
                fields = SearchFields(
                    row.name, row.is_person, number, row.uscc, (), (row.phone,), (row.email,), (step,) if step else ()
                )
                copy.write_row((
                    pk, pk, number, "customer" if chance < 0.3 else "prospect", "", unit, step,
                    DAY + dt.timedelta(days=int(chance * 60) - 10) if step else None,
                    DAY - dt.timedelta(days=int(chance * 200)), "", False, owner, chosen and chosen[0],
                    chosen is not None, search_vector(fields), at, at - dt.timedelta(seconds=(pk * 7919) % (count * 3)),
                ))  # fmt: skip
        with _copy(cursor, "parties_ownership (customer_id,staff_id,kind,valid_from,origin)") as copy:
            for pk, _, owner, *_ in rows:
                copy.write_row((pk, owner, "main", dt.date(2025, 1, 1), "imported"))
        with _copy(cursor, "parties_classification (customer_id,scheme_id,customer_class_id,valid_from)") as copy:
            for pk, _, _, _, chosen, _ in rows:
                if chosen:
                    copy.write_row((pk, chosen[1], chosen[0], dt.date(2025, 1, 1)))
        with _copy(
            cursor, "parties_contactpoint (customer_id,kind,value,digits,postcode,contact_name,is_working)"
        ) as copy:
            for pk, row, *_ in rows:
                copy.write_row((pk, "phone", row.phone, row.phone, "", "", True))
        for _, definition in later:
            cursor.execute(definition)
        cursor.execute("RESET session_replication_role")
        for table in ("party", "customer"):
            cursor.execute(f"SELECT setval('parties_{table}_id_seq', %s)", [count])
        cursor.execute("RESET shouxin.list_columns")
        cursor.execute("RESET maintenance_work_mem")
        cursor.execute("VACUUM (ANALYZE) parties_customer, parties_party, parties_ownership, parties_contactpoint,"
                       " parties_classification")  # fmt: skip


def _copy(cursor: Any, target: str) -> Any:
    return cursor.copy(f"COPY {target} FROM STDIN")
