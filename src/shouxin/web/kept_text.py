"""Sentences that were kept as they were written, in Chinese, read in English by their form.

What a case, the audit trail or a measurement keeps is evidence and is never rewritten: reasons of a level, exceptions,
summaries of acts. A sentence of a known form is put into English with the names and figures that stand in it; names,
notes and whatever has no known form stay as they were written.
"""

import functools
import re
from collections.abc import Sequence
from typing import Final

from django.utils.translation import get_language, gettext

FORMS: Final[Sequence[tuple[str, str]]] = (
    # --- who decides a case, and why ---
    ("集团合计 {} 万元在{}权限内", "The group's total of {} ×10k CNY lies within the authority of: {}"),
    ("例外上收一级：{}", "One level up for an exception: {}"),
    (
        "集团授信额度不论金额大小均由总行审批（JS-05）",
        "Every group line, however small, is approved at head office (JS-05)",
    ),
    ("信用等级受限，使用审批上收一级（CB+6）", "The rating is restricted: use is approved one level up (CB+6)"),
    ("额度内使用由经办行审批（CB+4）", "Use within the line is approved by the handling branch (CB+4)"),
    (
        "集团授信额度 {} 万元 超过 {} 万元，须先经行长办公会审议，请填写会议纪要编号。",
        "The group's line of {} ×10k CNY exceeds {} ×10k CNY: the president's meeting discusses it first.",
    ),
    (
        "集团授信额度 {} 万元 超过 {} 万元，须先经行长办公会审议",
        "The group's line of {} ×10k CNY exceeds {} ×10k CNY: the president's meeting discusses it first",
    ),
    ("待认定集团 {} 支用后用信", "Use of the proposed group {} after the drawing"),
    ("集团 {} 支用后用信", "Use of the group {} after the drawing"),
    ("{}（现场）", "{} (on site)"),
    ("{}（第 {} 轮，已被后一轮取代）", "{} (round {}, replaced by a later round)"),
    ("{}（现场；第 {} 轮，已被后一轮取代）", "{} (on site; round {}, replaced by a later round)"),
    ("额度期限 {} 至 {} 超过 {} 个月", "The term {} to {} exceeds {} months"),
    (
        "申报 {} 万元 超过测算的授信控制量 {} 万元，{}",
        "{} ×10k CNY proposed, more than the control amount of {} ×10k CNY: {}",
    ),
    ("超出 {} 万元（{}）", "{} ×10k CNY above ({})"),
    ("信用等级 {} 不高于 {}，限制使用", "Rating {} is not above {}: restricted use"),
    ("本机构额度默认不循环，本案申报可循环额度", "Lines of this bank do not revolve; this one is to"),
    ("不符合公开额度条件：{}", "A condition of the public line is not met: {}"),
    (
        "申报 {} 万元 大于客观需求 {} 万元，请在例外理由中说明。",
        "{} ×10k CNY proposed, more than the objective need of {} ×10k CNY; say why in the reason.",
    ),
    ("他行授信现有 {} 万元，预计变化 {} 万元。", "Other banks' credit: {} ×10k CNY now, expected change {} ×10k CNY."),
    ("上季末存量授信最大", "The largest credit at the end of the last quarter"),
    ("排名在前的机构已无授信，由第 {} 位发起", "Branches before it have no credit any more; number {} initiates"),
    ("限期整改至 {}", "to be cured by {}"),
    ("{}，{} 前未整改", "{}, not cured by {}"),
    # --- refusals of a capital figure ---
    ("报告日 {} 晚于营业日 {}，没有保存。", "The reporting day {} is after the business day {}; nothing was saved."),
    (
        "{} {} 已有数据（{}），同一天只能有一个，没有保存。",
        "{} of {} is there already ({}); one figure per day, nothing was saved.",
    ),
    (
        "{} 的数据刚由另一人录入，请刷新后查看，没有保存。",
        "Somebody has just entered the figure of {}; nothing was saved.",
    ),
    ("资本金额须大于 0，没有保存。", "The amount must be above 0; nothing was saved."),
    ("请填写来源（报表名称或文号），没有保存。", "Give the source (report or number); nothing was saved."),
    (
        "资本数据由总行风险审查岗录入，没有保存。",
        "Capital figures are entered by head office's risk officers; nothing was saved.",
    ),
    (
        "录入人不能复核自己的资本数据，请由另一人复核（四眼原则）。",
        "Another person approves a figure than who entered it.",
    ),
    # --- summaries of acts ---
    ("{}核实为{}", "{} checked: {}"),
    ("新增{} {}，主办 {}", "{} {} added, in charge: {}"),
    (
        "撤销导入{}（{}）：已撤销 {}，导入后改动而保留 {}，已不存在 {}，失败 {}",
        "Import of {} ({}) undone: {} taken back, {} kept as changed since, {} gone, {} failed",
    ),
    ("目标客户群 {}：{}", "Target segment {}: {}"),
    ("提议{}：{}。{}", "Proposed: {}: {}. {}"),
    ("{}：本金 {} 万元，利息 {} 万元，自 {}", "{}: principal {} ×10k CNY, interest {} ×10k CNY, since {}"),
    ("{} 为 {} 顶岗 {} 至 {}（不含），{} 户", "{} stands in for {} from {} to {} (excluded): {} customers"),
    ("{} 五级分类：{}（{}）", "{} classified: {} ({})"),
    ("{} 就 {} 提问：{}", "{} asks about {}: {}"),
    ("{} 户加上标签 {}", "{} customers tagged {}"),
    ("{} 户超过未跟进期限，退回公海", "{} customers not followed up in time, back to the pool"),
    ("{} 户转给 {}：{}", "{} customers handed to {}: {}"),
    ("{} 户退回公海：{}", "{} customers given back to the pool: {}"),
    ("{} 放款前提已落实：{}（{}）", "{}: precondition met: {} ({})"),
    ("{} 放款前提：{}", "{}: precondition: {}"),
    ("{} 申请了解或移交该客户", "{} asks about this customer or for its handover"),
    ("{} 确认 {}", "{} confirms {}"),
    ("{} 负责人改为 {}", "{} is now responsible: {}"),
    ("{} 还款 {} 万元，释放额度 {} 万元", "{} repaid {} ×10k CNY, {} ×10k CNY of the line are free"),
    ("{} 退出完成，额度关闭", "Exit of {} completed, the line is closed"),
    ("{} 逾期已偿还", "Arrears on {} are paid"),
    ("{} 附{}纪要 {}", "{}: minutes of the {} attached: {}"),
    ("从公海领取，主办 {}", "Taken from the pool by {}"),
    ("作废 {} {}报表：{}", "Statements of {} ({}) voided: {}"),
    ("停用系统 {}", "System {} ended"),
    ("停用 {}", "{} ended"),
    ("冲销 {}：{}", "{} reversed: {}"),
    (
        "取消公开额度 {}：{}；通知书 {}，并报批准行",
        "Public line {} cancelled: {}; notice {}, reported to the approving bank",
    ),
    ("对账 {}：一致 {} 笔，差异 {} 笔", "Reconciliation {}: {} agree, {} differ"),
    (
        "导入{}（{}）：新增 {}，更新 {}，未变 {}，失败 {}",
        "Import of {} ({}): {} new, {} updated, {} unchanged, {} failed",
    ),
    ("导出 G14 第四部分 {}，{} 行", "G14 part IV {} exported, {} rows"),
    ("导出 {} 的证据表（截至 {}）", "Evidence about {} exported (as of {})"),
    ("导出客户名单 {}，{} 行", "Customer list exported, {}, {} rows"),
    ("导出授信审批表 {} {}", "Approval form {} exported ({})"),
    ("导出授信案件 {} 行", "Credit cases exported, {} rows"),
    ("导出授信组合 {} 行", "Portfolio exported, {} rows"),
    ("导出集团客户统计 {} 行", "Group statistics exported, {} rows"),
    ("导出额度流水 {}，{} 行", "Entries of the line {} exported, {} rows"),
    ("导出额度 {} 行", "Lines exported, {} rows"),
    ("导出工薪联保集团 {} 行", "Payroll groups exported, {} rows"),
    ("录入 {} {}", "{} {} entered"),
    ("撤回对 {} 的委托", "Delegation to {} withdrawn"),
    ("撤销合并 {}（{}）", "Merge of {} undone ({})"),
    ("合并 {}（{}）：{}", "{} merged ({}): {}"),
    ("更名：{} → {}", "Renamed: {} → {}"),
    ("复核授权 {}", "Authority {} approved"),
    ("查阅身份证号：{}", "Identity number read: {}"),
    ("登记制度 {}（{}）", "Document registered: {} ({})"),
    ("登记本行关联方 {}：{}", "Related party of the bank entered: {}: {}"),
    ("结束本行关联方 {}：{}，{} 起：{}", "Related party of the bank ended: {}: {}, from {}: {}"),
    ("登记系统 {}，服务账号 {}，权限 {}", "System {} registered, account {}, rights {}"),
    ("答复 {} 的问题", "Question of {} answered"),
    ("纪要 {} 补附扫描件 {}", "Scan added to the minutes {}: {}"),
    ("预警 {} {}：{}", "Alert {}: {}"),
    ("处置预警 {}：{}", "Alert {} acted on: {}"),
    ("关闭预警 {}", "Alert {} closed"),
    (
        "全面评价：授信控制量 {} 万元，客观需求 {} 万元",
        "Evaluation: control amount {} ×10k CNY, objective need {} ×10k CNY",
    ),
    ("评级 {}（{}），有效至 {}", "Rating {} ({}), valid to {}"),
    ("统一授信批复 {}：{} {} 万元", "Approval of the unified line {}: {} {} ×10k CNY"),
    ("统一授信批复 {}", "Approval of the unified line {}"),
    ("单户授信批复 {}", "Approval of the line {}"),
    ("退出批复 {}", "Approval of the exit {}"),
    ("行长办公会纪要{}", "Minutes of the president's meeting {}"),
    ("认定集团：{}", "Group confirmed: {}"),
    ("录入报表 {} 期：{}", "Statements of {} periods entered: {}"),
    ("公开额度授信证书 {}：{} 万元，至 {}", "Certificate of a public line {}: {} ×10k CNY, to {}"),
    ("取消公开额度 {}：{}", "Public line {} cancelled: {}"),
    ("公开额度 {} {}，须于 {} 前整改", "Public line {} {}: to be cured by {}"),
    ("公开额度 {} 已整改", "Public line {} cured"),
    ("牵头行：{}，{}", "Lead branch: {}, {}"),
    ("管理行：{}（{}）", "Managing branch: {} ({})"),
    ("冻结 {}：{}", "{} frozen: {}"),
    ("解冻 {}：{}", "{} unfrozen: {}"),
    ("确认冻结 {}", "Freeze of {} confirmed"),
    ("发起{}：{}", "{} opened: {}"),
    ("修改案件 {}", "Case {} changed"),
    ("审查 {}：{}", "Review of {}: {}"),
    ("退回 {}：{}", "{} sent back: {}"),
    ("撤回 {}：{}", "{} withdrawn: {}"),
    ("调查 {}：{}", "Investigation of {}: {}"),
    ("审批 {}：{}", "Decision on {}: {}"),
    ("落实 {}：{}", "Operation of {}: {}"),
    ("提交 {}，审批层级：{}", "{} submitted, to be decided by: {}"),
    ("{}待落实 {}：{}", "{}, to be put into force: {}: {}"),
    ("登记{}纪要 {}", "Minutes of the {} {} recorded"),
    ("{} 已生效", "{} is in force"),
    ("{} 委托 {} 代办：{} 至 {}", "{} delegates to {}: {} to {}"),
    ("开立合同 {}：{}，{}，{} 至 {}", "Facility {} opened: {}, {}, {} to {}"),
    ("授信后调查意见：{}", "Opinion after the review: {}"),
    ("支用申请：{}", "Drawing: {}"),
    ("集团识别（截止 {}）：{} 个集团，{} 项合并认定", "Groups identified (as of {}): {} groups, {} merge decisions"),
    ("登记 {}", "{} registered"),
    ("发布 {}，下发 {} 人", "{} published to {} people"),
    ("复核 {}", "{} approved"),
    # --- notes on groups and limits ---
    (
        "{} 由 {} 的姻亲 {} 控制，是否属于同一集团请认定。",
        "{} is controlled by an in-law of {}, {}: do they belong to one group? Please decide.",
    ),
    (
        "{}：{} 恰好各持 50%，无人单独控制，请认定是否共同控制。",
        "{}: {} hold 50% each, nobody controls it alone; is it joint control? Please decide.",
    ),
    (
        "{} 最大股东 {} 持有 {}，没有控制人，疑似控制。",
        "{}'s largest holder {} has {}; nobody controls it: suspected control.",
    ),
    (
        "交叉控股闭环：{} 互相控制，没有最终控制人。",
        "A ring of cross-holdings: {} control each other; there is no ultimate controller.",
    ),
    (
        "{} 已知持股合计为申报总数的 {}，超过 100%，按合计作分母，请核对数据。",
        "The known holdings of {} add up to {} of what was declared, above 100%; check the data.",
    ),
    ("{}及近亲属", "{} and family"),
    ("{}（单一客户）", "{} (single customer)"),
    ("无授信：{}", "No credit: {}"),
    ("须说明理由：{}", "Needs a reason: {}"),
    ("担保 {} 万", "guarantees {} ×10k CNY"),
    ("依存 {}", "depends {}"),
    ("{} 万", "{} ×10k"),
    ("直系 {} 代", "lineal, generation {}"),
    ("旁系 {} 代", "collateral, generation {}"),
    ("协办：{}", "Assistant: {}"),
    ("系统 · {}", "System · {}"),
    ("信用等级 {}，要求 {} 级以上", "Rating {}; {} or better is asked"),
    ("没有可用的报表，不能核对资产负债率", "No statements that liabilities / assets could be checked by"),
    ("没有可用的报表，不能核对净资产", "No statements that net assets could be checked by"),
    ("资产负债率 {}（{}），要求不超过 {}", "Liabilities / assets {} ({}); at most {} is asked"),
    ("净资产 {} 万元，要求不低于 {} 万元", "Net assets {} ×10k CNY; at least {} ×10k CNY is asked"),
    (
        "最近 {} 年逾期、欠息或垫款 {} 次，要求按时还本付息、没有违约",
        "Arrears or forced advances in the last {} years: {}; none is asked",
    ),
    ("（{}）", "({})"),
)  # fmt: skip

