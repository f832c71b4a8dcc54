"""Settings: the only module that reads the environment.

Each value comes from the first of these places that has it:

1. the argument that a program passes,
2. an environment variable (``KIST_AUTHOR``, ``KIST_REPO``, ``KIST_CONTEXT``,
   ``KIST_CACHE_DIR``, ``KIST_TEMP_DIR``),
3. the project: ``config.toml`` in the nearest ``.kist`` directory upwards, and for the
   repository that directory itself,
4. the user's ``config.toml`` (in the place that the system keeps for it, or where
   ``KIST_CONFIG`` says),
5. a default.

A file looks like this; trust is the user's own and never read from a project::

    author = "Ann Example <ann@example.org>"
    repository = "s3://bucket/team"
    context = "main"
    cache_dir = "/scratch/ann/kist"
    temp_dir = "/scratch/ann/tmp"

    [trust."0123456789abcdef0123456789abcdef"]
    authors = ["Bob Example <bob@example.org>"]      # "*" is everybody

Secrets are never kept in files: an unknown key, or an address with a password in it,
is refused.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kist.errors import ConfigError, InvalidInputError, PermissionDeniedError, did_you_mean, quote

__all__ = [
    "CONFIG_NAME",
    "DEFAULT_CONTEXT",
    "PROJECT_DIR",
    "Origin",
    "Scope",
    "Settings",
    "Trust",
    "config_path",
    "find_author",
    "find_project_dir",
    "find_repository_upwards",
    "load_settings",
    "set_value",
    "unset_value",
    "user_cache_dir",
    "user_config_path",
    "user_repository_path",
]

Scope: TypeAlias = Literal["user", "project"]
"""Which of the two files: the user's, or that of the project around a directory."""

PROJECT_DIR = ".kist"
CONFIG_NAME = "config.toml"
DEFAULT_CONTEXT = "main"

