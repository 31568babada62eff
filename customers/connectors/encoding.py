"""Whether a file is in the encoding that was declared, and a UTF-8 copy for the reader."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from core.errors import Fault
from customers.connectors.raw import Reject

_CHUNK = 1 << 24
_SAMPLE = 1 << 18
_SPORADIC = 0.1
"""Up to this share of the lines with non-ASCII bytes may be damaged; beyond it the file is in another encoding."""
_LIKELY = ("utf-8", "cp932", "euc_jp", "utf-16")


def utf8_copy(path: Path, encoding: str, scratch: Path, rejects: list[Reject]) -> Path | Fault:
    """The file itself when it is clean UTF-8, else a UTF-8 copy below `scratch`, else what is wrong with it.

    Single damaged lines of a file that is otherwise in the declared encoding are blanked in the copy, so that line
    numbers stay, and are added to `rejects`.
    """
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        return Fault(path.name, f"the encoding {encoding!r} is unknown; write for example utf-8 or cp932")
    if codec.name == "shift_jis":
        # What Windows calls Shift_JIS is cp932, a superset: ①, ㈱ and 髙 exist only there.
        codec = codecs.lookup("cp932")
    target = scratch / f"{path.name}.utf8"
    is_utf8 = codec.name in ("utf-8", "utf-8-sig")
    if not is_utf8 and _is_other_utf8(path):
        return Fault(path.name, f"is declared as {encoding} but is UTF-8; declare encoding: utf-8")
    try:
        _transcode(path, codec.name, None if is_utf8 else target)
    except UnicodeDecodeError:
        return _set_damaged_lines_aside(path, encoding, codec.name, target, rejects)
    except UnicodeError:
        # Only utf-16 and utf-32 ask for more than decodable bytes.
        return Fault(path.name, f"does not begin with the mark of {encoding}; declare {encoding}-le or {encoding}-be")
    return path if is_utf8 else target


def _transcode(path: Path, encoding: str, target: Path | None) -> None:
    """Decode all of the file; write it as UTF-8 where a target is given."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        if target is None:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
            return
        with target.open("wb") as copy:
            while chunk := file.read(_CHUNK):
                copy.write(decoder.decode(chunk).encode())
            copy.write(decoder.decode(b"", final=True).encode())


def _is_other_utf8(path: Path) -> bool:
    """Whether the file has non-ASCII characters that are all UTF-8, which chance does not bring about elsewhere."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    ascii_only = True
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
                ascii_only = ascii_only and chunk.isascii()
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not ascii_only


def _set_damaged_lines_aside(
    path: Path, encoding: str, codec: str, target: Path, rejects: list[Reject]
) -> Path | Fault:
    damaged: list[Reject] = []
    accented = 0
    with target.open("w", encoding="utf-8", newline="\n") as copy:
        for number, (line, whole) in enumerate(_decoded_lines(path, codec), start=1):
            accented += not (whole and line.isascii())
            if not whole:
                damaged.append(Reject(path.name, number, f"bytes that are not {encoding}", line.rstrip("\r\n")))
            copy.write(line if whole else "\n")
    # The header must be whole: without it no column has a name. And where no line that could speak for the declared
    # encoding does, nothing shows that the file is in it.
    if damaged[0].line == 1 or len(damaged) > max(_SPORADIC * accented, 1) or len(damaged) == accented:
        looks = looks_like(path)
        hint = f"it looks like {looks}; declare encoding: {looks}" if looks else "find out its encoding"
        return Fault(path.name, f"is not {encoding} (line {damaged[0].line}); {hint}")
    rejects.extend(damaged)
    return target


def _decoded_lines(path: Path, codec: str) -> Iterator[tuple[str, bool]]:
    """Each line and whether all of it could be decoded; what could not is replaced by U+FFFD."""
    if codec.startswith(("utf-16", "utf-32")):
        # A line end is several bytes here: decode first, then split.
        with path.open(encoding=codec, errors="replace", newline="\n") as text:
            yield from ((line, "\ufffd" not in line) for line in text)
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield line.decode(codec), True
            except UnicodeDecodeError:
                yield line.decode(codec, errors="replace"), False


def looks_like(path: Path) -> str | None:
    """The most probable encoding of a file, or None when nothing fits."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Cut at a line end: half a character at the end would speak against the right encoding.
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(sample, cp_isolation=list(_LIKELY)).best() or from_bytes(sample).best()
    return best.encoding if best else None
