"""The service: its parts, joined."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import Sequence
from pathlib import Path

import structlog

from gateway import applications as parties
from gateway import catalogue as event_catalogue
from gateway import metrics, retention, sources
from gateway.applications import Applications
from gateway.delivery.alarm import Alarm
from gateway.delivery.channels.base import Channel
from gateway.delivery.dispatcher import Dispatcher
from gateway.delivery.endpoints import Endpoints
from gateway.delivery.notices import BEAT_SECONDS, GREET_SECONDS, Notices
from gateway.delivery.retry import RetryPolicies
from gateway.delivery.sender import Sender
from gateway.delivery.topics import Topics
from gateway.errors import ConfigurationError
from gateway.faces.authenticate import Authenticator
from gateway.faces.certificate import Certificates
from gateway.faces.mesh_inbox import MeshInbox
from gateway.faces.mns.acknowledgement import Acknowledgements
from gateway.faces.mns.criteria import Extensions
from gateway.faces.mns.test_signal import TestSignal
from gateway.faces.nems import jwt
from gateway.faces.nems.identity import Identity
from gateway.faces.nems.reading import NemsReader
from gateway.faces.nems.subscription import Limits as NemsLimits
from gateway.faces.oauth.assertion import Assertions
from gateway.faces.oauth.bearer import Bearer
from gateway.faces.oauth.endpoint import PATH as TOKEN_PATH
from gateway.faces.oauth.endpoint import TokenEndpoint
from gateway.faces.oauth.keys import KeySets
from gateway.faces.oauth.quota import Quota
from gateway.faces.oauth.tokens import Tokens
from gateway.faces.parts import Parts
from gateway.faces.r4.gaps import FETCH_BYTES, FETCH_SECONDS, Gaps
from gateway.faces.r4.incoming import Incoming
from gateway.faces.r4.request import Limits
from gateway.helper.helper import Helper
from gateway.helper.helpers import HelpedReading, HelpedSender
from gateway.helper.maker import Maker
from gateway.intake import Intake
from gateway.mapping.tools.reload import Reloader
from gateway.mesh_link import MeshLink
from gateway.reference.keeper import Keeper
from gateway.resources import folder
from gateway.schedule import Job, Schedule
from gateway.sealing import Sealer
from gateway.settings import Settings
from gateway.store import chosen
from gateway.subscriptions.book import Book
from gateway.subscriptions.index import Index
from gateway.subscriptions.subscription import Kind, Terms
from gateway.tools import Tools

log = structlog.get_logger()
TEST_LOOK_SECONDS = 10.0
"""How often at least it is looked whether a test signal is due."""
KEY_SET_SECONDS = 5.0
KEY_SET_BYTES = 65_536
"""How long an application's key set may take to come, and how large it may be."""


