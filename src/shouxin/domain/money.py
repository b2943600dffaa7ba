"""Money: whole 分 of one currency. Floats are refused everywhere; rounding happens once, with its mode named.

Screens speak 万元 (10,000 yuan), contracts 元, the ledger 分.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

FEN_PER_YUAN = 100
FEN_PER_WAN = 1_000_000
FEN_MAX = 9 * 10**16
"""Far above any bank's books and well inside the database's 64-bit integers."""
_DIGITS_MAX = 20
"""A figure with more digits is beyond every unit's range; multiplying it might overflow before it is compared."""


class MoneyError(ValueError):
    """A text or number that is no exact amount; the message says why."""


class CurrencyMismatchError(TypeError):
    """Two currencies were put together without a rate."""


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount. Order and sums exist only within one currency."""

    fen: int
    currency: str = "CNY"

    def __post_init__(self) -> None:
        if type(self.fen) is not int:
            raise MoneyError(f"金额必须是整数分，收到 {self.fen!r}")
        if abs(self.fen) > FEN_MAX:
            raise MoneyError("金额超出可记账范围")

    @classmethod
    def from_yuan(cls, value: str | int | Decimal, currency: str = "CNY") -> "Money":
        """From yuan with at most two decimals, exactly."""
        return cls(_exact_fen(value, FEN_PER_YUAN, "元"), currency)

    @classmethod
    def from_wan(cls, value: str | int | Decimal, currency: str = "CNY") -> "Money":
        """From 万元 with at most six decimals, exactly."""
        return cls(_exact_fen(value, FEN_PER_WAN, "万元"), currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.fen + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.fen - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.fen, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.fen < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.fen <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.fen > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.fen >= self._same(other)

    def __str__(self) -> str:
        return f"{format_wan(self.fen)} 万元" if self.currency == "CNY" else f"{self.currency} {format_yuan(self.fen)}"

    def at_rate(self, rate: Decimal, currency: str = "CNY") -> "Money":
        """This amount in another currency, rounded once to whole 分, half up (amounts on statements do the same)."""
        return Money(int((Decimal(self.fen) * rate).quantize(Decimal(1), ROUND_HALF_UP)), currency)

    def percent_of(self, whole: "Money") -> Decimal:
        """This amount in percent of another, unrounded to 28 digits."""
        if self._same(whole) == 0:
            raise MoneyError("不能以零为基数计算比例")
        return Decimal(self.fen) * 100 / Decimal(whole.fen)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self.currency} 与 {other.currency} 不能直接相加或比较")
        return other.fen


def percent_text(figure: Decimal, *lines: Decimal, places: int = 2) -> str:
    """A percentage for the eye: at least two decimals, ``places`` where they say more, and more until it differs from
    the lines that it is held against.

    Comparisons are unrounded; a figure just over its line must not look as if it stood on it.
    """
    if not figure.is_finite():
        return f"{figure}%"
    while places < _DIGITS_MAX and any(figure != line == round(figure, places) for line in lines):
        places += 1
    while places > 2 and round(figure, places) == round(figure, places - 1):
        places -= 1
    return f"{round(figure, places):.{places}f}%"


def in_wan(fen: int) -> Decimal:
    """万元 as a number with every decimal the amount has, at least two: for files that are counted with."""
    return Decimal(format_wan(fen).replace(",", ""))


def format_wan(fen: int) -> str:
    """万元 with thousands separators, two decimals and more only when the amount has them: 6,480.00."""
    wan = Decimal(fen) / FEN_PER_WAN
    if fen % (FEN_PER_WAN // 100) == 0:
        return f"{wan:,.2f}"
    return f"{wan:,.6f}".rstrip("0")


def paper_wan(fen: int) -> str:
    """万元 as papers print it: two decimals, and the exact yuan behind an amount that has more."""
    if fen % (FEN_PER_WAN // 100) == 0:
        return format_wan(fen)
    rounded = (Decimal(fen) / FEN_PER_WAN).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"≈{rounded:,f}（{format_yuan(fen)} 元）"


def amount_en(fen: int) -> str:
    """An amount within an English sentence: ``64,800,000.00 CNY``; no unit of ten thousand that a reader would have to
    know."""
    return f"{format_yuan(fen)} CNY"


def format_yuan(fen: int) -> str:
    """元 with thousands separators and two decimals."""
    return f"{Decimal(fen) / FEN_PER_YUAN:,.2f}"


def share_of(fen: int, percent: Decimal) -> int:
    """The largest whole 分 that is at most this percentage of an amount."""
    return int(Decimal(fen) * percent / 100 // 1)


def _exact_fen(value: str | int | Decimal, factor: int, unit: str) -> int:
    if isinstance(value, bool | float):
        raise MoneyError(f"金额不能用浮点数，收到 {value!r}")
    try:
        amount = Decimal(value.replace(",", "").strip() if isinstance(value, str) else value)
    except InvalidOperation as error:
        raise MoneyError(f"“{value}”不是金额，请填写数字（{unit}）") from error
    if not amount.is_finite():
        raise MoneyError(f"“{value}”不是金额，请填写数字（{unit}）")
    if amount.adjusted() > _DIGITS_MAX or abs(amount) * factor > FEN_MAX:
        raise MoneyError(f"{value} {unit} 超出可记账范围")
    fen = amount * factor
    if fen != fen.to_integral_value():
        raise MoneyError(f"{value} {unit} 不足一分，请精确到分")
    return int(fen)
