"""Configuration files in YAML, read as strictly as mapping modules are: `NO` is a text here, and a key stands once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError, ModuleError
from gateway.mapping.document import ListNode, MapNode, Node, read


def read_yaml(path: Path) -> Any:
    """The content of `path` as plain dicts, lists and values.

    Raises:
        ConfigurationError: it cannot be read, or is not strict YAML; the message has the line.
    """
    try:
        return _plain(read(path.read_text(encoding="utf-8"), str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    except ModuleError as error:
        raise ConfigurationError(str(error)) from None


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _plain(value) for key, value in node.items.items()}
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    return node.value
