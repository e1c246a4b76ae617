"""Words that mark a seizure, its start, its end, or that there is none, in several languages.

Words are compared without upper case and accents. The words of a language count in texts that
name the seizure in it, those of English in all: *fine* ends a *crisi*, and no seizure.
"""

import re
import unicodedata
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Words of one language: for a seizure, its start and end, and for none or another time."""

    seizure: frozenset[str]
    start: frozenset[str]
    end: frozenset[str]
    none: frozenset[str]


def _words(seizure: str, start: str, end: str, none: str) -> Words:
    return Words(*(frozenset(text.split()) for text in (seizure, start, end, none)))


ENGLISH = _words(
    "seizure seizures sz",
    "onset start starts started begin begins began beginning",
    "offset end ends ended ending stop stops stopped off over cessation ceases ceased "
    "termination terminates terminated finish finished fin ende",
    "no non not post pre interictal postictal preictal after before without free",
)
LANGUAGES = (
    _words(  # German
        "anfall krampfanfall",
        "beginn beginnt anfang",
        "endet beendet stopp vorbei",
        "kein keine keinen nach vor ohne frei freie",
    ),
    _words(  # Dutch
        "aanval", "aanvang", "einde eind eindigt gestopt stopt voorbij", "geen zonder na voor"
    ),
    _words(  # French
        "crise",
        "debut debute commence",
        "arret termine terminee cesse",
        "pas sans aucune avant apres",
    ),
    _words(  # Spanish
        "crisis",
        "inicio inicia comienzo comienza",
        "final finaliza termina cese",
        "sin ninguna antes despues tras",
    ),
    _words(
        "crisi", "inizio inizia esordio", "fine termine termina", "senza nessuna dopo"
    ),  # Italian
    _words("crise", "inicio comeco", "fim termino", "sem nenhuma antes depois apos"),  # Portuguese
)
SEIZURE_WORDS = tuple(
    dict.fromkeys(word for one in (ENGLISH, *LANGUAGES) for word in sorted(one.seizure))
)
"""Words that mark a seizure, unless the user states others."""
_COMPOUND = re.compile(r"((?:krampf)?anfall|aanval)s(\w+)")


def folded(text: str) -> str:
    """Return a text without upper case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def tokens(text: str) -> set[str]:
    """Return the words of a text, also the parts of *Anfallsende* and *aanvalsbegin*."""
    found = set(re.findall(r"[^\W\d_]+", folded(text)))
    for word in list(found):
        if (parts := _COMPOUND.fullmatch(word)) is not None:
            found |= set(parts.groups())
    return found


def words_in(found: AbstractSet[str]) -> Words:
    """Return the words of English and of the languages in which a text names the seizure.

    Parameters
    ----------
    found : set of str
        Words of the text, from `tokens`. If it names the seizure in no known language, the words
        of all languages count.
    """
    named = [one for one in (ENGLISH, *LANGUAGES) if one.seizure & found]
    used = [ENGLISH, *(named or LANGUAGES)]
    return Words(
        frozenset().union(*(one.seizure for one in used)),
        frozenset().union(*(one.start for one in used)),
        frozenset().union(*(one.end for one in used)),
        frozenset().union(*(one.none for one in used)),
    )


def mentions_seizure(text: str) -> bool:
    """Return whether a text contains a word for a seizure in any known language."""
    return bool(tokens(text) & set(SEIZURE_WORDS))