_CHINESE = re.compile("[\u4e00-\u9fff]")
_BETWEEN = re.compile(r"([；;、]| → |：)")
_NUMBER_WITH_UNIT = re.compile(
    r"^([≤≥<>≈+−-]? ?[\d,.]+(?: → [\d,.]+)?) (万元|元|天|个月|月|年|代|小时|分钟|工作日|笔|次|级|位小数)$"
)
_LABELLED = re.compile(r"^([^\d\s]{2,14}(?: [A-Za-z]\*)?) ([−\d,.]+)(?: (万元|%|天|次))?$")


@functools.lru_cache(maxsize=4096)
def _in(text: str) -> str:
    if not _CHINESE.search(text):
        return text
    known = gettext(text)
    if known != text:
        return known
    if found := _NUMBER_WITH_UNIT.match(text):
        return f"{found[1]} {gettext(found[2])}"
    for pattern, english in _patterns():
        if found := pattern.fullmatch(text):
            return english.format(*(_in(part) for part in found.groups()))
    if found := _LABELLED.match(text):
        unit = f" {gettext(found[3])}" if found[3] else ""
        return f"{gettext(found[1])} {found[2]}{unit}"
    parts = _BETWEEN.split(text)
    if len(parts) > 1:
        said = [_JOINTS[part] if part in _JOINTS else _in(part.strip()) for part in parts]
        if not any(_CHINESE.search(part) for part in said):  # half a sentence in each language helps nobody
            return "".join(said)
    return text


_JOINTS: Final = {"；": "; ", ";": "; ", "、": ", ", " → ": " → ", "：": ": "}


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile("(.+?)".join(map(re.escape, chinese.split("{}")))), english) for chinese, english in FORMS]


def kept(text: str) -> str:
    """A kept sentence in the reader's language."""
    return in_english(text) if (get_language() or "").startswith("en") else text


def in_english(text: str) -> str:
    """A kept sentence in English; what has no known form stays as it was written."""
    return _in(text) if text and _CHINESE.search(text) else text
