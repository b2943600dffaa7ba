"""What to do about each finding, and its sentence in English where the rule itself gives none.

A rule writes its Chinese sentence with the figures of the case. The English one here goes without figures: they stand
beside it among the inputs. A rule's own remedy, and its own English, go before these.
"""

from collections.abc import Mapping
from typing import NamedTuple


class FindingText(NamedTuple):
    """For one code: the sentence in English, and what to do in both languages."""

    english: str
    remedy: str = ""
    remedy_en: str = ""


_CAPITAL = (
    "在“机构与人员”页录入资本数据，由另一人复核。",
    "Enter the capital figure on the bank page; another person approves it.",
)
_SPLIT = ("压降金额，或由另一家机构分担。", "Reduce the amount, or share it with another bank.")
_CORRECT = ("在案件的“修改内容”中更正，再提交。", "Correct it under “Change” of the case, then submit again.")
_DATES = ("更正日期后重新提交。", "Correct the date and submit again.")
_EVALUATE = (
    "在客户或集团的授信档案补做全面评价。",
    "Complete the evaluation in the credit file of the customer or group.",
)  # fmt: skip
_EXCEPTION = ("作为例外审批：写明理由，权限上收一级。", "It is decided as an exception: give the reason.")
_PRODUCTS = ("请总行先在参数中增加该产品。", "Head office adds the product to the scope first.")

