"""How the naming of pictures goes, for ``/diagnostics``."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from statistics import median

from collab_robots.inference.runtime.answer import Answer, Outcome
from collab_robots.inference.runtime.roster import Known
from collab_robots.nodes.diagnostics import ERROR, Health, OK, WARN

ANSWERS = 50  # the newest ones that are judged


class InferenceHealth:
    """How naming pictures goes."""

    def __init__(self) -> None:
        self._answers: deque[Answer] = deque(maxlen=ANSWERS)

    def note(self, answer: Answer) -> None:
        """Take note of an answer."""
        self._answers.append(answer)

    def health(self) -> Health:
        """Return how the newest answers came about."""
        if not self._answers:
            return Health(OK, 'no picture was named yet')
        outcomes = Counter(answer.outcome.value for answer in self._answers)
        faults = Counter(
            event.fault.value for answer in self._answers for event in answer.trace.events
        )
        last = self._answers[-1].trace
        seconds = median(answer.trace.seconds for answer in self._answers)
        values: dict[str, object] = {
            'median_s': round(seconds, 4),
            'plan': str(last.course.option),
            'helper': ' '.join(last.route),
            **outcomes,
            **{f'helper_{fault}': count for fault, count in faults.items()},
        }
        refused = outcomes[Outcome.REFUSED.value]
        told = f'{1e3 * seconds:.0f} ms, {len(self._answers)} pictures'
        if refused == len(self._answers):
            return Health(ERROR, f'none of {refused} pictures could be named', values)
        if refused:
            return Health(WARN, f'{told}, {refused} could not be named', values)
        return Health(OK, told, values)


def link_health(helpers: Iterable[Known], now: int) -> Health:
    """
    Return how the links to those who offer help are.

    :param now: by the steady clock that their exchanges are timed with.
    """
    values: dict[str, object] = {}
    told = []
    for helper in helpers:
        link = helper.estimate(now)
        values |= {
            f'{helper.name}_rate_bps': round(link.rate_bps),
            f'{helper.name}_delay_s': round(link.delay_s, 4),
            f'{helper.name}_loss': round(link.loss, 3),
            f'{helper.name}_age_s': round(link.age_s, 1),
        }
        told.append(f'{helper.name} {link.rate_bps / 1e6:.2f} Mbit/s')
    return Health(OK, ', '.join(told) or 'nobody offers help', values)
