"""Invented identities: names, resident numbers, phones, addresses. No real person can have any of them.

A resident number's 7th digit is 9 or 0 (given only to people born before 1900), a phone begins 010-0000.
"""

from random import Random
from typing import Final, NamedTuple

#: How many people are patients of every hospital; their serial begins with 0, a hospital's own with its digit.
SHARED: Final = 50

SURNAMES: Final = "김이박최정강조윤장임한오서신권황안송류홍전고문손양배백허남심"
#: Given names, two syllables each.
GIVEN: Final = (
    "영수영호영식영철영희영숙영자정호정식정희정숙정자정순순자순옥순희명자명숙명호명희"
    "경숙경희경자경호경수미숙미경미영은숙은희은영은주성호성수성진성민광수광호병철병호"
    "상철상호상훈재호재영종수종호진수진호춘자춘희말순복순옥순옥자금순금자덕수동수동현"
    "현숙현주현수현정혜경혜숙혜영지영지훈지현수진수경인숙인호태호태식용수용호기호기영"
)

#: Each 시도 with its share of the adult population (percent) and some of its 시군구.
SIDO: Final[dict[str, tuple[float, tuple[str, ...]]]] = {
    "서울": (18.2, ("강서구", "노원구", "송파구", "관악구", "은평구")),
    "부산": (6.4, ("해운대구", "사하구", "부산진구")),
    "대구": (4.6, ("수성구", "달서구", "북구", "동구", "중구")),
    "인천": (5.8, ("부평구", "서구", "남동구")),
    "광주": (2.7, ("북구", "광산구", "서구")),
    "대전": (2.8, ("유성구", "서구", "중구")),
    "울산": (2.1, ("남구", "울주군")),
    "세종": (0.7, ("세종시",)),
    "경기": (26.4, ("수원시", "고양시", "용인시", "성남시", "부천시")),
    "강원": (2.9, ("춘천시", "원주시", "강릉시")),
    "충북": (3.1, ("청주시", "충주시", "제천시", "음성군", "진천군")),
    "충남": (4.1, ("천안시", "아산시", "서산시")),
    "전북": (3.4, ("전주시", "익산시", "군산시")),
    "전남": (3.5, ("여수시", "순천시", "목포시")),
    "경북": (4.9, ("포항시", "구미시", "경산시", "경주시")),
    "경남": (6.3, ("창원시", "김해시", "진주시")),
    "제주": (1.3, ("제주시", "서귀포시")),
}


class Person(NamedTuple):
    """Who a patient is, apart from any hospital."""

    name: str
    resident_number: str
    phone: str
    birth_date: str
    sex: str


def person(rng: Random, born: str, sex: str, serial: int) -> Person:
    """An invented person born on `born` (ISO date); `serial` (six digits) makes the resident number their own."""
    surname, given = int(rng.random() * len(SURNAMES)), 2 * int(rng.random() * (len(GIVEN) // 2))
    name = SURNAMES[surname] + GIVEN[given : given + 2]
    number = f"{born[2:4]}{born[5:7]}{born[8:10]}-{9 if sex == 'M' else 0}{serial:06d}"
    return Person(name, number, f"010-0000-{int(rng.random() * 10_000):04d}", born, sex)
