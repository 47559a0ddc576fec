"""The pages' types say what the server answers."""

import inspect
from pathlib import Path
import re

from collab_robots.explorer.book import answers

TYPES = Path(__file__).resolve().parents[2] / 'frontend' / 'src' / 'api' / 'answers.ts'
INTERFACE = re.compile(r'export interface (\w+)(?:<\w+>)?(?: extends (\w+))? \{\n(.*?)\n\}', re.S)


def declared() -> dict[str, set[str]]:
    """Return the fields of each interface, inherited ones too."""
    found: dict[str, set[str]] = {}
    for name, base, body in INTERFACE.findall(TYPES.read_text('utf-8')):
        found[name] = {*re.findall(r'^  (\w+):', body, re.M), *found.get(base, ())}
    return found


def test_the_pages_know_all_fields_of_all_answers() -> None:
    own = [
        kind
        for _, kind in inspect.getmembers(answers, inspect.isclass)
        if issubclass(kind, answers.Answer) and kind is not answers.Answer and '[' not in str(kind)
    ]
    types = declared()
    for kind in own:
        assert types[kind.__name__] == set(kind.model_fields), kind.__name__
    assert set(types) == {kind.__name__ for kind in own}
