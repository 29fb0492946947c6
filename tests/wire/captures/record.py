"""The one place for how the captures beside it were made: real programs talk over loopback, both directions are written down.

    .venv/bin/python -m tests.wire.captures.record [NAME …]        (needs DCMTK and Orthanc; files from pydicom's public samples)

Without a name all are made again. Each exchange becomes NAME.dialled.bin (what the requestor sent) and NAME.accepted.bin (what the
acceptor sent).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)

from tests.live.harness.orthanc import Orthanc

HERE = Path(__file__).parent
CT = "1.2.840.10008.5.1.4.1.1.2"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
VERIFICATION = "1.2.840.10008.1.1"


@contextmanager
def relay(upstream: int, name: str) -> Iterator[int]:
    """A port whose first connection is passed to `upstream` and written down."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, sink: socket.socket, path: Path) -> None:
        with path.open("wb") as file:
            while data := source.recv(65536):
                file.write(data)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", upstream)) as far:
            other = threading.Thread(target=copy, args=(far, near, HERE / f"{name}.accepted.bin"))
            other.start()
            copy(near, far, HERE / f"{name}.dialled.bin")
            other.join()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(30)
    listener.close()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def storescp() -> Iterator[int]:
    """DCMTK's storescp, writing nothing."""
    port = free_port()
    process = subprocess.Popen(["storescp", "--ignore", "+xa", str(port)])
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def pynetdicom_scp() -> Iterator[int]:
    """pynetdicom: verification, RT plan, CT in several syntaxes, C-FIND with three answers."""
    ae = AE("ARCHIVE")
    ae.maximum_pdu_size = 4096
    for uid in (VERIFICATION, RT_PLAN, CT, FIND):
        ae.add_supported_context(uid, scu_role=True, scp_role=True)

    def find(event: evt.Event) -> Iterator[tuple[int, object]]:
        for number in range(3):
            answer = event.identifier
            answer.PatientID = f"P{number}"
            yield 0xFF00, answer

    handlers = [(evt.EVT_C_STORE, lambda event: 0), (evt.EVT_C_FIND, find)]
    port = free_port()
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield port
    finally:
        server.shutdown()


def pynetdicom_scu(port: int) -> None:
    """An association with every kind of user item, a C-ECHO and a C-STORE."""
    from pydicom import dcmread

    ae = AE("MODALITY")
    ae.add_requested_context(VERIFICATION)
    ae.add_requested_context(RT_PLAN)
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked, window.maximum_number_operations_performed = 8, 1
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = RT_PLAN, True, True
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid, extended.service_class_application_information = RT_PLAN, b"\x02\x00\x03\x00\x01\x00"
    common = SOPClassCommonExtendedNegotiation()
    common.sop_class_uid, common.service_class_uid = RT_PLAN, "1.2.840.10008.4.2"
    common.related_general_sop_class_identification = ["1.2.840.10008.5.1.4.1.1.88.22"]
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field, identity.positive_response_requested = 1, b"nobody", False
    association = ae.associate("127.0.0.1", port, ae_title="ARCHIVE", ext_neg=[window, role, extended, common, identity])
    assert association.is_established
    association.send_c_echo()
    association.send_c_store(dcmread(get_testdata_file("rtplan.dcm")))
    association.release()


def program(*argv: str) -> Callable[[int], None]:
    """A DCMTK program; PORT in argv is the relay's."""
    return lambda port: print(argv[0], subprocess.run([word.replace("PORT", str(port)) for word in argv], check=False).returncode)


@contextmanager
def orthanc(there: int, *files: str) -> Iterator[Orthanc]:
    """Orthanc with these files; it knows the programs that ask it, a storescp as SINK, and what listens at port `there`, if any."""
    with tempfile.TemporaryDirectory() as folder, storescp() as sink:
        known = {name: [name, "127.0.0.1", sink] for name in ("SINK", "FINDSCU", "GETSCU", "MOVESCU")}
        known["THERE"] = ["THERE", "127.0.0.1", there or sink]
        archive = Orthanc(Path(folder), free_port(), free_port(), known)
        try:
            for file in files:
                archive.upload(Path(file).read_bytes())
            yield archive
        finally:
            archive.close()


@contextmanager
def orthanc_scp() -> Iterator[int]:
    """Orthanc as the one that is called, with one study of one object."""
    with orthanc(0, PLAN) as archive:
        yield archive.port


def orthanc_scu(*files: str) -> Callable[[int], None]:
    """Orthanc as the one that calls: it sends these files on one association."""

    def send(port: int) -> None:
        with orthanc(port, *files) as archive:
            print("Orthanc", archive.version(), archive.send("THERE", archive.get("/instances"))["FailedInstancesCount"])

    return send


ADDRESS = ("127.0.0.1", "PORT")
PLAN, PICTURE, REPORT = (str(get_testdata_file(name)) for name in ("rtplan.dcm", "MR_small.dcm", "test-SR.dcm"))
STUDY = ("-S", "-k", "0008,0052=STUDY", "-k", "0020,000D=1.22.333.4.555555.6.7777777777777777777777777777")  # rtplan.dcm's

Exchange = tuple[Callable[[], AbstractContextManager[int]], Callable[[int], None]]


def exchanges(folder: str) -> dict[str, Exchange]:
    """Who is called, and what calls; `folder` holds two files."""
    called = ("-aec", "ARCHIVE", "-aet")
    return {
        "echoscu-storescp": (storescp, program("echoscu", "--repeat", "3", *ADDRESS)),
        "storescu-storescp": (storescp, program("storescu", "--max-send-pdu", "4096", *ADDRESS, PICTURE, PLAN)),
        "dcmsend-storescp": (storescp, program("dcmsend", "--scan-directories", *ADDRESS, folder)),
        "storescu-pynetdicom": (pynetdicom_scp, program("storescu", *called, "CT1", *ADDRESS, PLAN)),
        "findscu-pynetdicom": (pynetdicom_scp, program("findscu", "-S", "-k", "0008,0052=STUDY", "-k", "PatientID", *ADDRESS)),
        "getscu-storescp": (storescp, program("getscu", "-S", "-k", "0008,0052=STUDY", "-k", "0020,000D=1.2", *ADDRESS)),
        "pynetdicom-storescp": (storescp, pynetdicom_scu),
        "pynetdicom-pynetdicom": (pynetdicom_scp, pynetdicom_scu),
        "echoscu-orthanc": (orthanc_scp, program("echoscu", *ADDRESS)),
        "dcmsend-orthanc": (orthanc_scp, program("dcmsend", *ADDRESS, REPORT)),
        "findscu-orthanc": (orthanc_scp, program("findscu", *STUDY, "-k", "PatientID", *ADDRESS)),
        "getscu-orthanc": (orthanc_scp, program("getscu", "--ignore", *STUDY, *ADDRESS)),
        "movescu-orthanc": (orthanc_scp, program("movescu", "-aet", "MOVESCU", "-aem", "SINK", *STUDY, *ADDRESS)),
        "pynetdicom-orthanc": (orthanc_scp, pynetdicom_scu),
        "orthanc-storescp": (storescp, orthanc_scu(PLAN, REPORT)),
        "orthanc-pynetdicom": (pynetdicom_scp, orthanc_scu(PLAN)),
    }


def main() -> int:
    """Record every exchange, or those named."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(PLAN, folder)
        shutil.copy(REPORT, folder)
        for name, (server, client) in exchanges(folder).items():
            if name in sys.argv[1:] or len(sys.argv) == 1:
                with server() as upstream, relay(upstream, name) as port:
                    client(port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
