"""`dure conformance ...`: the connector under a stranger's test kit."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

app = App(name="conformance", help="Strangers' test kits against this connector. Never in production.")

Suite = Annotated[Literal["dsp"], Parameter(help="Which kit: dsp is the Dataspace Protocol TCK.")]
Json = Annotated[bool, Parameter(name="--json", help="Machine-readable: one JSON object.", negative="")]
Lang = Annotated[Literal["ko", "en"] | None, Parameter(help="Language of what is printed (default: from LANG).")]
Port = Annotated[int, Parameter(validator=Number(gte=1, lte=65535))]


@app.command
def serve(suite: Suite, *, port: Port, properties: Path, kit_port: Port = 8083, lang: Lang = None) -> int:
    """The seeded profile on 127.0.0.1:PORT until it is stopped; the kit's settings are written to PROPERTIES.

    The kit itself listens on KIT_PORT, by its settings.
    """
    import asyncio

    from connector.cli.ends import language
    from connector.cli.kits import serve as serving

    del suite
    asyncio.run(serving(port, properties, kit_port, language(lang)))
    return 0


@app.command
def run(
    suite: Suite,
    *,
    out: Annotated[Path, Parameter(help="Where raw log, report, settings, access log and verdict stay.")] = Path(
        "conformance-dsp"
    ),
    only: Annotated[str | None, Parameter(help="Scenarios whose method matches this expression.")] = None,
    as_json: Json = False,
) -> int:
    """The profile and the kit against it: one line a scenario, last one JSON object. Ends with 0 if all passed."""
    import asyncio

    from connector.cli.kits import run as running

    del suite
    return asyncio.run(running(out.resolve(), only, as_json=as_json))