class Gateway:
    """The gateway of one process. What can be wrong in its configuration is found out when it is made.

    One that `only_delivers` has no faces, and leaves to the others what is done by one node among all.

    Raises:
        ConfigurationError: the catalogue, the applications file, a mapping module or the MESH settings are wrong.
    """

    def __init__(self, settings: Settings, *, only_delivers: bool = False) -> None:
        if only_delivers and not settings.store.many_nodes:
            raise ConfigurationError("gateway work is for PostgreSQL: a SQLite store has one process, gateway serve")
        self.settings, self.only_delivers = settings, only_delivers
        self.catalogue = event_catalogue.layered(settings.event_types)
        own = settings.mapping.folder
        self.reloader = Reloader({one.id for one in self.catalogue}, folder("mappings"), Path(own) if own else None)
        self.modules = self.reloader.modules
        self.applications = (
            parties.load(Path(settings.applications), self.catalogue) if settings.applications else Applications()
        )
        own_sources = sources.load(Path(settings.retrieval.sources)) if settings.retrieval.sources else ()
        self.tools = Tools(settings, self.catalogue, self.reloader, self.applications, own_sources)
        self.maker: Maker | None = None
        self.helpers: Sequence[Helper] = ()
        retention.check(settings.retention, self.catalogue)
        self.mesh = MeshLink(settings.mesh) if settings.mesh.url else None
        self.store = chosen.store(settings.store)
        self._eraser = retention.Eraser(self.store, settings.retention)
        self.index = Index()
        self.keeper = Keeper(self.store, self.index.reference)
        self.sealer = Sealer([key.get_secret_value() for key in settings.security.secret_keys])
        self.book = Book(self.store, self.index, self._still_allowed, self.sealer)
        self.identity = _identity(settings, self.applications)

    async def start(self) -> None:
        """Open the store, load the subscriptions, and begin to deliver and to collect."""
        settings = self.settings
        await self.store.open()
        await self.book.load()
        self.store.hear_of_changes(self.book.follow)
        await self.keeper.refresh()
        await self._make_callers_known()
        if self.maker:
            patience = settings.delivery.lease_seconds / 4
            self.helpers = [Helper(self.maker, patience) for _ in range(settings.helpers)]
        self._make_dispatcher()
        self.intake = Intake(
            store=self.store,
            catalogue=self.catalogue,
            modules=self.modules,
            book=self.book,
            outbox=self.dispatcher,
            base_url=settings.http.base_url,
        )
        self.incoming = Incoming(self.intake, self.catalogue)
        self.acknowledgements = Acknowledgements(self.intake, self.book)
        self.event_fetcher = self.tools.fetcher(FETCH_SECONDS, FETCH_BYTES)
        self._watch_subscriptions()
        jobs = [job for job in self._jobs() if not (job.alone and self.only_delivers)]
        self.schedule = Schedule(jobs, self.store.take_turn)
        self.schedule.start()
        self._reloading = asyncio.create_task(self._reload(), name="reload")
        bring_along = self.reloader.bring_along
        await asyncio.gather(*(helper.start(self.store.instance, bring_along) for helper in self.helpers))
        metrics.helpers(lambda: sum(one.is_there for one in self.helpers), lambda: [one.pid for one in self.helpers])
        await self.dispatcher.start()
        # What start-up made lives as long as the process, and messages hold no cycles: the collector need seldom look.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        if not settings.security.secret_keys:
            log.warning("secrets-unsealed", setting="security.secret_keys")
        log.info("start", mode=settings.security.mode, subscriptions=len(self.index), mesh=bool(self.mesh))

    async def _reload(self) -> None:
        self.reloader.followers = self.helpers
        if seconds := self.settings.mapping.reload_seconds:
            await self.reloader.run(seconds)

    async def _make_callers_known(self) -> None:
        settings = self.settings
        self.fetcher = self.tools.fetcher(KEY_SET_SECONDS, KEY_SET_BYTES)
        keys = KeySets(self.applications, self.fetcher)
        quota = Quota(settings.oauth.quota_per_minute)
        tokens = Tokens(await self.store.secret("tokens", secrets.token_bytes(32)))
        self.bearer = Bearer(settings.security.mode, self.applications, tokens, quota)
        assertions = Assertions(self.applications, keys, self.store, [settings.http.base_url + TOKEN_PATH])
        self.token_endpoint = TokenEndpoint(assertions, tokens, quota)

    def _make_dispatcher(self) -> None:
        settings = self.settings
        self.channels = self._channels()
        self.renderer = self.tools.renderer(self.store.instance)
        self.retriever = self.tools.retriever(self.book.find, self.renderer)
        sender = Sender(self.channels, self.renderer, self.store.instance, self.book.is_gone, self.retriever)
        policies = RetryPolicies(settings.delivery, self.book.held)
        self.dispatcher = Dispatcher(
            self.store,
            HelpedSender(sender, self.helpers, self.book.find),
            Endpoints(self.store, self.book, settings.delivery, policies),
            policies,
            settings.delivery,
            settings.longest_attempt_seconds,
        )

    def _watch_subscriptions(self) -> None:
        topics = Topics(self.catalogue, self.settings.http.base_url)
        self.notices = Notices(self.store, self.book, self.channels["rest-hook"], topics)
        self.book.watchers.append(self.notices.watch)
        self.alarm = self._alarm()
        if self.alarm:
            self.book.watchers.append(self.alarm.watch)

    async def stop(self) -> None:
        """Finish what is under way, within the set time, and give the rest back to the store."""
        self._reloading.cancel()
        if self.mesh:
            self.mesh.stop()
        await asyncio.gather(self.schedule.stop(self.settings.delivery.shutdown_seconds), self.dispatcher.stop())
        await self.notices.stop()
        if self.alarm:
            await self.alarm.stop()
        await asyncio.gather(*(helper.stop() for helper in self.helpers))
        for channel in self.channels.values():
            await channel.close()
        if self.mesh:
            await self.mesh.close()
        await self.retriever.close()
        await self.fetcher.close()
        await self.event_fetcher.close()
        await self.store.close()
        if self.maker:
            self.maker.stop()
        log.info("stop")

    def parts(self) -> Parts:
        """What the faces are made of."""
        mns = self.settings.mns
        return Parts(
            intake=self.intake,
            reading=HelpedReading(NemsReader(self.intake, self.catalogue), self.helpers),
            book=self.book,
            catalogue=self.catalogue,
            identity=self.identity,
            nems_limits=NemsLimits(
                mesh=self.mesh is not None,
                every_patient=self.settings.nems.every_patient,
                max_body_bytes=self.settings.http.max_body_bytes,
            ),
            repeat_seconds=self.settings.nems.repeat_seconds,
            bearer=self.bearer,
            token_endpoint=self.token_endpoint,
            base_url=self.settings.http.base_url,
            max_body_bytes=self.settings.http.max_body_bytes,
            max_in_flight_bytes=self.settings.http.max_in_flight_bytes,
            mns_path=mns.base_path,
            mns_extensions=Extensions(mns.operators, mns.rest_hook, mns.enrichment),
            greeter=self.notices,
            renderer=self.renderer,
            limits=Limits(
                loopback=self.settings.security.mode == "open",
                mesh=self.mesh is not None,
                heartbeat_min=self.settings.r4.heartbeat_min_seconds,
                timeout_max=self.settings.r4.timeout_max_seconds,
                secret_overlap=self.settings.webhook.secret_overlap_seconds,
            ),
            incoming=self.incoming,
            acknowledgements=self.acknowledgements,
            applications=self.applications,
        )

    async def checks(self) -> dict[str, str]:
        """How the store, its migrations and MESH are: `ok`, or what is wrong."""
        return await self.store.check() | {"mesh": self.mesh.state if self.mesh else "not set up"}

    def _still_allowed(self, terms: Terms, kind: Kind) -> bool:
        """Whether the application of kept subscriptions may still have them; in open mode every caller may."""
        return self.settings.security.mode == "open" or self.applications.allow(terms, kind)

    @property
    def _mns_url(self) -> str:
        return self.settings.http.base_url + self.settings.mns.base_path

    def _alarm(self) -> Alarm | None:
        webhook = self.settings.webhook
        return Alarm(webhook.operator_url, webhook.operator_secret.get_secret_value()) if webhook.operator_url else None

    def _channels(self) -> dict[str, Channel]:
        channels: dict[str, Channel] = {"rest-hook": self.tools.webhook(self.book.find)}
        if self.mesh:
            channels["mesh"] = self.mesh.channel(self.catalogue)
        return channels

    async def _erase(self) -> None:
        if events := await self._eraser.run():
            log.info("erase", events=events)

    def _test_signal_jobs(self) -> list[Job]:
        seconds = self.settings.mns.test_signal_seconds
        if not seconds:
            return []
        signal = TestSignal(self.intake, self.catalogue, self._mns_url, seconds)
        return [Job("test-signal", min(seconds / 10, TEST_LOOK_SECONDS), signal.publish, alone=True)]

    def _jobs(self) -> list[Job]:
        patience = self.settings.r4.gap_seconds
        gaps = Gaps(self.store, self.incoming, self.applications, self.event_fetcher, patience)
        jobs = [
            Job("reference", self.settings.reference.reload_seconds, self.keeper.refresh),
            Job("heartbeats", BEAT_SECONDS, self.notices.beat),
            Job("retention", retention.RUN_SECONDS, self._erase, alone=True),
            *self._test_signal_jobs(),
            Job("handshakes", GREET_SECONDS, self.notices.greet_waiting, alone=True),
            Job("gaps", patience / 2, gaps.fill, alone=True),
        ]
        if self.mesh is None:
            return jobs
        mode = self.settings.security.mode
        inbox = MeshInbox(self.intake, self.applications, mode, self.incoming, self.acknowledgements)
        return [*jobs, *self.mesh.jobs(inbox, self.store)]


def _identity(settings: Settings, applications: Applications) -> Identity:
    security, nems = settings.security, settings.nems
    if security.client_certificates == "none" and any(one.certificates for one in applications):
        raise ConfigurationError(
            f"{settings.applications}: applications have certificates, but security.client_certificates is none"
        )
    certificates = Certificates(security.client_certificates, security.proxy_header, security.proxy_addresses)
    authenticator = Authenticator(security.mode, applications, certificates)
    return Identity(authenticator, nems.asid, jwt.Rules(nems.jwt_check_clock, nems.jwt_leeway_seconds))
