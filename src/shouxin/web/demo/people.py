"""The invented people and units of the demo bank, and its invented prospects. Nobody here exists."""

from dataclasses import dataclass

from shouxin.bank.models import RoleAssignment

PASSWORD = "shouxin-demo"  # noqa: S105 - printed on the sign-in page of the demo
ROLE = RoleAssignment.Role


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit below another; ``alias`` is how the worked example calls a branch."""

    code: str
    name: str
    kind: str
    parent: str | None
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One member of staff with what they do."""

    username: str
    name: str
    unit: str
    roles: tuple[RoleAssignment.Role, ...]


UNITS = (
    Unit("HO", "总行", "head_office", None),
    Unit("HO-RISK", "风险控制部", "department", "HO"),
    Unit("HO-CREDIT", "授信审批部", "department", "HO"),
    Unit("HO-AUDIT", "审计部", "department", "HO"),
    Unit("HO-IT", "信息科技部", "department", "HO"),
    Unit("CD", "城东支行", "branch", "HO", "城东"),
    Unit("CX", "城西支行", "branch", "HO", "城西"),
    Unit("YY", "营业部", "branch", "HO", "营业部"),
    Unit("CX-1", "河滨分理处", "sub_branch", "CX"),
)

STAFF = (
    Person("liujg", "刘敬国", "CX", (ROLE.CUSTOMER_MANAGER,)),
    Person("zhoulp", "周丽萍", "CD", (ROLE.CUSTOMER_MANAGER,)),
    Person("suny", "孙燕", "YY", (ROLE.CUSTOMER_MANAGER,)),
    Person("maj", "马静", "CX-1", (ROLE.CUSTOMER_MANAGER,)),
    Person("hewei", "何伟", "CX", (ROLE.BRANCH_HEAD,)),
    Person("qianf", "钱芳", "CD", (ROLE.BRANCH_HEAD,)),
    Person("taoy", "陶勇", "YY", (ROLE.BRANCH_HEAD,)),
    Person("wanghy", "王海燕", "HO-CREDIT", (ROLE.APPROVER,)),
    Person("zhaoq", "赵清", "HO-CREDIT", (ROLE.APPROVER,)),
    Person("yaoj", "姚静", "HO-CREDIT", (ROLE.OPERATIONS,)),
    Person("fengxc", "冯晓晨", "HO-RISK", (ROLE.RISK_OFFICER,)),
    Person("gaoyl", "高玉兰", "HO-RISK", (ROLE.IDENTIFICATION_OFFICER,)),
    Person("linzy", "林志远", "HO-RISK", (ROLE.IDENTIFICATION_OFFICER,)),
    Person("tangw", "唐雯", "HO-AUDIT", (ROLE.AUDITOR,)),
    Person("admin", "系统管理员", "HO-IT", (ROLE.ADMINISTRATOR,)),
)

# One scheme is the main one; its classes and intervals are data that the bank changes.
CLASS_SCHEMES = (
    (
        "prospect-four",
        "准客户四类及授信客户",
        True,
        (
            ("A", "准客户", "需求明确，一个月内可成交", 7),
            ("B", "意向客户", "需求明确，但不急", 14),
            ("C", "优质潜在客户", "沟通良好，需求未明", 30),
            ("D", "一般潜在客户", "沟通一般，暂无需求", 90),
            ("E", "授信客户", "已有授信，按季回访", 90),
        ),
    ),
    (
        "man",
        "MAN 法则",
        False,
        (
            ("MAN", "理想客户", "有钱、有权、有需求", 7),
            ("MA", "优先发展", "有钱、有权、需求待引导", 14),
            ("AN", "可发展", "有权、有需求、资金不足", 30),
            ("M", "可利用", "没有决定权", 90),
            ("-", "基本无用", "三者皆无", 180),
        ),
    ),
)

PLACES = ("城东", "城西", "河滨", "新港", "南塘", "北渡", "云栖", "青石")
WORDS = ("鹏飞", "瑞丰", "永康", "金源", "恒泰", "安信", "中天", "东方", "和顺", "嘉禾", "明德", "同兴")
TRADES = (
    ("纺织", "制造业"), ("建材", "批发业"), ("食品", "制造业"), ("物流", "交通运输业"), ("机械", "制造业"),
    ("农业", "农林牧渔业"), ("电子", "制造业"), ("医药", "批发业"), ("装饰", "建筑业"), ("商贸", "批发业"),
)  # fmt: skip
SURNAMES = ("吴", "郑", "孔", "曹", "严", "华", "金", "魏", "陶", "姜", "戚", "谢")
GIVEN = ("国强", "丽华", "建平", "秀兰", "志明", "晓红", "文军", "海燕", "立新", "春梅")
NEXT_STEPS = ("电话约访", "上门拜访", "送产品资料", "补充联系方式", "了解用款需求", "回访")
FULL_NAMES = {
    "宏达集团": "宏达集团有限公司",
    "宏达建材": "宏达建材有限公司",
    "宏达物流": "宏达物流有限公司",
    "明远贸易": "明远贸易有限公司",
    "建军钢构": "建军钢构有限公司",
    "亮剑运输": "亮剑运输有限公司",
}
CREDIT_CODES = {
    "A": "91330100MA2DEM01X9",
    "B": "91330100MA2DEM02XA",
    "C": "91330100MA2DEM03XB",
    "D": "91330100MA2DEM04XC",
    "E": "91330100MA2DEM05XD",
    "F": "91330100MA2DEM06XE",
}
INDUSTRIES = {
    "A": "投资与资产管理",
    "B": "建材批发业",
    "C": "道路运输业",
    "D": "批发业",
    "E": "金属结构制造业",
    "F": "道路运输业",
}
SEXES = {
    "陈大山": "M", "陈建国": "M", "李秀英": "F", "陈明": "M", "周婷": "F", "陈芳": "F",
    "王强": "M", "陈小宇": "M", "陈乐": "F", "陈建军": "M", "陈亮": "M", "张伟": "M",
}  # fmt: skip
