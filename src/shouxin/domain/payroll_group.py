"""Rules of the credit union's joint group of salaried members (工薪联保集团): joining, contract, fund, loans, leaving.

The unit is an employer; its staff borrow one by one and answer for each other. Amounts are 分. Each ``judge_*`` takes
frozen facts and the parameters of a day and returns all its findings, none of a rule that is not in force yet; nothing
here reads a clock or a database.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from shouxin.domain.dates import add_months
from shouxin.domain.findings import Finding, Severity
from shouxin.domain.money import format_yuan
from shouxin.domain.parameters import PolicyBook

RULE = "《集团客户授信贷款管理办法（试行）》"
COUNTY_UNION, CREDIT_UNION = "county", "credit_union"
LEVEL_NAMES = {COUNTY_UNION: "县联社", CREDIT_UNION: "信用社"}


def fund_due_fen(amount_fen: int, percent: Decimal) -> int:
    """What a member pays into the guarantee fund before a loan is paid out: a share of the *original* amount.

    Rounded up to the 分, so that no loan is a fraction short (RC-15, A-11): 80,000.00 元 at 5 % → 4,000.00 元.
    """
    return int((Decimal(amount_fen) * percent / 100).to_integral_value(ROUND_CEILING))


def level_of(areas: Iterable[int]) -> str:
    """Who manages a group: the county union once its units lie in the areas of two credit unions (RC-04)."""
    return COUNTY_UNION if len(set(areas)) > 1 else CREDIT_UNION


def longest_end(signed: dt.date, months: int) -> dt.date:
    """The last end day that a contract of this many months may have: 2024-03-01 + 36 months → 2027-03-01 (RC-11)."""
    return add_months(signed, months)


def equal_shares(total_fen: int, heads: int) -> list[int]:
    """A debt in equal parts of whole 分, the first ones a 分 more, so that they sum up exactly."""
    share, rest = divmod(total_fen, heads)
    return [share + (1 if place < rest else 0) for place in range(heads)]


def months_without_payroll(since: dt.date | None, received: Iterable[dt.date], as_of: dt.date) -> list[dt.date]:
    """Whole months (their first day) of the payroll agreement that ended without a payroll file (RC-14).

    July's file is missing from 1 August on. The month in which the agreement began counts.
    """
    if since is None:
        return []
    have, month, missing = set(received), since.replace(day=1), []
    while add_months(month, 1) <= as_of:
        if month not in have:
            missing.append(month)
        month = add_months(month, 1)
    return missing


def refusal(code: str, article: str, message: str, where: str, english: str, **inputs: str) -> Finding:
    """A refusal by an article of the credit union's rule."""
    return Finding(code, Severity.REFUSE, message, article, RULE + where, message_en=english, inputs=inputs)


# --- joining -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applicant:
    """What is known of somebody who wants to join."""

    name: str
    employment: str
    monthly_income_fen: int
    has_income_proof: bool
    has_applied: bool
    owes_overdue: bool | None
    """Overdue loans anywhere; None while nobody has looked."""
    has_account: bool
    is_investigated: bool


