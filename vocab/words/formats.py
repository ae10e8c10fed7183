"""Numbers, money, times and sizes as Korean and English readers write them. Pure: the same input, the same text.

Times are shown in Korean Standard Time (UTC+9, no summer time): the deadlines of the board are Korean ones.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from vocab.errors import Language

KST: Final = timezone(timedelta(hours=9))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIZES: Final = ("kB", "MB", "GB", "TB", "PB")
_SPANS: Final[tuple[tuple[int, str, str], ...]] = (
    (86_400_000, "일", "d"),
    (3_600_000, "시간", "h"),
    (60_000, "분", "min"),
    (1_000, "초", "s"),
)


def number(value: int) -> str:
    """`20,000`: digits in threes, in both languages."""
    return f"{value:,}"


def decimal(value: float) -> str:
    """`0.833`: three places, as the medical literature prints an AUC."""
    return f"{value:.3f}"


def won(amount: int, language: Language) -> str:
    """`1,337,302원`, `₩1,337,302`; whole won only."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount):,}원" if language == "ko" else f"{sign}₩{abs(amount):,}"


def size(count: int) -> str:
    """`812 B`, `1.4 MB`: bytes in powers of 1,000."""
    if count < 1_000:
        return f"{count} B"
    power = next((power for power in range(1, len(_SIZES)) if count < 999_950 * 1_000 ** (power - 1)), len(_SIZES))
    return f"{count / 1_000**power:.1f} {_SIZES[power - 1]}"


def percent(share: float) -> str:
    """`0.86%`, `13.4%` of a share between 0 and 1; what is there but too small to print is `<0.01%`, never zero."""
    hundredths = share * 100
    if 0 < hundredths < 0.01:
        return "<0.01%"
    return f"{hundredths:.2f}%" if abs(hundredths) < 10 else f"{hundredths:.1f}%"


def local(at_ms: int) -> datetime:
    """UTC milliseconds as a Korean wall-clock time, without going through floating point."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(KST)


def day(at_ms: int, language: Language) -> str:
    """`2026. 11. 23.`, `23 Nov 2026`."""
    at = local(at_ms)
    return f"{at.year}. {at.month}. {at.day}." if language == "ko" else f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def moment(at_ms: int, language: Language) -> str:
    """`2026. 11. 23. 14:05`, `23 Nov 2026, 14:05`: 24 hours, no seconds."""
    return f"{day(at_ms, language)}{' ' if language == 'ko' else ', '}{local(at_ms):%H:%M}"


def second(at_ms: int, language: Language) -> str:
    """`2026. 11. 23. 14:05:09`: where the order within a minute matters."""
    return f"{moment(at_ms, language)}{local(at_ms)::%S}"


def machine(at_ms: int) -> str:
    """RFC 3339 in UTC, for the `datetime` attribute and for specifications that want text."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def duration(span_ms: int, language: Language) -> str:
    """The two largest units: `3일 4시간`, `3 d 4 h`; below ten seconds with tenths: `0.4초`, `0.4 s`."""
    sign, span = ("-", -span_ms) if span_ms < 0 else ("", span_ms)
    gap = "" if language == "ko" else " "
    if span < 10_000:
        return f"{sign}{span // 1000}.{span % 1000 // 100}{gap}{'초' if language == 'ko' else 's'}"
    parts: list[str] = []
    for unit, korean, english in _SPANS:
        count, span = divmod(span, unit)
        if count or parts:
            parts.append(f"{count}{gap}{korean if language == 'ko' else english}" if count else "")
    return sign + " ".join(part for part in parts[:2] if part)