FINDING_TEXTS: Mapping[str, FindingText] = {
    # --- who decides, and when ---
    "APPROVER_NOT_HEAD_OFFICE": FindingText(
        "This case is decided at head office.", "提交总行授信审批岗审批。", "Leave it to head office's approvers."
    ),
    "APPROVER_WITHOUT_AUTHORITY": FindingText(
        "Your authority does not reach this case.", "由有此项权限的审批人审批，或由其书面委托。",
        "Leave it to somebody whose authority reaches it, or who delegates it in writing.",
    ),
    "SAME_PERSON": FindingText(
        "Maker and approver are two people.", "请由未参与本案的另一人办理。", "Let somebody who took no part do it."
    ),
    "MEETING_MINUTES_MISSING": FindingText(
        "Minutes of the president's meeting are needed first.", "先提交行长办公会审议，登记并附上纪要，再审批。",
        "Put it to the president's meeting, record and attach the minutes, then approve.",
    ),
    "LEVEL_RAISED": FindingText(
        "The case now needs a higher level.", "退回补充，按今日事实重新提交。",
        "Send it back and submit it again on today's facts.",
    ),
    "FACTS_CHANGED": FindingText("Facts have changed since submission."),
    "INVESTIGATORS_MISSING": FindingText("Two investigators on site must sign."),
    "EXCEPTION_REASON_MISSING": FindingText("Exceptions need a written reason."),
    # --- capital and the group's total ---
    "CAPITAL_MISSING": FindingText("The capital figure that the limit is held against is missing.", *_CAPITAL),
    "CAPITAL_EXPIRED": FindingText("The capital figure is too old to be used.", *_CAPITAL),
    "GROUP_ABOVE_LINE": FindingText(
        "The group uses more than its unified line.", "压降，或申报调整额度；还款不受限。",
        "Reduce what is used, or propose a new line; repayments go on.",
    ),
    "GROUP_ABOVE_CAPITAL_SHARE": FindingText("Above the share of net capital that one group may have."),
    "GROUP_ABOVE_QUARTER_END_SHARE": FindingText(
        "Measured by the last quarter-end capital the share is above the limit; the limit itself is by year-end.",
        "可以办理；报告时一并说明季末口径。", "It can go on; mention the quarter-end share in the report.",
    ),
    "GROUP_AT_WARN_LINE": FindingText(
        "The share of the last quarter-end capital has reached the warning line.", "关注新增授信，必要时压降。",
        "Watch new credit and reduce it where needed.",
    ),
    "SYNDICATE": FindingText("A syndicated loan is suggested for what exceeds the ratio."),
    "LINE_BELOW_USE": FindingText(
        "The proposed line is below what is already used.", "安排压降计划；期间不能支用。",
        "Plan the reduction; nothing can be drawn until then.",
    ),
    # --- a group's parts ---
    "SUB_LIMITS_ABOVE_LINE": FindingText(
        "The members' limits together exceed the group's line.", "压降成员额度，使合计不超过集团额度。",
        "Reduce members' limits until their sum is within the line.",
    ),
    "MEMBER_WITHOUT_SUB_LIMIT": FindingText(
        "A member has no limit of its own.", "在集团案件中为每一成员核定最高额度（可为 0）。",
        "Fix a highest limit for every member in the group's case (0 is one).",
    ),
    "SUB_LIMIT_FOR_STRANGER": FindingText(
        "A limit is given to somebody who is not a confirmed member.", "删除该额度，或先完成成员认定。",
        "Remove it, or confirm the member first.",
    ),
    "PRODUCT_NOT_IN_SCOPE": FindingText("The product is outside this institution's scope of credit.", *_PRODUCTS),
    "PRODUCT_ABOVE_SUB_LIMIT": FindingText(
        "A product's limit exceeds the limit it belongs to.", "压降产品额度，不超过所属额度。",
        "Reduce the product's limit to what it belongs to.",
    ),
    "MEMBER_OF_GROUP": FindingText(
        "A member of a group has its line within the group's.", "撤回本案，由牵头行在集团案件中申报。",
        "Withdraw this case; the lead branch proposes it in the group's.",
    ),
    # --- evaluation and rating ---
    "EVALUATION_MISSING": FindingText("A valid overall evaluation is needed first.", *_EVALUATE),
    "NEED_MISSING": FindingText("The customer's objective credit need is missing.", *_EVALUATE),
    "OTHER_BANKS_MISSING": FindingText("Other banks' credit, now and expected, is missing.", *_EVALUATE),
    "OTHER_BANKS_CHANGE": FindingText("The expected change of other banks' credit is shown."),
    "ABOVE_NEED": FindingText(
        "The amount exceeds the objective need.", "说明超过需求的原因，或调减。", "Say why, or reduce it."
    ),
    "ABOVE_CONTROL_AMOUNT": FindingText("The amount exceeds the measured control amount.", *_EXCEPTION),
    "POLICY_CONFLICT": FindingText(
        "Credit policy speaks against it.", "在例外理由或授信条件中说明。", "Answer it in the reason or conditions."
    ),
    "JOINT_CREDIT": FindingText(
        "Credit of several banks: a joint credit mechanism applies.", "与其他债权银行联系。", "Contact the other banks."
    ),
    "RATING_MISSING": FindingText(
        "A rating is needed first.", "请风险审查岗先评级。", "Ask the risk officers for a rating first."
    ),
    "RATING_RESTRICTED": FindingText("The rating restricts the use of the line.", *_EXCEPTION),
    "TERM_TOO_LONG": FindingText("The term is longer than usual.", *_EXCEPTION),
    "SUB_LIMIT_NEGATIVE": FindingText(
        "A limit is below zero.", "更正金额；不核定额度的成员填 0。", "Correct it; 0 is no limit."
    ),
    "PRODUCT_LIMIT_NOT_POSITIVE": FindingText(
        "A product's limit is not above zero.", "更正金额；不设产品额度请留空。", "Correct it; leave it empty for none."
    ),
    "SUB_LIMIT_BELOW_USE": FindingText(
        "The limit is below what is used today.", "先压降用信，或提高额度；否则生效后即超限。",
        "Reduce the use first or raise the limit; otherwise it opens an excess.",
    ),
    "PERIOD_PAST": FindingText("The period of the line is over.", *_CORRECT),
    "START_IN_THE_PAST": FindingText("The line starts before today.", *_DATES),
    "START_FAR_AWAY": FindingText("The line starts far from today.", "核对起始日。", "Check the start."),
    "MATURITY_BEYOND_LINE": FindingText(
        "It matures after the line has ended.", "改到期日，或写明例外理由。", "Change the maturity or give the reason."
    ),
    "PERIOD_REVERSED": FindingText("A line ends after it begins.", *_CORRECT),
    "AMOUNT_NOT_POSITIVE": FindingText("The amount must be above zero.", "更正金额。", "Correct the amount."),
    "REVOLVING_EXCEPTION": FindingText("This bank's lines do not revolve; this one is to.", *_EXCEPTION),
    "NOT_REVOLVING_WITH_USE": FindingText(
        "A line that does not revolve begins unused.", "改为可循环额度，或结清后以新合同申报。",
        "Make it revolving, or propose it once everything is repaid.",
    ),
    "NOT_A_LEGAL_PERSON": FindingText(
        "A branch of a legal person has no credit of its own.", "以其法人名义申请，占用法人的额度。",
        "Ask for it in the name of the legal person; it counts in that line.",
    ),
    "NOT_ELIGIBLE": FindingText(
        "Only non-financial legal persons have a line.", "以其法人为对象申报，或改用其他业务流程。",
        "Propose it for the legal person, or use another procedure.",
    ),
    "NO_OWNER": FindingText(
        "The customer has no responsible manager.", "先在客户档案指定主办客户经理。", "Name the manager first."
    ),
    # --- public line, leaving ---
    "RENEWAL_NOT_SIMPLE": FindingText(
        "There is no public line to renew, or the internal line has changed.", "按新申报的公开额度审批。",
        "It is decided like a new public line.",
    ),
    "PUBLIC_ABOVE_GENERAL": FindingText(
        "The public line exceeds the general line.", "调减公开额度，不超过一般额度。",
        "Reduce it to the general line.",
    ),
    "NO_GENERAL_LINE": FindingText(
        "There is no general line that could be promised.", "先申报一般额度。", "Propose the general line first."
    ),
    "NO_PUBLIC_LINE": FindingText(
        "The customer has no valid certificate of a public line.", "改按一般额度使用申请。",
        "Ask for use of the general line.",
    ),
    "PUBLIC_LINE_CURING": FindingText(
        "The public line stands still until the default is cured.", "督促客户在整改期限内清偿。",
        "Have the customer pay within the time to cure.",
    ),
    "PRODUCT_EXCLUDED_FROM_PUBLIC_LINE": FindingText(
        "The product is not for the public line.", "改按一般额度逐笔报批。", "Ask for it under the general line."
    ),
    "PUBLIC_LINE_EXCEEDED": FindingText("Above what is free of the public line.", *_SPLIT),
    "PUBLIC_LINE_CONDITION": FindingText("A condition of the public line is not met.", *_EXCEPTION),
    "PUBLIC_BEYOND_GENERAL": FindingText("The public line ends after the line that it is a part of."),
    "LINE_AROUND_EXCEEDED": FindingText(
        "More is used than the line around the public one.", "先压降超出部分。", "Reduce the excess first."
    ),
    "PUBLIC_LINE_CANCELLED_BEFORE": FindingText("A public line of this customer was cancelled before."),
    "PUBLIC_LINE_EVENT": FindingText("The bank may adjust or cancel the public line."),
    "NET_ASSETS_MISSING": FindingText(
        "Net assets are missing, so the ratio cannot be checked.", "补录最近一期报表。", "Enter the latest statements."
    ),
    "PLAN_MISSING": FindingText("A plan for leaving the customer is needed.", *_CORRECT),
    "EXIT_DATE_PAST": FindingText("The day to leave by must lie ahead.", *_CORRECT),
    "NO_LINE": FindingText("The customer has no line to leave.", "撤回本案。", "Withdraw this case."),
    # --- drawing ---
    "RATE_MISSING": FindingText(
        "The exchange rate of the day is missing.", "录入当日汇率后再支用。", "Enter the day's rate, then draw."
    ),
    "PRECONDITION_OPEN": FindingText(
        "A condition before drawing is not met.", "落实前提并登记凭据。", "Meet it and record the evidence."
    ),
    "LINE_REQUIRED": FindingText(
        "The customer's class needs a line before anything is drawn.", "先为该客户申报额度。",
        "Propose a line for the customer first.",
    ),
    "CUSTOMER_CLASSIFIED": FindingText("The customer has classified assets: new credit with care."),
    "CUSTOMER_OVERDUE": FindingText(
        "Something is overdue: new credit with care.", "先收回逾期；仍须申报的，写明理由。",
        "Collect what is overdue first, or give the reason.",
    ),
    "TERM_EXCEPTION": FindingText("The term is an exception.", "说明理由。", "Give the reason."),
    "SINGLE_LOANS_ABOVE_SHARE": FindingText("Above the share of net capital in loans to one customer.", *_SPLIT),
    "LARGE_EXPOSURE_ABOVE_LIMIT": FindingText("Above the large exposure limit.", *_SPLIT),
    "MARGIN_OUTSIDE_AMOUNT": FindingText("The margin lies between zero and the amount.", "更正保证金。", "Correct it."),
    "BEFORE_CONTRACT": FindingText("The value date is before the contract begins.", *_DATES),
    "MATURITY_MISSING": FindingText(
        "The maturity is missing.", "填写到期日（maturity_date），晚于起息日。",
        "Enter the maturity (maturity_date), later than the value date.",
    ),
    "FIELD_MISSING": FindingText(
        "Something that must be said is missing.", "补填所列字段后重新提交。",
        "Fill in the field that is named, then try again.",
    ),
    "MATURITY_BEFORE_START": FindingText("The maturity comes after the value date.", *_DATES),
    "COMMITMENT_NOT_FOUND": FindingText(
        "There is no such undrawn commitment.", "重新选择贷款承诺。", "Choose the commitment again."
    ),
    "COMMITMENT_TOO_SMALL": FindingText(
        "The undrawn commitment is smaller than the amount.", "金额不超过承诺未提取部分。",
        "Stay within the undrawn part.",
    ),
    "LIMIT_IN_EXCESS": FindingText(
        "The limit is exceeded and has to be cured first.", "先压降超出的部分，回到额度以内后再申请；还款不受限。",
        "Reduce what is above the limit first; repayments go on.",
    ),
    "LIMIT_EXCEEDED": FindingText(
        "More is asked than is free.", "", "Ask for no more than what is free, or have the limit changed first."
    ),
    # --- related parties, guarantees ---
    "RELATED_PARTY": FindingText("A related party of the bank."),
    "RELATED_MAJOR": FindingText(
        "A major transaction with a related party.", "提交关联交易控制委员会审查，报董事会批准。",
        "Put it to the related-party committee and the board.",
    ),
    "RELATED_ABOVE_LIMIT": FindingText("Above the limit for related parties of the bank.", *_SPLIT),
    "RELATED_TRANSACTION_TO_REPORT": FindingText(
        "The customer must report this related transaction.", "请客户补齐四项内容。", "Have the four items reported."
    ),
    "PRICE_NOT_FAIR": FindingText(
        "The price deviates from the fair price.", "核实交易背景，评估是否转移利润。",
        "Look into the trade: does it move profits?",
    ),
    "GUARANTEE_CYCLE": FindingText("Guarantees among the members run in a circle."),
    "GUARANTEE_SHARE": FindingText(
        "Guarantees among members exceed their share of the line.", "以第三方担保或抵押置换部分互保。",
        "Replace a part by others' guarantees or by mortgage.",
    ),
}  # fmt: skip
