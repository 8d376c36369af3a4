"""A private file put in another's place, whole or not at all, while others read it."""

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Put `content` where `path` is: on disk before it is seen, for its owner only, and who owned it still does."""
    fresh = path.with_name(f".{path.name}.new")  # always the same name, so that none is left behind with a secret in it
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)
        if path.exists() and (owner := path.stat()).st_uid != os.geteuid():
            os.fchown(handle, owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(handle)
    os.replace(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
