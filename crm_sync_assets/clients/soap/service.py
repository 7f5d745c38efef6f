"""One SOAP service: its operations as its WSDL has them."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from crm_sync_assets.clients.answers import Params
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.clients.soap.courier import Courier
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.masking import masked


class Soap:
    """The service at `path`, described at the same path with the parameters `wsdl`.

    The WSDL is asked for with the first call, and once. zeep is imported then, too: it takes its
    time.
    """

    def __init__(self, http: Http, path: str, wsdl: Params) -> None:
        self._http = http
        self.path = path
        self._wsdl = wsdl
        self._reading = threading.Lock()
        self._document: Any = None

    @property
    def is_read(self) -> bool:
        """Whether the WSDL is here, so that something was asked for."""
        return self._document is not None

    def calls(self, session: Session) -> Calls:
        """Calls within one reading."""
        return Calls(self, session)

    def client(self, session: Session) -> Any:
        """zeep's client, whose messages this session carries. Raises FatalError for a WSDL that is
        none.
        """
        zeep: Any = import_module("zeep")
        courier = Courier(session, self.path)
        settings = zeep.Settings(
            strict=True,
            # The bytes of an answer are bounded, and a report is one text.
            xml_huge_tree=True,
            forbid_dtd=True,
            forbid_entities=True,
            forbid_external=True,
            # The address inside the WSDL is not used.
            force_https=False,
        )
        with self._reading:
            if self._document is None:
                self._document = self._read(courier, settings)
        courier = Courier(session, self.path, _answers(self._document))
        return zeep.Client(self._document, transport=courier, settings=settings)

    def _read(self, courier: Courier, settings: Any) -> Any:
        address = f"{self._http.base_url}{self.path}?{urlencode(self._wsdl)}"
        try:
            found: Any = import_module("zeep.wsdl").Document(address, courier, settings=settings)
            if not found.services:
                raise ValueError("it describes no service")
            return found
        except SyncError:
            raise
        # zeep and lxml raise whatever they meet in a document that is no WSDL.
        except Exception as error:
            raise FatalError(
                f"{courier.session.subject}: the WSDL of {self.path} cannot be used: "
                f"{type(error).__name__}: {masked(str(error))}. Check the base URL and the version."
            ) from error


def _answers(document: Any) -> dict[str, str]:
    """What answers a message, both by the names of what is in their bodies."""
    operations = (
        operation for binding in document.bindings.values() for operation in binding.all().values()
    )
    return {
        str(operation.input.body.qname): str(operation.output.body.qname)
        for operation in operations
    }


class Calls:
    """The operations of a service, called by name."""

    def __init__(self, soap: Soap, session: Session) -> None:
        self._soap, self.session = soap, session
        self._service: Any = None

    def __call__(self, operation: str, **given: Any) -> Any:
        """What an operation returns, as zeep has it; None for nothing.

        Raises what the dialect makes of a fault, and FatalError for an operation that the WSDL has
        not, or has with other parts.
        """
        subject = self.session.subject
        if self._service is None:
            self._service = self._soap.client(self.session).service
        try:
            return self._service[operation](**given)
        except SyncError:
            raise
        except AttributeError as error:
            raise FatalError(f"{subject}: the service has no {operation} ({error})") from error
        # zeep has no one class for what an answer may be other than its WSDL says.
        except Exception as error:
            raise FatalError(
                f"{subject}: {operation}: this is not what the WSDL says: {type(error).__name__}: "
                f"{masked(str(error))}"
            ) from error
