"""OpenML's client, as far as it is used: its requests, in a private folder, with every answer that is none said in words."""

import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from snnbench.errors import ConfigError, DataError

SERVER_VARIABLE = "SNNBENCH_OPENML"
"""The address of another server than OpenML's own."""
SERVER = "https://www.openml.org/api/v1/xml"

N_TRIES, FIRST_WAIT = 4, 2.0
"""How often a request is made that is answered by something else than OpenML, and the seconds before the second time."""

_KEY_CODES = (102, 103)
"""OpenML's errors of a key that is missing or wrong."""


def server_address() -> str:
    """Return the address of OpenML, or of the server that takes its place."""
    return os.environ.get(SERVER_VARIABLE, SERVER)


class Client:
    """The requests that are made, by the functions of OpenML's client that check answers and try again."""

    def __init__(self, calls: Any, config: Any, key: str = "") -> None:
        self._calls, self._config, self._key = calls, config, key

    def ask(self, call: str) -> str:
        """Return the XML that answers a call of the API."""
        return self._try(call, lambda: self._calls._perform_api_call(call, "get"), N_TRIES)

    def text(self, url: str, md5: str | None = None) -> str:
        """Return a text file, held to its MD5 if that is known."""
        if not re.match(r"https?://.", url):
            raise DataError(f"OpenML must give an address for a file, found '{url[:100]}'.")
        return self._try(url, lambda: self._calls._download_text_file(url, md5_checksum=md5), N_TRIES)

    def post(self, call: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, str]] | None = None) -> str:
        """Return the XML that answers what is sent with the user's key; files are names and texts.

        It is sent once: whether it arrived nobody knows if no answer comes, and what is sent twice may stand there twice.
        """

        def send() -> str:
            n_tries, policy = self._config.connection_n_retries, self._config.retry_policy
            self._config.apikey, self._config.connection_n_retries = self._key, 1
            try:
                return str(self._calls._perform_api_call(call, "post", dict(fields), dict(files) if files else None))
            finally:
                self._config.apikey = ""  # nothing that is read needs it, and there it would stand in addresses
                self._config.connection_n_retries, self._config.retry_policy = n_tries, policy

        return self._try(call, send, 1)

    def _try(self, what: str, request: Callable[[], str], n_tries: int) -> str:
        """Ask again where something between here and OpenML answered: the client takes a page of HTML for a broken promise."""
        from xml.parsers.expat import ExpatError

        from openml.exceptions import OpenMLNotAuthorizedError, PyOpenMLError
        from requests import RequestException

        for attempt in range(n_tries):
            try:
                return request()
            except PyOpenMLError as error:
                code, words = getattr(error, "code", None), self._words(error)
                if code in _KEY_CODES or isinstance(error, OpenMLNotAuthorizedError):
                    raise DataError(f"OpenML refuses the API key for {what}. Your account on openml.org shows it.") from None
                if code is not None:
                    raise DataError(f"OpenML answers {what} with error {code}: {words}.") from None
            except KeyError as error:
                words = f"something that is no answer of OpenML (no {error})"
            except (ExpatError, RequestException, OSError, ValueError, TypeError) as error:
                words = self._words(error) or type(error).__name__
            if attempt + 1 < n_tries:
                time.sleep(FIRST_WAIT * 2**attempt)
        tries = f"{n_tries} tries" if n_tries > 1 else "one try"
        raise DataError(f"OpenML must answer {what}, found after {tries}: {words}. Try again later.")

    def _words(self, error: Exception) -> str:
        words = " ".join(str(error).split())
        return (words.replace(self._key, "(key)") if self._key else words)[:300]


@contextmanager
def open_client(key: str = "") -> Iterator[Client]:
    """Yield OpenML's client, in a private folder: it must neither read nor write what lies in the user's own cache.

    The client unpickles what it finds in its cache, writes to the home folder when it is imported, and takes Parquet, which
    comes without a checksum, before ARFF.

    Args:
        key: The user's, sent with what is posted and with nothing else.

    Raises:
        ConfigError: If the key would be sent in the open.
    """
    address = urlsplit(server_address())
    if key and address.scheme != "https" and address.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(f"{SERVER_VARIABLE} must begin with https:// where a key is sent, found {server_address()}.")
    with tempfile.TemporaryDirectory(prefix="snnbench-openml-") as folder:
        private = {"XDG_CONFIG_HOME": folder, "OPENML_CACHE_DIR": folder, "OPENML_SKIP_PARQUET": "true"}
        before = {name: os.environ.get(name) for name in private}
        os.environ.update(private)
        root, handler = logging.getLogger(), logging.NullHandler()
        root.addFilter(_is_of_use)
        root.addHandler(handler)  # without any, the client's first message would set up logging for the whole process
        try:
            import openml
            from openml import _api_calls

            config = openml.config
            cache, server, own_key = config._root_cache_directory, config.server, config.apikey
            config.set_root_cache_directory(folder)
            config.server, config.apikey = server_address(), ""
            try:
                yield Client(_api_calls, config, key)
            finally:
                config.server, config.apikey = server, own_key
                config.set_root_cache_directory(cache)
        finally:
            root.removeHandler(handler)
            root.removeFilter(_is_of_use)
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _is_of_use(record: logging.LogRecord) -> bool:
    """Say whether a message of the client is for users: it warns of every answer that is not compressed."""
    return not str(record.msg).startswith("Received uncompressed")
