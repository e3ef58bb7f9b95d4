"""What somebody may use up in a minute, on average: a bucket for each, which drains."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

MINUTE_S = 60.0
MANY = 1000  # buckets; beyond them, those that are empty are dropped


@dataclass(frozen=True)
class Allowance:
    """How much may be used in a minute, and the name of the limit that says so."""

    limit: str
    each_minute: float

    @property
    def each_second(self) -> float:
        return self.each_minute / MINUTE_S


@dataclass
class _Bucket:
    """What was used and has not drained yet, at a time in seconds."""

    level: float
    at: float
    each_second: float

    def drain(self, until: float) -> None:
        if until > self.at:
            self.level = max(0.0, self.level - self.each_second * (until - self.at))
            self.at = until


class Allowances:
    """What each of many has used lately, by a key. `now` is the clock, in seconds.

    Holds nothing of who used nothing lately.
    """

    def __init__(self, now: Callable[[], float]):
        self._now = now
        self._buckets: dict[Hashable, _Bucket] = {}

    def wait_s(self, key: Hashable, most: Allowance, more: float = 0.0) -> float:
        """In how many seconds there will be room for `more`; 0 if there is now."""
        level, bucket = 0.0, self._buckets.get(key)
        if bucket is not None:
            bucket.drain(self._now())
            level = bucket.level
        return max(0.0, (level + more - most.each_minute) / most.each_second)

    def spend(self, key: Hashable, most: Allowance, amount: float, over_s: float = 0.0) -> None:
        """Count an amount that was used during the last `over_s` seconds."""
        now = self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._forget_the_empty(now)
            bucket = self._buckets[key] = _Bucket(0.0, now - over_s, most.each_second)
        bucket.drain(now - over_s)
        bucket.level += amount
        bucket.drain(now)

    def _forget_the_empty(self, now: float) -> None:
        if len(self._buckets) < MANY:
            return
        for bucket in self._buckets.values():
            bucket.drain(now)
        self._buckets = {key: each for key, each in self._buckets.items() if each.level > 0}
