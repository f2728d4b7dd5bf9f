"""Secrets: a provider's keys, clients' keys and Redis' password, read from the variables and files that are named.

What is wrong with one is said with its place, never with its text. Clients' keys must be usable; a provider goes
without a key that is not, and so does the proxy without Redis.
"""

import grp
import os
import pwd
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import Problem
from core.exchange import ProviderKey
from core.redaction import SHORTEST, Redactor
from core.schema import ServerKey, Settings
from core.sections import SecretRef
from core.toml_lines import line_of

#: No secret is larger, in bytes.
MOST = 8192
#: A client's key with fewer characters may be guessed.
SHORT = 16


@dataclass(frozen=True)
class Secrets:
    """Provider keys, client keys and Redis' password. Never printed, never part of a snapshot."""

    providers: Mapping[str, tuple[ProviderKey, ...]] = field(default_factory=dict, repr=False)
    #: Secret to the name of its client.
    clients: Mapping[str, str] = field(default_factory=dict, repr=False)
    redis: str = field(default="", repr=False)
    #: For the admin plane; empty in a configuration that no proxy serves (`core.admin_token`).
    admin: str = field(default="", repr=False)

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Each of them."""
        providers = (key.secret for keys in self.providers.values() for key in keys)
        return tuple(filter(None, (*providers, *self.clients, self.redis, self.admin)))

    @cached_property
    def redactor(self) -> Redactor:
        """Knows all of them."""
        return Redactor(self.all)

    def in_bytes(self, data: bytes) -> bool:
        """Whether one of them, which is no mere word, stands there as it is."""
        return any(secret.encode() in data for secret in self.all if len(secret) >= SHORTEST)


def placed(ref: SecretRef, base: Path) -> Path | None:
    """The file of a secret, relative to `base`. A link is not followed yet: to lead it elsewhere is a rotation."""
    if ref.file is None:
        return None
    try:
        return base.absolute() / ref.file.expanduser()
    except RuntimeError:  # nobody has this name
        return base.absolute() / ref.file


def files_of(settings: Settings, base: Path) -> tuple[Path, ...]:
    """All files that hold secrets."""
    refs = [ref for key in settings.server.keys for ref in key.refs]
    refs += [ref for provider in settings.providers.values() for ref in provider.key_refs]
    refs += [ref for ref in (settings.redis.password, settings.server.admin_token) if ref]
    return tuple(path for ref in refs if (path := placed(ref, base)) is not None)


@dataclass
class Reader:
    """Reads the secrets of one configuration and collects what is wrong with them.

    `where` names the configuration in problems, `lines` are its lines (`toml_lines.key_lines`); `base` is its folder.
    """

    env: Mapping[str, str]
    base: Path
    where: str
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    #: Files that problems are about.
    awaited: list[Path] = field(default_factory=list)

    def read(self, settings: Settings, usual: Mapping[str, str]) -> Secrets:
        """Everything; `usual` are the variables of providers that name no key."""
        providers = {} if settings.simulated else self._providers(settings, usual)
        clients = self._clients(settings.server.keys)
        for name, keys in providers.items():
            for key in keys:
                if (client := clients.get(key.secret)) is not None:
                    told = f"server key {client!r} is also the key of provider {name!r}"
                    self._warn(("server", "keys"), told, "a client that has it can do without the proxy")
        for path in files_of(settings, self.base):
            self._judge_mode(path)
        admin = self._admin(settings.server.admin_token, clients)
        secrets = Secrets(providers, clients, self._redis(settings.redis.password), admin)
        self._look_for(secrets.redactor, settings.model_dump(mode="json"), ())
        return secrets

    def _look_for(self, known: Redactor, value: Any, place: tuple[str | int, ...]) -> None:
        """A key that stands in the configuration itself, where `config show`, logs and rules would see it."""
        if isinstance(value, dict):
            for name, below in value.items():
                self._look_for(known, str(name), (*place, "?"))
                self._look_for(known, below, (*place, name))
        elif isinstance(value, list):
            for number, below in enumerate(value):
                self._look_for(known, below, (*place, number))
        elif isinstance(value, str) and known.holds(value):
            where = known.text(".".join(map(str, place)))
            self.problems.append(self._problem(place, f"{where}: a key stands here", "write where it is, as { env = }"))

    def told(self, problems: list[Problem], secrets: Secrets) -> list[Problem]:
        """The problems without any secret that was written into a wrong place."""
        known = secrets.redactor
        return [replace(each, message=known.text(each.message), hint=known.text(each.hint)) for each in problems]

    def _clients(self, entries: Sequence[ServerKey]) -> dict[str, str]:
        found: dict[str, tuple[int, str]] = {}
        for number, entry in enumerate(entries):
            for position, ref in enumerate(entry.refs, 1):
                which = f"server key {entry.name!r}"
                which += f", secret {position} of {len(entry.refs)}," if len(entry.refs) > 1 else ""
                secret, why = self._secret(ref)
                if why := why or unusable_by_clients(secret):
                    self._refuse(("server", "keys", number), f"{which} cannot be used: {why}", ref)
                elif secret in found:
                    other, name = found[secret]
                    told = f"{which} is the same as server key {name!r}" + (" itself" if other == number else "")
                    self._refuse(("server", "keys", number), told, ref)
                else:
                    found[secret] = (number, entry.name)
                    if len(secret) < SHORT:
                        told = f"{which} has only {len(secret)} characters and may be guessed"
                        self._warn(("server", "keys", number), told, "head -c 24 /dev/urandom | base64 makes one")
        return {secret: name for secret, (_, name) in found.items()}

    def _providers(self, settings: Settings, usual: Mapping[str, str]) -> dict[str, tuple[ProviderKey, ...]]:
        found: dict[str, tuple[ProviderKey, ...]] = {}
        for name, provider in settings.providers.items():
            refs = provider.key_refs
            if not refs and self.env.get(usual.get(name, "")):
                refs = (SecretRef(env=usual[name]),)
            keys: dict[str, ProviderKey] = {}
            for position, ref in enumerate(refs, 1):
                secret, why = self._secret(ref)
                why = why or unusable_by_providers(secret)
                if not why and secret in keys:
                    why = f"it is the same as key {keys[secret].position}"
                if why:
                    which = f"has no key: {why}" if len(refs) == 1 else f"goes without its key {position}: {why}"
                    self._warn(("providers", name), f"provider {name!r} {which}")
                else:
                    keys[secret] = ProviderKey(position, secret)
            if keys:
                found[name] = tuple(keys.values())
        return found

    def _admin(self, ref: SecretRef | None, clients: Mapping[str, str]) -> str:
        """As strict as with clients' keys, and stricter: whoever has it may change what the proxy does."""
        if ref is None:
            return ""
        secret, why = self._secret(ref)
        why = why or unusable_by_clients(secret)
        if not why and secret in clients:
            why = f"it is the same as server key {clients[secret]!r}"
        if not why and len(secret) < SHORT:
            why = f"it has only {len(secret)} characters; head -c 32 /dev/urandom | base64 makes one"
        if why:
            self._refuse(("server", "admin_token"), f"server.admin_token cannot be used: {why}", ref)
        return "" if why else secret

    def _redis(self, ref: SecretRef | None) -> str:
        if ref is None:
            return ""
        secret, why = self._secret(ref)
        if why:
            self._warn(("redis", "password"), f"redis.password is empty: {why}")
        return secret

    def _secret(self, ref: SecretRef) -> tuple[str, str]:
        """The secret, or nothing and why there is none. White space around it is not part of it."""
        if ref.env is not None:
            secret = self.env.get(ref.env, "").strip()
            return secret, "" if secret else f"{_shown(ref.env, 'the variable')} is empty or not there"
        try:
            secret = _text_of(placed(ref, self.base) or Path())
        except OSError as exc:
            return "", f"{_shown(str(ref.file), 'the file')} cannot be read: {exc.strerror}"
        except ValueError as exc:  # no text, or a path that no system has
            why = "it holds no text" if isinstance(exc, UnicodeDecodeError) else str(exc)
            return "", f"{_shown(str(ref.file), 'the file')} cannot be used: {why}"
        return secret, "" if secret else f"{_shown(str(ref.file), 'the file')} is empty"

    def _judge_mode(self, path: Path) -> None:
        """Who can write a secret's file lets himself in, so nobody else may; who can read it is a warning: secrets that
        Docker and Kubernetes mount are readable by all.
        """
        try:
            info = path.stat()
        except (OSError, ValueError):
            return  # said already
        if others_may(info, stat.S_IWGRP, stat.S_IWOTH):
            self.problems.append(Problem(str(path), 0, "may be written by other users", f"run: chmod 600 {path}"))
            self.awaited.append(path)
        elif others_may(info, stat.S_IRGRP, stat.S_IROTH):
            problem = Problem(str(path), 0, "holds a secret and may be read by other users", f"run: chmod 600 {path}")
            self.warnings.append(problem)

    def _refuse(self, place: tuple[str | int, ...], message: str, ref: SecretRef) -> None:
        self.problems.append(self._problem(place, message))
        if (path := placed(ref, self.base)) is not None:
            self.awaited.append(path)

    def _warn(self, place: tuple[str | int, ...], message: str, hint: str = "") -> None:
        self.warnings.append(self._problem(place, message, hint))

    def _problem(self, place: tuple[str | int, ...], message: str, hint: str = "") -> Problem:
        return Problem(self.where, line_of(self.lines, place), message, hint)