_VARIABLES = {
    "author": "KIST_AUTHOR",
    "repository": "KIST_REPO",
    "context": "KIST_CONTEXT",
    "cache_dir": "KIST_CACHE_DIR",
    "temp_dir": "KIST_TEMP_DIR",
}
_PATH_KEYS = ("cache_dir", "temp_dir")
_REPOSITORY_FILE = "kist.json"
_USER_FILE_VARIABLE = "KIST_CONFIG"
_MAX_AUTHOR_BYTES = 512
_AUTHOR_HINT = "Write one line of text, such as 'Ann Example <ann@example.org>'."
_GIT_TIMEOUT_S = 2.0
_SECRET_WORD = re.compile(
    r"secret|passw|token|credential|(access|account|api|private)_?key", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*:[^/?#]+@")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a setting comes from.

    Parameters
    ----------
    source : {"argument", "environment", "project", "user", "default"}
        The kind of place.
    place : str
        The variable, or the file (with line) or directory; empty otherwise.

    Examples
    --------
    >>> str(Origin("environment", "KIST_REPO"))
    'environment KIST_REPO'
    """

    source: Literal["argument", "environment", "project", "user", "default"]
    place: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.place}".rstrip()


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose code this user lets run when data of one repository is read.

    Parameters
    ----------
    authors : tuple of str
        Authors as the log names them; ``"*"`` is everybody.
    """

    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, and where each one comes from.

    Parameters
    ----------
    author : str or None
        Who writes, as configured; `find_author` asks Git and the system too.
    repository : str
        A URL or an absolute directory.
    context : str
        The context that selectors without one mean.
    cache_dir : Path
        Where copies of chunks and the local index are kept.
    temp_dir : Path or None
        Where temporary files are made; None is the system's place.
    trust : mapping of str to Trust
        By repository id.
    origins : mapping of str to Origin
        By the name of the setting.
    """

    author: str | None
    repository: str
    context: str
    cache_dir: Path
    temp_dir: Path | None = None
    trust: Mapping[str, Trust] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def is_trusted(self, repository_id: str, author: str) -> bool:
        """Whether the user's configuration trusts an author of a repository."""
        trust = self.trust.get(repository_id)
        return trust is not None and ("*" in trust.authors or author in trust.authors)


@dataclass(frozen=True, slots=True)
class _ConfigFile:
    """What one file says, checked; lines by key."""

    path: Path
    values: Mapping[str, str] = field(default_factory=dict)
    trust: Mapping[str, Trust] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


def load_settings(
    *,
    start: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    user_file: Path | None = None,
    **arguments: str | os.PathLike[str] | None,
) -> Settings:
    """Return the settings in force.

    Parameters
    ----------
    start : path, optional
        The directory whose project counts; the current one by default.
    environment : mapping, optional
        Instead of the variables of this process.
    user_file : Path, optional
        Instead of the user's own file.
    **arguments : str, path or None
        Values that a program was given, by setting; None counts as not given.

    Raises
    ------
    ConfigError
        For a file that is no TOML, or that has an unknown key or a wrong value.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, str] = {}
    origins: dict[str, Origin] = {}
    for key, value in arguments.items():
        _check_key(key)
        if value is not None:
            values[key], origins[key] = os.fspath(value), Origin("argument")
    for key, variable in _VARIABLES.items():
        if key not in values and (text := environment.get(variable)):
            values[key], origins[key] = text, Origin("environment", variable)
    project_dir = find_project_dir(start)
    if project_dir is not None:
        _add_file(_read_config(project_dir / CONFIG_NAME, "project"), "project", values, origins)
    if "repository" not in values and (repository := find_repository_upwards(start)):
        values["repository"] = str(repository)
        origins["repository"] = Origin("project", str(repository))
    user = _read_config(user_file or user_config_path(environment), "user")
    _add_file(user, "user", values, origins)
    return _make_settings(values, user.trust, origins)


def find_project_dir(start: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the nearest ``.kist`` directory, from a directory upwards, or None."""
    return next((path for path in _project_dirs(start) if os.path.isdir(path)), None)


def find_repository_upwards(start: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the nearest ``.kist`` directory that is a repository, or None.

    A ``.kist`` directory with a configuration file alone is passed over.
    """
    paths = _project_dirs(start)
    return next((path for path in paths if os.path.isfile(path / _REPOSITORY_FILE)), None)


def user_config_path(environment: Mapping[str, str] | None = None) -> Path:
    """Return the user's configuration file, whether it exists or not."""
    environment = os.environ if environment is None else environment
    if text := environment.get(_USER_FILE_VARIABLE):
        return Path(text).expanduser()
    import platformdirs

    return platformdirs.user_config_path("kist", appauthor=False) / CONFIG_NAME


def user_repository_path() -> Path:
    """Return the directory of the user's own repository, whether it exists or not."""
    import platformdirs

    return platformdirs.user_data_path("kist", appauthor=False) / "repository"


def user_cache_dir() -> Path:
    """Return the cache directory that is used when none is configured."""
    import platformdirs

    return platformdirs.user_cache_path("kist", appauthor=False)


def config_path(
    scope: Scope,
    *,
    start: str | os.PathLike[str] | None = None,
    user_file: Path | None = None,
) -> Path:
    """Return the file of a scope, whether it exists or not.

    For a project it is in the nearest ``.kist`` directory upwards; without one, in a
    new one inside `start`.
    """
    if scope == "user":
        return user_file or user_config_path()
    project_dir = find_project_dir(start) or Path(start or Path.cwd()) / PROJECT_DIR
    return project_dir / CONFIG_NAME


def set_value(
    scope: Scope,
    key: str,
    value: str | Sequence[str],
    *,
    start: str | os.PathLike[str] | None = None,
    user_file: Path | None = None,
) -> Path:
    """Set one value in a configuration file and return its path.

    Comments and order of the file are kept. The file is replaced as a whole, after its
    new content has been checked; a wrong value changes nothing.

    Parameters
    ----------
    scope : {"user", "project"}
        Which file.
    key : str
        The setting, or ``trust.<repository id>.authors``.
    value : str or sequence of str
        Its value; authors are a sequence, or one author.
    start, user_file
        As for `config_path`.
    """
    path = config_path(scope, start=start, user_file=user_file)
    document = _read_document(path)
    names = _split_key(key)
    if names[0] == "trust" and len(names) != 3:
        raise _key_error(key)
    table = document
    for name in names[:-1]:
        table = table.setdefault(name, {})
    single = isinstance(value, str)
    table[names[-1]] = [value] if single and names[0] == "trust" else value
    _write_document(path, document, scope)
    return path


def unset_value(
    scope: Scope,
    key: str,
    *,
    start: str | os.PathLike[str] | None = None,
    user_file: Path | None = None,
) -> bool:
    """Remove one value from a configuration file; False if it was not there.

    ``trust.<repository id>``, with or without ``.authors``, removes all trust in a
    repository.
    """
    path = config_path(scope, start=start, user_file=user_file)
    document = _read_document(path)
    table = document
    *names, last = _split_key(key)[:2]
    for name in names:
        table = table.get(name, {})
    if last not in table:
        return False
    del table[last]
    _write_document(path, document, scope)
    return True


def find_author(argument: str | None = None, settings: Settings | None = None) -> str:
    """Return who writes: as ``Name <email>`` where Git knows it.

    The argument counts first, then the configuration (``KIST_AUTHOR`` included), Git,
    and the login name. Git is a process of its own, so ask once and keep the answer.

    Examples
    --------
    >>> find_author("Ann Example <ann@example.org>")
    'Ann Example <ann@example.org>'
    """
    if argument is not None:
        if problem := _author_problem(argument):
            message = f"author {quote(argument)} {problem}"
            raise InvalidInputError(
                message, hint=_AUTHOR_HINT, kind="author_invalid", value=argument
            )
        return argument
    if settings is None:
        settings = load_settings()
    return settings.author or _find_git_author() or _login_name()


def _add_file(
    file: _ConfigFile, scope: Scope, values: dict[str, str], origins: dict[str, Origin]
) -> None:
    """Add what a file says and no earlier place has said."""
    for key, text in file.values.items():
        if key not in values:
            values[key] = text
            origins[key] = Origin(scope, f"{file.path}:{file.lines[key]}")


def _make_settings(
    values: Mapping[str, str], trust: Mapping[str, Trust], origins: dict[str, Origin]
) -> Settings:
    """Fill in the defaults and turn texts into paths."""
    for key in _VARIABLES:
        origins.setdefault(key, Origin("default"))
    author = values.get("author")
    if author is not None:
        _check_author(author, f" ({origins['author']})")
    cache_dir, temp_dir = values.get("cache_dir"), values.get("temp_dir")
    repository = values.get("repository")
    return Settings(
        author=author,
        repository=_resolve_place(repository) if repository else str(user_repository_path()),
        context=values.get("context", DEFAULT_CONTEXT),
        cache_dir=Path(_resolve_place(cache_dir)) if cache_dir else user_cache_dir(),
        temp_dir=Path(_resolve_place(temp_dir)) if temp_dir else None,
        trust=trust,
        origins=origins,
    )


def _project_dirs(start: str | os.PathLike[str] | None) -> list[Path]:
    """Return where ``.kist`` may be, the nearest first."""
    try:
        directory = Path(os.path.abspath(start or Path.cwd()))
    except FileNotFoundError:
        return []
    return [parent / PROJECT_DIR for parent in (directory, *directory.parents)]


def _resolve_place(text: str, base: Path | None = None) -> str:
    """Return a URL as it is, and a directory as an absolute one."""
    if _URL.match(text):
        return text
    return os.path.abspath((base or Path()) / Path(text).expanduser())


def _read_config(path: Path, scope: Scope) -> _ConfigFile:
    """Read and check a file; one that does not exist says nothing."""
    text = _read_text(path)
    return _ConfigFile(path) if text is None else _parse_config(text, path, scope)


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text",
            hint="Save the file as UTF-8.",
            kind="config_syntax",
            path=path,
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            hint="Correct its permissions, or remove it.",
            kind="config_unreadable",
            path=path,
        ) from error


def _parse_config(text: str, path: Path, scope: Scope) -> _ConfigFile:
    """Check the text of a file; the path is only for messages and relative places."""
    import tomllib

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise ConfigError(
            f"{path}, line {line}: {error}",
            hint='Correct this line; texts need quotes, as in context = "main".',
            kind="config_syntax",
            path=path,
            line=line,
        ) from error
    lines = {key: _find_line(text, key) for key in content}
    values: dict[str, str] = {}
    trust: dict[str, Trust] = {}
    for key, value in content.items():
        try:
            if key == "trust":
                trust = _check_trust(value, scope)
            else:
                _check_key(key)
                values[key] = _check_value(key, value, path.parent, scope)
        except ConfigError as error:
            fields = {**error.fields, "path": path, "line": lines[key]}
            message = f"{path}, line {lines[key]}: {error}"
            raise ConfigError(message, hint=error.hint, kind=error.kind, **fields) from None
    return _ConfigFile(path, values, trust, lines)


def _check_key(key: str) -> None:
    if key not in _VARIABLES:
        raise _key_error(key)


def _key_error(key: str) -> ConfigError:
    if _SECRET_WORD.search(key):
        hint = "Secrets are never kept in files: pass store_options= or set the store's variable."
        return ConfigError(f"{quote(key)} is a secret", hint=hint, kind="config_secret", key=key)
    known = [*_VARIABLES, "trust.<repository id>.authors"]
    hint = did_you_mean(key, known) or f"The settings are {', '.join(known)}."
    message = f"there is no setting {quote(key)}"
    return ConfigError(message, hint=hint, kind="config_key_unknown", key=key)


def _check_value(key: str, value: object, base: Path, scope: Scope) -> str:
    """Return a value of a file; relative directories are relative to the file's project."""
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"{key} must be text, not {value!r}",
            hint=f'Write {key} = "..." with quotes.',
            kind="config_value_invalid",
            key=key,
        )
    if key == "author":
        _check_author(value)
    if key == "repository" and (_PASSWORD_IN_URL.match(value) or _has_secret_parameter(value)):
        hint = "Secrets are never kept in files: take it out, and set KIST_REPO or store_options=."
        message = "the address of the repository has a secret in it"
        raise ConfigError(message, hint=hint, kind="config_secret", key=key)
    if key == "repository" or key in _PATH_KEYS:
        return _resolve_place(value, base.parent if scope == "project" else base)
    return value


def _has_secret_parameter(url: str) -> bool:
    parameters = url.partition("?")[2].split("&")
    return any(_SECRET_WORD.search(one.partition("=")[0]) for one in parameters)


def _check_trust(value: object, scope: Scope) -> dict[str, Trust]:
    if scope == "project":
        raise ConfigError(
            "a project cannot grant trust",
            hint=f"Move the table into your own file, {user_config_path()}.",
            kind="config_trust",
        )
    trust: dict[str, Trust] = {}
    for repository_id, table in value.items() if isinstance(value, dict) else [("", None)]:
        authors = table.get("authors") if isinstance(table, dict) and len(table) == 1 else None
        if not isinstance(authors, list) or not all(isinstance(one, str) for one in authors):
            raise ConfigError(
                "trust is not a table of repositories, each with a list of authors",
                hint='Write [trust."<repository id>"] and under it authors = ["..."].',
                kind="config_value_invalid",
                key="trust",
            )
        trust[repository_id] = Trust(tuple(authors))
    return trust


def _find_line(text: str, key: str) -> int:
    """Return the number of the line where a key of the outermost level stands."""
    pattern = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    for number, line in enumerate(text.splitlines(), start=1):
        if pattern.match(line):
            return number
    return 1


def _split_key(key: str) -> list[str]:
    """Split ``trust.<id>.authors``, whose id has no dots; other keys are one word."""
    names = key.split(".")
    is_trust = names[0] == "trust" and len(names) in {2, 3} and names[2:] in ([], ["authors"])
    if not is_trust:
        _check_key(key)
    return names


def _read_document(path: Path) -> Any:
    """Read a file so that it can be changed; tomlkit keeps comments and order."""
    import tomlkit
    from tomlkit.exceptions import ParseError

    text = _read_text(path) or ""
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise ConfigError(
            f"{path}, line {error.line}: {error}",
            hint="Correct this line first.",
            kind="config_syntax",
            path=path,
            line=error.line,
        ) from error


def _write_document(path: Path, document: Any, scope: Scope) -> None:
    """Check a changed document and write it."""
    import tomlkit

    text = tomlkit.dumps(document)
    _parse_config(text, path, scope)
    try:
        _replace_file(Path(os.path.realpath(path)), text)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        if isinstance(error, PermissionError):
            hint = "Correct the permissions of the file and its directory."
            raise PermissionDeniedError(message, hint=hint, path=path) from error
        hint = "Make room, or choose another file with KIST_CONFIG."
        raise ConfigError(message, hint=hint, kind="config_unwritable", path=path) from error


def _replace_file(path: Path, text: str) -> None:
    """Write a file in one step: others see the old content or the new one."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _check_author(author: str, place: str = "") -> None:
    if problem := _author_problem(author):
        message = f"author {quote(author)} {problem}{place}"
        raise ConfigError(message, hint=_AUTHOR_HINT, kind="config_value_invalid", key="author")


def _author_problem(author: str) -> str | None:
    if not author.strip():
        return "is empty"
    if not author.isprintable():
        return "has control characters"
    if len(author.encode()) > _MAX_AUTHOR_BYTES:
        return f"has more than {_MAX_AUTHOR_BYTES} bytes"
    return None


def _find_git_author() -> str | None:
    """Ask Git who its user is; None where Git is missing, slow or does not know."""
    import subprocess

    command = ["git", "config", "--null", "--get-regexp", r"^user\.(name|email)$"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    pairs = (line.partition("\n") for line in done.stdout.decode(errors="replace").split("\0"))
    values = {name.lower(): value.strip() for name, _, value in pairs}
    name, email = values.get("user.name"), values.get("user.email")
    author = f"{name} <{email}>" if name and email else name or email
    return author if author and _author_problem(author) is None else None


def _login_name() -> str:
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
    return name if _author_problem(name) is None else "unknown"
