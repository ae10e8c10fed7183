"""One layout for all pages: templates that fail on what they do not know, two languages, and strict browser rules."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from connector.web import assets
from connector.web.access import visitor
from connector.web.cells import Badge, Link
from connector.web.site import Site, site_of
from vocab.errors import LANGUAGES, Language, Refusal, Rendered, sentence
from vocab.words import formats, known, text, word
from vocab.words.values import At, AtSecond, Day

#: Pico draws its marks with `data:` images; nothing else may come from elsewhere or stand inline.
POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
#: `same-origin` and not `no-referrer`: the latter makes browsers send `Origin: null` with our own forms.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_LANGUAGE_COOKIE: Final = "dure-lang"

Environments = Mapping[Language, Environment]


def environments(site: Site) -> Environments:
    """The templates of a site, once for each language."""
    return {language: _environment(site, language) for language in LANGUAGES}


def render(request: Request, template: str, status: int = 200, /, **context: object) -> HTMLResponse:
    """`template` for the person who asks, in their language. Raises `UndefinedError` when the context has a gap."""
    language = language_of(request)
    environment: Environment = request.app.state.environments[language]
    body = environment.get_template(template).render(_shared(request, language), **context)
    response = HTMLResponse(body, status, headers=dict(HEADERS))
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(_LANGUAGE_COOKIE, language, max_age=365 * 86_400, httponly=True, samesite="lax")
    return response


def language_of(request: Request) -> Language:
    """`?lang`, else the cookie, else the browser's first wish that we can fill, else Korean."""
    wishes = [request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE)]
    wishes += _accepted(request.headers.get("accept-language", ""))
    for wish in wishes:
        for language in LANGUAGES:
            if wish == language:
                return language
    return "ko"


def say(code: str, language: Language, values: Mapping[str, object], /, **where: object) -> Rendered:
    """What a refusal says and what to do, its values written for readers; also for stored ones."""
    given = {name: text(value, language) for name, value in {**where, **values}.items() if value is not None}
    return sentence(code, language, dict[str, object](given))


def say_refusal(refusal: Refusal, language: Language) -> Rendered:
    """The same for one that was just raised."""
    where = {"rule": refusal.rule, "needed": refusal.needed, "seen": refusal.seen}
    return say(refusal.code, language, refusal.values, **where)


def _accepted(header: str) -> list[str]:
    """Primary tags of `Accept-Language`, best first; what does not parse counts least."""
    weighed: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            weighed.append((-quality, tag.strip().lower().partition("-")[0]))
    return [tag for _, tag in sorted(weighed, key=lambda item: item[0])]


def _shared(request: Request, language: Language) -> dict[str, Any]:
    """What every template may use."""
    site, person = site_of(request), visitor(request)
    duties = person.duties if person else frozenset()
    others = [(tag, request.url.include_query_params(lang=tag)) for tag in LANGUAGES]
    return {
        "site": site,
        "site_name": site.name(language),
        "person": person,
        "menu": [item for item in (*site.menu, *site.items) if person and (not item.duties or duties & item.duties)],
        "here": request.url.path,
        "languages": [(tag, f"{url.path}?{url.query}") for tag, url in others],
    }


def _environment(site: Site, language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(site.folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        language=language,
        asset=assets.address,
        word=partial(_word, language),
        explain=lambda code, values, **where: say(code, language, values, **where),
    )
    environment.filters.update(
        word=partial(_word, language),
        show=partial(_show, language),
        refusal=lambda refusal: say_refusal(refusal, language),
        duty=partial(_duty, language),
    )
    return environment


def _word(language: Language, key: str, /, **values: object) -> str:
    return word(key, language, **values)


def _show(language: Language, value: object) -> Markup:
    """A value as HTML: times carry their exact moment for machines, links lead to pages of this node only."""
    if isinstance(value, Link):
        return Markup('<a href="{}">{}</a>').format(value.url, _show(language, value.label))
    if isinstance(value, Badge):
        return Markup('<span class="outcome {}">{}</span>').format(value.outcome, _show(language, value.said))
    if isinstance(value, tuple) and any(isinstance(one, (Link, Badge)) for one in value):
        return Markup(" · ").join(_show(language, one) for one in value)
    shown = escape(text(value, language))
    if isinstance(value, (At, AtSecond, Day)):
        return Markup('<time datetime="{}">{}</time>').format(formats.machine(value), shown)
    return shown


def _duty(language: Language, name: str) -> str:
    """The duty in words, or as the node's own file spells it."""
    key = f"duty-{name}"
    return word(key, language) if known(key) else name