def judge_applicant(applicant: Applicant, *, book: PolicyBook, as_of: dt.date) -> list[Finding]:
    """Whether an applicant qualifies as a member (RC-06, RC-07, RC-09, and what joint loans ask for)."""
    found = []
    allowed = book.items_in_force("payroll.eligible_types", as_of)
    if allowed and applicant.employment not in allowed:
        found.append(
            refusal(
                "PAYROLL_NOT_SALARIED", "RC-06",
                f"{applicant.name} 是{applicant.employment}；"
                f"集团客户授信贷款只给有固定收入来源的{'、'.join(allowed)}。",
                "第五条", "Only staff with a fixed income from a public body or an employer may join.",
                身份=applicant.employment,
            )
        )  # fmt: skip
    if applicant.monthly_income_fen <= 0 or not applicant.has_income_proof:
        found.append(
            refusal(
                "PAYROLL_INCOME_UNPROVED", "RC-06", f"{applicant.name} 没有固定收入证明，请补工资表或收入证明。",
                "第五条", "A fixed income needs its proof: a payroll sheet or a certificate.",
            )
        )  # fmt: skip
    if not applicant.has_applied:
        found.append(
            refusal(
                "PAYROLL_NOT_APPLIED", "RC-07", f"{applicant.name} 未申请：入集团须本人自愿签署申请。",
                "第五条（一）", "Joining is voluntary: the member signs an application of their own.",
            )
        )  # fmt: skip
    if not applicant.is_investigated:
        found.append(
            refusal(
                "PAYROLL_NOT_INVESTIGATED", "RC-09", f"{applicant.name} 尚未调查：县联社须先充分调查，再审查资格。",
                "第五条（三）", "The county union investigates before it reviews.",
            )
        )  # fmt: skip
    if applicant.owes_overdue is not False:
        found.append(
            Finding(
                "PAYROLL_OVERDUE_ELSEWHERE", Severity.REFUSE,
                f"{applicant.name} 有逾期贷款，不能加入。" if applicant.owes_overdue
                else f"{applicant.name} 的征信还没有核对，请先核对有无逾期贷款。",
                "RC-09", "联保贷款管理办法",
                message_en="A member has no overdue loans anywhere; check the credit record.",
            )
        )  # fmt: skip
    if not applicant.has_account:
        found.append(
            Finding(
                "PAYROLL_MEMBER_ACCOUNT_MISSING", Severity.REFUSE, f"{applicant.name} 在本社没有结算账户。", "RC-09",
                "联保贷款管理办法", message_en="Each member has an account with the lender.",
            )
        )  # fmt: skip
    return found


# --- the contract --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """A contract as it is about to be approved."""

    signed: dt.date
    end: dt.date
    qualified_members: int
    limit_fen: int
    owed_fen: int
    approver_is_county_union: bool
    exception_reason: str
    renews: bool = False
    has_renewal_consent: bool = False


def judge_contract(facts: ContractFacts, *, book: PolicyBook, as_of: dt.date) -> list[Finding]:
    """Term, number of members, who approves, consent to a renewal (RC-05, RC-11, RC-12)."""
    found = []
    term = book.in_force("payroll.contract_max_months", as_of)
    if term is not None and facts.end > (last := longest_end(facts.signed, int(term.decimal))):
        is_excused = bool(facts.exception_reason.strip())
        found.append(
            Finding(
                "PAYROLL_TERM_ABOVE_USUAL", Severity.WARN if is_excused else Severity.REFUSE,
                f"合同到 {facts.end}，一般不超过 {term.decimal} 个月（到 {last}）；超过的按例外审批，须写明理由。",
                term.article, term.citation,
                message_en=f"The term goes beyond {last}; a longer one is an exception with its reason.",
                remedy="缩短期限，或填写例外理由报县联社例外审批。",
                inputs={"签订日": str(facts.signed), "到期日": str(facts.end), "一般不超过": f"{term.decimal} 个月"},
            )
        )  # fmt: skip
    least = book.in_force("payroll.min_members", as_of)
    if least is not None and not least.allows(Decimal(facts.qualified_members)):
        found.append(
            Finding(
                "PAYROLL_TOO_FEW_MEMBERS", Severity.REFUSE,
                f"资格已确认的成员 {facts.qualified_members} 人，至少 {least.decimal} 人才能建立集团。",
                least.article, least.citation,
                message_en=f"{facts.qualified_members} members qualify; at least {least.decimal} are needed.",
                inputs={"资格已确认": f"{facts.qualified_members} 人", "至少": f"{least.decimal} 人"},
            )
        )  # fmt: skip
    if not facts.approver_is_county_union:
        found.append(
            refusal(
                "PAYROLL_APPROVER_NOT_COUNTY", "RC-05", "授信额度由县联社批准，信用社不能批准。", "第四条",
                "The limit is approved by the county union, not by a credit union.",
            )
        )  # fmt: skip
    if facts.limit_fen < facts.owed_fen:
        found.append(
            refusal(
                "PAYROLL_LIMIT_BELOW_DEBT", "RC-05",
                f"授信额度 {format_yuan(facts.limit_fen)} 元低于贷款余额 {format_yuan(facts.owed_fen)} 元。", "第四条",
                "The limit is below what members owe already.",
            )
        )  # fmt: skip
    if facts.renews and not facts.has_renewal_consent:
        found.append(
            refusal(
                "PAYROLL_RENEWAL_WITHOUT_CONSENT", "RC-12", "合同期满，经县联社同意后才可以续签；请先登记同意书。",
                "第五条（四）", "At expiry a contract is renewed only with the county union's consent.",
            )
        )  # fmt: skip
    return found


