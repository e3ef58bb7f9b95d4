"""Errors that mean that memory ran out, recognized by class and text: libraries agree on none."""


def memory_that_ran_out(error: BaseException) -> str | None:
    """Which memory ran out, "device" or "host"; None for another error."""
    text = str(error)
    if type(error).__name__ == "OutOfMemoryError" or "out of memory" in text:
        return "device"
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        return "host"
    return None
