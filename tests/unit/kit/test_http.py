"""What counts as an answer of a peer, and what is waited out."""

import asyncio
import contextlib
import datetime
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.kit.http import MOST_BYTES, MOST_DEPTH, PIECE, Http, allowed, answered, next_page
from connector.kit.ports import Unreachable
from vocab.errors import Refusal


def test_what_we_hold_already_may_be_said_to_be_so_still() -> None:
    assert answered("u", 304, "", b"").status == 304


@pytest.mark.parametrize("status", [301, 302, 307, 308, 429, 500, 502, 503])
def test_redirects_and_passing_trouble_are_no_answer(status: int) -> None:
    with pytest.raises(Unreachable):
        answered("u", status, "application/json", b"{}")


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"a":' * (MOST_DEPTH + 2) + b"1" + b"}" * (MOST_DEPTH + 2)])
def test_json_that_cannot_be_read_under_the_caps_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unreachable):
        answered("u", 200, "application/json", body)


def test_a_page_is_no_answer() -> None:
    with pytest.raises(Unreachable):
        answered("u", 200, "text/html; charset=utf-8", b"<html>")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "http://example.org/",
        "https://",
        "https://:443/",
        "https://person@example.org/",
        "https://example.org/a b",
        "https://example.org/\r\nx: y",
        "https://예시.kr/",
        "https://%31%32%37.0.0.1/",
        "https://10.0.0.1:443/",
        "https://[fe80::1%25eth0]/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "//example.org",
        "",
    ],
)
def test_what_may_not_be_asked_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        allowed(url, development=False)
    assert refused.value.code == "address-forbidden"


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f.1", "127.1", "127.0.0.1.", "0"])
async def test_a_name_with_a_private_address_is_refused(name: str) -> None:
    http = Http(development=False)
    with pytest.raises(Refusal) as refused:
        await http.request("GET", f"https://{name}/")
    await http.close()
    assert refused.value.code == "address-forbidden"


def test_what_names_no_type_and_looks_like_an_object_is_read_as_one() -> None:
    """A test kit answers so; a peer's answer must not be lost over a missing header."""
    assert answered("u", 200, "", b' {"providerPid": "p"}').body == {"providerPid": "p"}
    assert answered("u", 200, "", b"done").body is None
    assert answered("u", 200, "text/plain", b'{"a": 1}').body is None


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ('<https://h01.example/catalog/request?page=x>; rel="next"', "https://h01.example/catalog/request?page=x"),
        ("</catalog/request?page=x>; rel=next", "https://h01.example/catalog/request?page=x"),
        (
            '<https://h01.example/catalog/request?page=a>; rel="previous", </catalog/request?page=b>; rel="next"',
            "https://h01.example/catalog/request?page=b",
        ),
        ('<https://h01.example/catalog/request?page=x>; rel="previous"', None),
        ('<https://elsewhere.example/catalog/request?page=x>; rel="next"', None),
        ('<https://h01.example/other?page=x>; rel="next"', None),
        ('<http://h01.example/catalog/request?page=x>; rel="next"', None),
        ('<http://h:x/catalog>; rel="next"', None),
        ("", None),
        ("<" * 10_000, None),
    ],
)
def test_the_next_page_is_followed_only_below_the_address_that_was_asked(link: str, following: str | None) -> None:
    assert next_page("https://h01.example/catalog/request", link) == following


@contextlib.asynccontextmanager
async def server(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Something that listens, answers each request with `answer`, and what it was asked."""
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}", heads


async def test_an_address_is_asked_as_it_is_written_and_no_cookie_is_kept() -> None:
    said = b'HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{"a": 1}'
    http = Http(development=True)
    async with server(said) as (url, heads):
        answers = [await http.request("GET", f"{url}/x/urn%3Auuid%3A1/가?q=%2F#part") for _ in range(2)]
    await http.close()
    assert [answer.body for answer in answers] == [{"a": 1}] * 2
    assert [head.splitlines()[0] for head in heads] == [b"GET /x/urn%3Auuid%3A1/%EA%B0%80?q=%2F HTTP/1.1"] * 2
    assert b"cookie" not in heads[1].lower()


BIG = b"x" * (MOST_BYTES + 1)
BOMB = gzip.compress(BIG * 8)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BIG), BIG),
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%s" % (len(BOMB), BOMB),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-nothing of ours\r\n",
        b"",
    ],
)
async def test_what_is_no_answer_is_waited_out(said: bytes) -> None:
    http = Http(development=True)
    async with server(said) as (url, heads):
        with pytest.raises(Unreachable):
            await http.request("GET", f"{url}/")
    await http.close()
    assert len(heads) >= 1


async def test_a_peer_that_is_away_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    http = Http(development=True)
    with pytest.raises(Unreachable):
        await http.request("GET", f"http://127.0.0.1:{port}/")
    await http.close()


def unknown_authority(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate for its address, by nobody that anybody trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    plain = serialization.NoEncryption()
    parts = (
        made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )
    (folder / "server.pem").write_bytes(b"".join(parts))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(tmp_path: Path) -> None:
    http = Http(development=True)
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", unknown_authority(tmp_path)) as (url, heads):
        with pytest.raises(Unreachable, match="Certificate"):
            await http.request("GET", f"{url.replace('127.0.0.1', 'localhost')}/")
    await http.close()
    assert not heads


DATA = bytes(range(256)) * (PIECE // 100)


async def test_an_answer_says_where_the_next_page_is() -> None:
    http = Http(development=True)
    async with server(b"HTTP/1.1 200 OK\r\nlink: <?page=2>; rel=next\r\ncontent-length: 2\r\n\r\n{}") as (url, _):
        assert (await http.request("GET", f"{url}/list?page=1")).following == f"{url}/list?page=2"
    await http.close()


async def test_a_file_is_sent_with_its_length_and_received_from_where_it_was_broken_off(tmp_path: Path) -> None:
    sent, path, cut = tmp_path / "sent", tmp_path / "got", len(DATA) // 3
    sent.write_bytes(DATA)
    http = Http(development=True)
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(DATA), DATA[:cut])) as (url, _):
        with pytest.raises(Unreachable):
            await http.receive_file(f"{url}/x", path)
    assert path.read_bytes() == DATA[:cut]
    rest = DATA[cut:]
    async with server(b"HTTP/1.1 206 Partial\r\ncontent-length: %d\r\n\r\n%s" % (len(rest), rest)) as (url, heads):
        assert (await http.receive_file(f"{url}/x", path)).status == 206
    assert path.read_bytes() == DATA
    assert b"range: bytes=%d-" % cut in heads[0].lower()
    async with server(b"HTTP/1.1 416 No\r\ncontent-length: 0\r\n\r\n") as (url, _):
        assert (await http.receive_file(f"{url}/x", path)).status == 206
    async with server(b"HTTP/1.1 404 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}") as (url, _):
        assert (await http.receive_file(f"{url}/x", path)).status == 404
    async with server(b"HTTP/1.1 204 OK\r\n\r\n") as (url, heads):
        await http.send_file("PUT", f"{url}/x", sent, {"slot-token": "t"})
    await http.close()
    assert path.read_bytes() == DATA
    assert b"content-length: %d" % len(DATA) in heads[0].lower()
    assert b"transfer-encoding" not in heads[0].lower()
