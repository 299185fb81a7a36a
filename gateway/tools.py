"""What messages are read with and attempts at deliveries made; the gateway and each of its helpers has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.applications import Applications
from gateway.catalogue import Catalogue
from gateway.delivery.channels.webhook import Webhook, tls_context
from gateway.delivery.render import Renderer
from gateway.delivery.retrieval import Find, Retriever
from gateway.delivery.sender import Sender
from gateway.errors import Issue
from gateway.events import Event
from gateway.faces.mns.test_signal import PATH as TEST_PATH
from gateway.faces.nems.reading import NemsReader, Publication
from gateway.mapping.tools.reload import Reloader
from gateway.outbound import Fetcher
from gateway.reader import Reader
from gateway.settings import Settings
from gateway.sources import Source


class Tools:
    """Makes them, as the settings say.

    Raises:
        ConfigurationError: a file of the webhooks' TLS holds no certificate or key, or they do not go together.
    """

    def __init__(
        self, settings: Settings, catalogue: Catalogue, reloader: Reloader, applications: Applications,
        sources: Sequence[Source],
    ) -> None:  # fmt: skip
        self._settings, self._catalogue, self._sources = settings, catalogue, sources
        self.reloader, self.applications = reloader, applications
        self._reader = NemsReader(Reader(reloader.modules, settings.http.base_url), catalogue)
        self._loopback: Final = settings.security.mode == "open"
        self._tls = tls_context(settings.webhook.ca_file, settings.webhook.cert_file, settings.webhook.key_file)

    def fetcher(self, seconds: float, max_bytes: int) -> Fetcher:
        """What fetches documents of at most so many bytes, within so many seconds."""
        return Fetcher(seconds, max_bytes, loopback=self._loopback)

    def renderer(self, instance: int) -> Renderer:
        """What maps out; `instance` is the store's own number."""
        settings = self._settings
        return Renderer(
            self.reloader.modules, self._catalogue, settings.http.base_url, instance, settings.mns.base_path
        )

    def retriever(self, find: Find, renderer: Renderer) -> Retriever:
        """What fetches for `renderer` what events point to; `find` gives a subscription by its id."""
        settings = self._settings
        retrieval = settings.retrieval
        # What the test signal points to is the gateway's own.
        mns = settings.http.base_url + settings.mns.base_path
        own = Source(url=f"{mns}{TEST_PATH.rpartition('/')[0]}/", hydrate=True)
        fetcher = self.fetcher(retrieval.seconds, retrieval.max_bytes)
        return Retriever([*self._sources, own], fetcher, find, renderer.inputs)

    def webhook(self, find: Find) -> Webhook:
        """The rest-hook channel; `find` gives a subscription by its id."""
        return Webhook(self._settings.delivery.webhook_seconds, loopback=self._loopback, find=find, tls=self._tls)

    def read(self, publication: Publication) -> tuple[Event, Sequence[Issue]]:
        """The event that a NEMS message tells of, and what its publisher is told of its type.

        Raises:
            Refusal: the message cannot be taken.
        """
        return self._reader.read_now(publication)

    def follow(self, mark: bytes) -> bool:
        """Load the mapping modules that `mark` stands for; whether they are there."""
        return self.reloader.follow(mark)

    def attempting(self, instance: int, find: Find) -> Sender:
        """What makes attempts at webhooks, in a helper: whether a subscription is gone was asked before."""
        renderer = self.renderer(instance)
        return Sender({"rest-hook": self.webhook(find)}, renderer, instance, _never, self.retriever(find, renderer))


async def _never(_subscription_id: str) -> bool:
    return False
