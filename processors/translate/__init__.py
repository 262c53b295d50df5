"""translate: a unique article and its English.  Late or absent is a flag, never a pause: the article flows on in its own words.

Flags: `english` (it needs none), `untranslated` (nothing was), `partial` (not all was), `title_untranslated`, `names_differ` and
`numbers_differ` (a name or a number of the source is not in the translation), `busy` (too many wait), `no_engine`, and what the engine
did: `engine_timeout`, `engine_died`, `engine_garbled`, `engine_resting` (left alone after failures).
"""

from collections.abc import Callable, Iterable, Mapping

from processors.translate.engine import APERTIUM_DATA, Apertium, Engine, NoEngine
from processors.translate.gateway import Config, Gateway
from processors.translate.wording import Language, Wording, load_glossary
from tumen.errors import ConfigError
from tumen.settings import Settings
from tumen.stage import Finding, GatewaySpec, Kit
from tumen.topics import TRANSLATED, UNIQUE

__all__ = ["SPEC", "Config", "build", "doctor"]

SPEC = GatewaySpec(reads=(UNIQUE,), writes=(TRANSLATED,), workers=2)

_PACKAGES = "Debian: apertium, cg3, and a pair such as apertium-spa-ita with apertium-eng-spa"

#: engine by name, the best one first
ENGINES: Mapping[str, Callable[[Mapping[str, Language]], Engine]] = {
    "apertium": lambda glossary: Apertium(APERTIUM_DATA, lambda source, target: glossary.get(source, Language()).gaps(target)),
    "none": lambda _glossary: NoEngine(),
}


def build(config: Config, kit: Kit) -> Gateway:
    """The gateway.  Raises `ConfigError` when the engine that the settings name can translate none of their languages."""
    glossary = load_glossary()
    engines = chosen(kit.settings, glossary)
    wordings = {language: Wording(language, glossary.get(language, Language()), kit.watch.find) for language in engines}
    return Gateway(engines, wordings, kit.settings.translation.timeout, config)


def chosen(settings: Settings, glossary: Mapping[str, Language]) -> dict[str, Engine]:
    """The engine of each language that has one."""
    wanted = settings.translation.engine
    made = [make(glossary) for name, make in ENGINES.items() if wanted in ("auto", name)]
    engines = {
        language: engine
        for language in settings.languages
        for engine in reversed(made)
        if language != "en" and language in engine.languages()
    }
    foreign = [language for language in settings.languages if language != "en"]
    if wanted not in ("auto", "none") and foreign and not engines:
        raise ConfigError(f"translation.engine = {wanted!r}: expected it to be installed for one of {', '.join(foreign)} ({_PACKAGES})")
    return engines


def doctor(settings: Settings) -> Iterable[Finding]:
    """Which language is translated by what, and what is missing for it."""
    glossary = load_glossary()
    try:
        engines = chosen(settings, glossary)
    except ConfigError as error:
        yield Finding("translation", "broken", str(error))
        return
    for language in settings.languages:
        if language == "en":
            continue
        engine = engines.get(language)
        if engine is None:
            yield Finding(f"translation {language}", "missing", "alerts carry the original text and an English event line")
        else:
            route = f" ({engine.route(language)})" if isinstance(engine, Apertium) else ""
            yield Finding(f"translation {language}", "ok", f"{engine.name}{route}")
    if settings.translation.engine != "none":
        for pair, programs in Apertium(APERTIUM_DATA).missing.items():
            yield Finding(f"apertium {pair}", "missing", f"lacks {', '.join(programs)}; {_PACKAGES}")
