"""What the checks of this folder expect of calls that must fail."""


def raises(kind, words, call):
    """`call` must raise a `kind` of error that says `words`."""
    try:
        call()
    except kind as error:
        assert words in str(error), error
        return
    raise AssertionError(f"no {kind.__name__} with {words!r}")