# --- a loan ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoanFacts:
    """Everything a loan to a member is held against on its day. None of the days are open."""

    day: dt.date
    amount_fen: int
    due: dt.date
    member_name: str
    member_status: str
    is_member: bool
    member_limit_fen: int
    member_owed_fen: int
    contract: tuple[dt.date, dt.date] | None
    limit_fen: int
    owed_fen: int
    has_unit_account: bool
    has_payroll_agreement: bool
    has_special_account: bool
    has_custodian: bool
    fund_paid_fen: int
    """Paid by this member and not yet standing for an earlier loan."""
    is_joint_debt_overdue: bool = False
    owes_overdue: bool = False
    is_leaving: bool = False
    is_in_breach: bool = False
    members: int | None = None
    """Members in the group now; None when it is not known."""


def judge_loan(facts: LoanFacts, *, book: PolicyBook, as_of: dt.date) -> list[Finding]:
    """Whether a loan may be paid out; all reasons at once (RC-05, RC-07, RC-10, RC-13 to RC-16)."""
    return [
        *_judge_membership(facts),
        *_judge_conduct(facts, book=book, as_of=as_of),
        *_judge_accounts(facts),
        *_judge_fund(facts, book=book, as_of=as_of),
        *_judge_room(facts),
    ]


def _judge_membership(facts: LoanFacts) -> list[Finding]:
    found = []
    if not facts.is_member:
        article = "RC-07" if facts.member_status == "未申请" else "RC-09"
        found.append(
            refusal(
                "PAYROLL_NOT_A_MEMBER", article,
                f"{facts.member_name}（{facts.member_status}）不是已确认的成员，不能贷款。", "第五条",
                "Only a confirmed member may borrow.", 成员状态=facts.member_status,
            )
        )  # fmt: skip
    if facts.contract is None or not facts.contract[0] <= facts.day < facts.contract[1]:
        period = f"合同期 {facts.contract[0]} 至 {facts.contract[1]}（不含）" if facts.contract else "还没有签订合同"
        found.append(
            refusal(
                "PAYROLL_OUTSIDE_CONTRACT", "RC-10",
                f"贷款日 {facts.day} 不在合同期内：{period}。集团自合同签订之日起设立。", "第五条（四）",
                "The group exists from the day the contract is signed until it ends.", 合同期=period,
            )
        )  # fmt: skip
    elif facts.due > facts.contract[1]:
        found.append(
            refusal(
                "PAYROLL_DUE_AFTER_CONTRACT", "RC-05", f"贷款到期日 {facts.due} 晚于合同到期日 {facts.contract[1]}。",
                "第四条", "The loan falls due after the contract ends.",
            )
        )  # fmt: skip
    if facts.due <= facts.day:
        found.append(
            refusal(
                "PAYROLL_DUE_NOT_LATER", "RC-05", "到期日须晚于贷款日。", "第四条",
                "The due date is after the loan's date."
            )
        )  # fmt: skip
    return found


