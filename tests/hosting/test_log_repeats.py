"""What strangers cause again and again is in the log a few times, with a number."""

import logging

from explorer.hosting.log_repeats import MINUTE_S, FewOfAKind


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(line: int = 7, message: str = "a %s thing") -> logging.LogRecord:
    return logging.LogRecord(
        "uvicorn.error", logging.WARNING, "x.py", line, message, ("bad",), None
    )


def test_a_record_that_repeats_itself_is_kept_a_few_times_a_minute():
    clock = Clock()
    few = FewOfAKind(3, clock)
    assert [few.filter(record()) for _ in range(1003)] == [True] * 3 + [False] * 1000
    assert few.filter(record(line=8))  # another place has its own
    clock.now += MINUTE_S
    later = record()
    assert few.filter(later)
    assert later.getMessage() == "a bad thing (1,000 more of these were left out)"
    again = record()
    assert few.filter(again)
    assert again.getMessage() == "a bad thing"


def test_the_log_has_this_filter():
    from explorer.hosting import logs

    before = list(logging.getLogger().handlers)
    factory = logging.getLogRecordFactory()
    try:
        logs.begin_logs({"EXPLORER_JSON_LOGS": "1"})
        (handler,) = [each for each in logging.getLogger().handlers if each not in before]
        assert any(isinstance(each, FewOfAKind) for each in handler.filters)
    finally:
        logging.getLogger().handlers[:] = before
        logging.setLogRecordFactory(factory)
