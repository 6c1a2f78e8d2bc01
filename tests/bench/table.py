"""Samples taken in turn, and the table that they end in."""
import collections
import math
import statistics
import sys

from server import Failure

TERMINAL = 78           # columns of the progress line


class Goal(collections.namedtuple('Goal', 'text met')):
    """What is to be reached: text for the table, met(figure or ratio) for the verdict."""


def at_most(most, unit):
    return Goal(f'at most {unit(most)}', lambda value: value <= most)


def at_least_times(factor):
    return Goal(f'at least {factor:g} x', lambda ratio: ratio >= factor)


def at_most_times(factor):
    return Goal(f'at most {factor:g} x', lambda ratio: ratio <= factor)


# ---- units: a figure as the table shows it ----

def seconds(value):
    return f'{value:.3f} s'


def milliseconds(value):
    return f'{value * 1000:.1f} ms'


def per_second(value):
    return f'{value:,.0f} /s'


def kib(value):
    return f'{value:,.0f} KiB'


def count(value):
    return f'{value:,.0f}'


# ---- measuring ----

class Series:
    """The samples of one contestant, {figure's name: [values]}, or why there are none."""

    def __init__(self, trouble=None):
        self.trouble = trouble
        self.values = collections.defaultdict(list)

    def take(self, sample):
        try:
            for name, value in sample().items():
                self.values[name].append(value)
        except (Failure, OSError) as error:
            self.trouble = f'failed: {error}'

    def median(self, name):
        return None if self.trouble else statistics.median(self.values[name])

    def shown(self, name, unit):
        return self.trouble or unit(self.median(name))


def progress(text):
    """One line on the terminal, overwritten by the next."""
    if sys.stderr.isatty():
        print(f'\r{text:{TERMINAL}}\r', end='', file=sys.stderr, flush=True)


def interleave(name, rounds, contestants):
    """
    Takes a sample of every contestant in every round, beginning with another one each time,
    so that what else happens on the machine meets them all.  A contestant is a function, or
    a text that says why it cannot take part.
    """
    series = {title: Series(c if isinstance(c, str) else None) for title, c in contestants.items()}
    titles = list(contestants)
    for i in range(rounds):
        first = i % len(titles)
        for title in titles[first:] + titles[:first]:
            progress(f'{name}: round {i + 1} of {rounds}: {title}')
            if not series[title].trouble:
                series[title].take(contestants[title])
    progress('')
    return series


def available(peer, sample):
    return peer.unavailable() or sample


def rate(figures):
    return {'rate': figures['done'] / figures['seconds']}


# ---- the table ----

def quotient(a, b):
    """Their ratio; of two figures that are nothing it is 1."""
    if b == 0:
        return 1.0 if a == 0 else math.inf
    return a / b


class Row(collections.namedtuple('Row', 'name unit figure ours others goal', defaults=(None,))):
    """
    A figure of ours, and of others beside it: others is {title: Series or (Series, Goal)}.
    The goal is for our own figure, an other's goal for the ratio to it.
    """

    def lines(self):
        mine = self.ours.values[self.figure]
        head = (self.name, len(mine) or '', self.ours.shown(self.figure, self.unit))
        if self.goal:
            yield *head, '', '', '', *judged(self.goal, self.ours.median(self.figure))
            head = ('', '', '')
        for title, other in self.others.items():
            series, goal = other if isinstance(other, tuple) else (other, None)
            ratio = self.ratio(series)
            yield (*head, title, series.shown(self.figure, self.unit),
                   '' if ratio is None else f'{ratio:.3f}', *judged(goal, ratio))
            head = ('', '', '')
        if any(head):
            yield *head, '', '', '', '', ''

    def ratio(self, other):
        """The median of the ratios that the rounds had; None when one side has no figures."""
        if self.ours.trouble or other.trouble:
            return None
        mine, theirs = self.ours.values[self.figure], other.values[self.figure]
        return statistics.median(quotient(a, b) for a, b in zip(mine, theirs))


def judged(goal, value):
    """The last two cells of a line: no figure means that the goal was not reached."""
    if goal is None:
        return '', ''
    return goal.text, 'met' if value is not None and goal.met(value) else 'missed'


HEADER = ('benchmark', 'n', 'preforkd', 'beside', 'theirs', 'ratio', 'goal', 'verdict')
WIDTHS = (38, 2, 10, 18, 10, 6, 16, 7)
ALIGN = '<>><>><<'


def show(cells):
    print('  '.join(f'{c:{a}{w}}' for c, a, w in zip(cells, ALIGN, WIDTHS)).rstrip(), flush=True)
