"""One filled page of each kind, as the six nodes would show them near the end of study S1. All names are fictional."""

from connector.web.board import BoardCase, Line, Seat
from connector.web.home import Home, StudyLine, Todo
from connector.web.log import Cosigner, LogPage
from connector.web.timeline import (
    Action,
    BeforeAfter,
    Card,
    Certificate,
    Change,
    Event,
    Figure,
    Figures,
    Flow,
    Lattice,
    Movement,
    Panel,
    Refusals,
    Rung,
    Table,
    Timeline,
    Waiting,
    Waits,
    clock,
)
from vocab.words.values import At, Bytes, Day, Lasting, Said, Share, Won

NOW = 1_795_410_309_000
STUDY = "urn:uuid:6f1c2f5e-8d2a-4f0e-9b50-2f4c1f3d7a11"
MINUTE = 60_000

CAPACITY = Said("flow-capacity", {"n": Bytes(12_600)})

REFUSED = Event(
    NOW - 9 * MINUTE,
    "negotiation",
    "refused",
    "event-asked",
    {"who": "A03 카디오", "dataset": "D-H01-DM"},
    code="duty-missing",
    rule="odrl:constraint[0] ehds:purpose isA kr:scientificResearch",
    needed=["KCD E10-E14"],
    seen=["KCD I44-I49"],
    link="/home",
)
EVENTS = (
    Event(NOW - 30 * MINUTE, "sources", "done", "event-cut", {"rows": 19_993, "k": 5}),
    REFUSED,
    Event(NOW - 7 * MINUTE, "negotiation", "done", "event-agreed", {"who": "A02 프리딕트"}, link="/home"),
    Event(NOW - 2 * MINUTE, "transfer", "waiting", "event-staging", {"size": Bytes(1_482_113)}),
    Event(NOW - MINUTE, "compute", "failed", "event-task-failed", {"span": Lasting(41_000)}),
)
HOSPITAL_PANELS = (
    Panel(
        "panel-left-house",
        Flow(
            (
                Movement(Said("flow-rows"), "A02 프리딕트", 0, Said("flow-stays")),
                Movement(Said("flow-cipher"), "P01", Bytes(1_482_113)),
                Movement(
                    Said("flow-model"), "A02 프리딕트", Bytes(48_210), Said("flow-capacity", {"n": Bytes(12_600)})
                ),
            )
        ),
    ),
    Panel(
        "panel-stop", Action("stop", Said("stop-warning"), "stop-confirm", "/stop", {"study": STUDY}), Said("task-runs")
    ),
    Panel(
        "panel-patient",
        BeforeAfter(
            (
                Change("환자번호", "H01-0001934", "k7Q…Zd (가명)"),
                Change("나이", 63, "60–64"),
                Change("거주지", "서울 강서구 화곡동", "home"),
                Change("HbA1c", "7.34", "7.0–7.5"),
                Change("주민등록번호", "630101-9000000", None),
            )
        ),
    ),
    Panel(
        "panel-lattice",
        Lattice(
            5,
            (
                Rung(Said("lattice-kr-med-1"), Share(0.0004), 210, "chosen"),
                Rung(Said("lattice-full-region"), Share(0.014), 880, "affordable"),
                Rung(Said("lattice-exact-age"), Share(0.061), 1_900, "refused"),
            ),
        ),
    ),
    Panel(
        "panel-certificate",
        Certificate(
            "done",
            Said("certificate-deleted"),
            (Figure("walls-level", "thin"), Figure("study", STUDY)),
            (Said("limit-traces"), Said("limit-walls")),
            (("P01", At(NOW)), ("H01 새빛대학병원", At(NOW))),
            "/certificate.json",
        ),
    ),
    Panel("panel-waiting", Waiting((Waits(Said("waits-receipt"), "H03 한결의료원", At(NOW - MINUTE), 3, "timeout"),))),
)
HOSPITAL = Timeline(
    title="당뇨 신장 예측 연구",
    now_ms=NOW,
    refresh_url="/hospital",
    study=STUDY,
    facts=(
        clock("permit-ends", NOW + 76 * 3_600_000, NOW),
        Figure("price", Won(1_337_302), Said("demo-tariff")),
        Figure("walls-level", "user"),
    ),
    panels=HOSPITAL_PANELS,
    events=EVENTS,
    events_url="/events",
)
COSTS = (("H01", Won(599_860)), ("DRB", Won(300_000)))
COMPANY = Timeline(
    title="당뇨 신장 예측 연구",
    now_ms=NOW,
    refresh_url="/company",
    study=STUDY,
    facts=(clock("permit-ends", NOW - 5 * MINUTE, NOW), Figure("price", Won(1_337_302))),
    panels=(
        Panel(
            "panel-card",
            Card(
                Said("card-use"),
                (Said("card-synthetic"), Said("card-not-clinical")),
                Figures((Figure("auc", 0.8331, "0.820–0.849"), Figure("weakest-subgroup", "70+", Said("weakest-ci")))),
                Table(
                    Said("card-by-group"),
                    ("group", "patients", "auc"),
                    (("H01", 3_998, 0.834), ("H03", 1_600, 0.829), ("H03, < 50", None, None)),
                ),
            ),
            wide=True,
        ),
        Panel("panel-refusals", Refusals((REFUSED,)), wide=True),
        Panel("panel-cost", Table(Said("demo-tariff"), ("group", "price"), COSTS)),
    ),
    events=(),
)
EMPTY = Timeline(
    title=Said("study"),
    now_ms=NOW,
    refresh_url="/empty",
    panels=(
        Panel("panel-refusals", Refusals(())),
        Panel("panel-waiting", Waiting(())),
        Panel("panel-data", Table(Said("card-by-group"), ("group", "patients"), ())),
    ),
)
BOARD = BoardCase(
    title="당뇨 신장 예측 연구 심의",
    case="DRB-2026-0017",
    now_ms=NOW,
    refresh_url="/board",
    state=Said("board-voting"),
    outcome="waiting",
    facts=(clock("deadline", NOW + 9 * 86_400_000, NOW), Figure("risk", "중간")),
    application=Table(
        None,
        ("item", "value"),
        (("목적", "kr:scientificResearch"), ("데이터", "D-H01-DM, D-H03-DM"), ("IRB", Day(NOW)), ("기간", "90일")),
    ),
    seats=(
        Seat("김하늘", external=False, vote="yes", reason="식별 위험이 낮고 목적이 분명함", at=At(NOW - MINUTE)),
        Seat("이도윤", external=True, vote="abstain", reason="판단 보류", at=At(NOW)),
        Seat("박서연", external=True, recused="신청 기업의 자문 위원"),
        Seat("최지우", external=False),
    ),
    arithmetic=(
        Line(Said("board-rule-quorum"), 3, 2, holds=False),
        Line(Said("board-rule-external"), 2, 2, holds=True),
    ),
    vote_url="/board",
)
HOME = Home(
    NOW,
    (Todo(Said("todo-vote", {"title": "당뇨 신장 예측 연구"}), At(NOW - 45 * MINUTE), "/hospital"),),
    (StudyLine("당뇨 신장 예측 연구", STUDY, Said("board-voting"), "waiting", At(NOW), "/hospital"),),
)
HOME_EMPTY = Home(NOW, (), ())
LOG = LogPage(
    now_ms=NOW,
    refresh_url="/log",
    origin="op.dure.example/log",
    size=1_284,
    root="5f8Zr4m1mPzH5lBSpQ6q2zW4e9k1nR1lV0aXcQm0b1E=",
    signed=At(NOW),
    policy=Said("log-policy"),
    satisfied=True,
    cosigners=(
        Cosigner("H01 새빛대학병원", "hospital", At(NOW)),
        Cosigner("A02 프리딕트", "company", At(NOW)),
        Cosigner("P01", "zone", None),
    ),
    entries=Table(None, ("log-entry", "log-kind"), ((1_283, Said("event-agreement")), (1_282, Said("event-permit")))),
    verify="dure log verify .dure/op/log --policy .dure/op/log.policy",
)
