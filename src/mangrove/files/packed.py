"""Packed files that are not read: which tool unpacks them, by their first bytes."""

#: First bytes, what packed the file, and the command that unpacks it.
_FORMS = (
    (b"BZh", "bzip2", "bunzip2"),
    (b"PK\x03\x04", "zip", "unzip"),
    (b"\x1f\x9d", "compress (.Z)", "uncompress"),
    (b"\x1f\x8b", "gzip", "gunzip"),
    (b"\xfd7zXZ\x00", "xz", "unxz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b'\x04"M\x18', "lz4", "unlz4"),
    (b"LZIP", "lzip", "lzip -d"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
    (b"Rar!", "rar", "unrar x"),
)
#: Endings of names, for folders whose files need not be opened.
_ENDINGS = {
    ".tar": "tar xf",
    ".tar.gz": "tar xf",
    ".tgz": "tar xf",
    ".fz": "funpack",
    ".bz2": "bunzip2",
    ".zip": "unzip",
}
_ENDINGS |= {".z": "uncompress", ".xz": "unxz", ".zst": "unzstd", ".lz4": "unlz4", ".lz": "lzip -d", ".7z": "7z x"}
_ENDINGS |= {".rar": "unrar x"}
_TAR_MARK = slice(257, 262)

#: Bytes of a file's beginning that :func:`unpacking` wants to see.
N_FIRST = 512


def unpacking(first: bytes) -> str:
    """What to do with a packed file, a clause such as "packed by bzip2; unpack it with 'bunzip2'"; empty for others.

    Parameters
    ----------
    first : bytes
        The first :data:`N_FIRST` bytes of the file, or all of it.
    """
    if first[_TAR_MARK] == b"ustar":
        return "a tar archive; unpack it with 'tar xf' and give the file that it contains"
    for mark, form, tool in _FORMS:
        if first.startswith(mark):
            return f"compressed ({form}); unpack it with '{tool}'"
    return ""


def unpacking_tool(name: str) -> str:
    """The command that unpacks a file of this name; empty where the ending is that of no packed form."""
    return next((tool for ending, tool in _ENDINGS.items() if name.lower().endswith(ending)), "")