def _judge_conduct(facts: LoanFacts, *, book: PolicyBook, as_of: dt.date) -> list[Finding]:
    found = []
    if facts.owes_overdue:
        found.append(
            Finding(
                "PAYROLL_OVERDUE_ELSEWHERE", Severity.REFUSE, f"{facts.member_name} 有逾期贷款，不能再贷。", "RC-09",
                "联保贷款管理办法", message_en="A member has no overdue loans anywhere; check the credit record.",
            )
        )  # fmt: skip
    if facts.is_leaving or facts.is_in_breach:
        what = "正在办理退出或除名" if facts.is_leaving else "有违约记录"
        found.append(
            refusal(
                "PAYROLL_MEMBER_LEAVING", "RC-19", f"{facts.member_name} {what}，不能再贷。", "第七条",
                "A member who is leaving or in breach borrows no more.",
            )
        )  # fmt: skip
    least = book.in_force("payroll.min_members", as_of)
    if facts.members is not None and least is not None and not least.allows(Decimal(facts.members)):
        found.append(
            Finding(
                "PAYROLL_TOO_FEW_MEMBERS", Severity.WARN,
                f"集团现有成员 {facts.members} 人，少于 {least.decimal} 人，联保能力下降，放款前请核对。",
                least.article, least.citation,
                message_en=f"{facts.members} members are left; {least.decimal} are usual.",
                inputs={"现有成员": f"{facts.members} 人", "至少": f"{least.decimal} 人"},
            )
        )  # fmt: skip
    return found


def _judge_accounts(facts: LoanFacts) -> list[Finding]:
    wanted = (
        (facts.has_unit_account, "PAYROLL_UNIT_ACCOUNT_MISSING", "RC-13",
         "单位自合同签订之日起须在县联社开立账户，现在没有。",
         "The employer has no account with the county union."),
        (facts.has_payroll_agreement, "PAYROLL_AGREEMENT_MISSING", "RC-14",
         "单位没有代发工资协议，工资须由联社代发。",
         "Wages are paid through the union; there is no agreement."),
        (facts.has_special_account, "PAYROLL_FUND_ACCOUNT_MISSING", "RC-16", "保证基金没有专户。",
         "The guarantee fund has no special account."),
        (facts.has_custodian, "PAYROLL_CUSTODIAN_MISSING", "RC-16", "保证基金没有确定专人保管。",
         "The guarantee fund has no named custodian."),
    )  # fmt: skip
    return [
        refusal(code, article, message, "第六条", english)
        for is_there, code, article, message, english in wanted
        if not is_there
    ]


def _judge_fund(facts: LoanFacts, *, book: PolicyBook, as_of: dt.date) -> list[Finding]:
    percent = book.in_force("payroll.fund_pct", as_of)
    if percent is None or facts.fund_paid_fen >= (due := fund_due_fen(facts.amount_fen, percent.decimal)):
        return []
    return [
        Finding(
            "PAYROLL_FUND_SHORT", Severity.REFUSE,
            f"{facts.member_name} 须先交保证基金 {format_yuan(due)} 元（贷款额的 {percent.decimal}%），"
            f"已交 {format_yuan(facts.fund_paid_fen)} 元，还差 {format_yuan(due - facts.fund_paid_fen)} 元。",
            percent.article, percent.citation,
            message_en=f"CNY {format_yuan(due - facts.fund_paid_fen)} of the guarantee fund is still to be paid.",
            remedy="成员补交基金后再放款。",
            inputs={"贷款额": f"{format_yuan(facts.amount_fen)} 元", "应交": f"{format_yuan(due)} 元",
                    "已交": f"{format_yuan(facts.fund_paid_fen)} 元"},
        )
    ]  # fmt: skip