def _shown(name: str, otherwise: str) -> str:
    return f"{otherwise} that is named there" if may_be_secret(name) else name


def may_be_secret(name: str) -> bool:
    """Whether what stands as a variable's or a file's name may be the secret itself: many write it there at first."""
    long = len(name) >= SHORT and not name.isupper() and not name.startswith(("/", "~", "."))
    return long and (any(map(str.isdigit, name)) or not name.isascii())


def _text_of(path: Path) -> str:
    """A small regular file's text; OSError, or ValueError for anything else."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would be waited for
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is no regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(MOST + 1)
    finally:
        os.close(handle)
    if len(data) > MOST:
        raise ValueError(f"it is larger than {MOST} bytes")
    return data.decode("utf-8-sig").strip()


def unusable_by_clients(secret: str) -> str:
    """Why no client can send this as its key; empty if it can. Clients may send any text that is one word."""
    if not secret.isprintable() or any(map(str.isspace, secret)):
        return "white space or control characters stand in it"
    return ""


def unusable_by_providers(secret: str) -> str:
    """Why this cannot serve as a provider's key; empty if it can."""
    if not (secret.isascii() and secret.isprintable()):
        return "its key is no line of plain ASCII, so no header can carry it"
    return ""


def others_may(info: os.stat_result, group: int, everybody: int) -> bool:
    """Whether others than a file's owner have these bits; a group that is the owner's own is nobody else."""
    return bool(info.st_mode & everybody) or bool(info.st_mode & group and not _private_group(info))


def _private_group(info: os.stat_result) -> bool:
    """Whether the file's group is its owner's own (as where the umask is 002), so that nobody else is in it."""
    try:
        return pwd.getpwuid(info.st_uid).pw_gid == info.st_gid and not grp.getgrgid(info.st_gid).gr_mem
    except KeyError:
        return False
