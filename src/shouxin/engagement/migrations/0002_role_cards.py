"""The first role cards; a bank changes and adds its own."""

from django.db import migrations

CARDS = (
    ("决策人", "post", ["回报", "风险", "发展"], ["行业趋势", "三年规划", "融资安排"]),
    ("财务总监", "post", ["成本", "现金流"], ["融资成本比较", "账期与回款", "理财与结算费用"]),
    ("财务人员", "post", ["手续", "到账时间"], ["网银操作", "票据与对账"]),
    ("车间主任", "post", ["易用", "停工时间"], ["设备更新", "操作培训"]),
    ("采购", "post", ["价格", "交期"], ["供应商付款方式", "票据贴现"]),
    ("店员", "post", ["方便", "客流"], ["收款码", "促销活动"]),
    ("父亲/母亲", "family", ["子女教育", "健康"], ["子女升学", "家庭保障"]),
    ("配偶", "family", ["家庭收支", "安全"], ["储蓄安排", "家庭理财"]),
)


def add(apps, schema_editor):
    RoleCard = apps.get_model("engagement", "RoleCard")
    RoleCard.objects.bulk_create(
        [RoleCard(name=n, kind=k, indicators=i, topics=t) for n, k, i, t in CARDS], ignore_conflicts=True
    )


class Migration(migrations.Migration):
    dependencies = [("engagement", "0001_initial")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