def _judge_room(facts: LoanFacts) -> list[Finding]:
    found = []
    rooms = (
        ("PAYROLL_ABOVE_GROUP_LIMIT", "集团", facts.limit_fen, facts.owed_fen, "the group's"),
        (
            "PAYROLL_ABOVE_MEMBER_LIMIT",
            facts.member_name,
            facts.member_limit_fen,
            facts.member_owed_fen,
            "the member's",
        ),
    )
    for code, who, limit, owed, english in rooms:
        if owed + facts.amount_fen > limit:
            found.append(
                refusal(
                    code, "RC-05",
                    f"{who}授信额度 {format_yuan(limit)} 元，已用 {format_yuan(owed)} 元，"
                    f"再贷 {format_yuan(facts.amount_fen)} 元超出 {format_yuan(owed + facts.amount_fen - limit)} 元。",
                    "第四条", f"Above {english} highest value of credit.",
                    额度=f"{format_yuan(limit)} 元", 已用=f"{format_yuan(owed)} 元",
                )
            )  # fmt: skip
    if facts.is_joint_debt_overdue:
        found.append(
            Finding(
                "PAYROLL_JOINT_DEBT_OVERDUE", Severity.WARN, "集团内有成员贷款逾期，全体成员负连带责任；放款前请核对。",
                "RC-19", "联保贷款管理办法", message_en="A member of the group is overdue; all answer for it.",
            )
        )  # fmt: skip
    return found


# --- leaving, removal, the end ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Debt:
    """What one member owes, principal and interest."""

    name: str
    owed_fen: int


def judge_all_repaid(debts: Sequence[Debt], *, act: str, article: str, where: str) -> list[Finding]:
    """Nobody leaves, nothing is dissolved and no fund is touched before *all* members have repaid (RC-17, A-12)."""
    owing = [debt for debt in debts if debt.owed_fen > 0]
    if not owing:
        return []
    names = "、".join(f"{debt.name} {format_yuan(debt.owed_fen)} 元" for debt in owing)
    return [
        refusal(
            "PAYROLL_DEBT_OUTSTANDING", article, f"全体成员还清贷款本息后才能{act}；还欠：{names}。", where,
            "Not before all members have repaid principal and interest.",
            欠款合计=f"{format_yuan(sum(debt.owed_fen for debt in owing))} 元",
        )
    ]  # fmt: skip


def judge_consents(*, leader: bool, union: bool, article: str, where: str) -> list[Finding]:
    """The leader of the group and the credit union both agree (RC-18, RC-19, A-13)."""
    wanted = (
        (leader, "PAYROLL_LEADER_CONSENT_MISSING", "还没有集团负责人的同意。", "The group's leader has not agreed."),
        (union, "PAYROLL_UNION_CONSENT_MISSING", "还没有信用社的同意。", "The credit union has not agreed."),
    )
    return [
        refusal(code, article, message, where, english) for is_given, code, message, english in wanted if not is_given
    ]


def judge_removal(
    *, member: Debt, assumed_fen: int, unsigned: Sequence[str], leader: bool, union: bool, is_stale: bool = False
) -> list[Finding]:
    """A member in breach goes once the debt is recovered or the others have taken it over (RC-19).

    ``assumed_fen``: what the others signed to take over; ``unsigned``: those of them who have not signed;
    ``is_stale``: others than those who signed are in the group now.
    """
    found = []
    if member.owed_fen > 0 and is_stale:
        found.append(
            refusal(
                "PAYROLL_SHARES_STALE", "RC-19", "提出除名后成员有变动，请按现有成员重新分担并签署。", "第七条（一）2",
                "Members have changed since; share the debt among those of today and sign again.",
            )
        )  # fmt: skip
    if member.owed_fen > 0 and (assumed_fen != member.owed_fen or unsigned):
        waiting = f"未签署承担的成员：{'、'.join(unsigned)}。" if unsigned else ""
        found.append(
            refusal(
                "PAYROLL_DEBT_NOT_SETTLED", "RC-19",
                f"{member.name} 还欠 {format_yuan(member.owed_fen)} 元，既没有强制收回，也没有由其他成员全部承担"
                f"（已承担 {format_yuan(assumed_fen)} 元）。{waiting}", "第七条（一）2",
                "The debt is neither recovered nor taken over by all the others.",
                欠款=f"{format_yuan(member.owed_fen)} 元", 已承担=f"{format_yuan(assumed_fen)} 元",
            )
        )  # fmt: skip
    return found + judge_consents(leader=leader, union=union, article="RC-19", where="第七条（一）2")
