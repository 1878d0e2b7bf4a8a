#!/usr/bin/env python3
"""Runs the protocol cases of the Autobahn test suite against a server that echoes every message.

    autobahn.py --suite autobahntestsuite-25.10.1.tar.gz ws://127.0.0.1:9001/

Each case in the suite's source package is a class that sends frames through a protocol object and
lists the events it expects back. The classes are loaded unchanged but for the few words that only
Python 2 knows; the protocol object is this file's own, on asyncio. The cases hold octets in `str`,
one character of 0 to 255 per octet, and so does this file: bytes exist only at the socket. Cases on
speed (9) and on compression (12, 13), which the server does not offer, are not run. Exit status 0
means that no case failed.
"""

import argparse
import asyncio
import base64
import binascii
import codecs
import collections
import os
import re
import socket
import struct
import sys
import tarfile
import types
import urllib.parse

CATEGORIES = ("1", "2", "3", "4", "5", "6", "7", "10")
PASSED = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")
CONNECTING, OPEN, CLOSING, CLOSED = range(4)
CLOSE_WAIT = 1.0  # seconds until an unanswered close, or a server that leaves the socket open, is given up
CASE_WAIT = 30.0  # seconds until a case that never ends is given up


def octets(text):
    return text.encode("latin-1") if isinstance(text, str) else bytes(text)


def text(data):
    return data.decode("latin-1")


class Protocol:
    """One connection: what a case calls, and the state that it reads afterwards."""

    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007
    STATE_CONNECTING, STATE_OPEN, STATE_CLOSING, STATE_CLOSED = CONNECTING, OPEN, CLOSING, CLOSED

    def __init__(self, case_class):
        self.factory = types.SimpleNamespace(isServer=False)
        self.state = CONNECTING
        self.connectionWasOpen = self.wasClean = False
        self.closedByMe = self.failedByMe = self.droppedByMe = False
        self.remoteCloseCode = self.localCloseReason = None
        self.autoFragmentSize = 0
        self.txFrameStats = collections.Counter()
        self.createWirelog = False
        self.trouble = None  # a mistake of this file, of a case, or a frame no server may send
        self.message, self.message_is_binary = None, False
        self.outgoing, self.something_to_send = collections.deque(), asyncio.Event()
        self.timers = []
        self.case = case_class(self)

    # What cases call.

    def sendFrame(self, opcode, payload="", fin=True, rsv=0, mask=None, payload_len=None, chopsize=None, sync=False):
        data = octets(payload)
        if payload_len is not None and data:
            data = (data * (payload_len // len(data) + 1))[:payload_len]
        self.txFrameStats[opcode] += 1
        frame = self._header(opcode, len(data), fin, rsv) + data  # masked with zeros: the payload as it is
        step = chopsize or len(frame)
        self.outgoing.extend(frame[at : at + step] for at in range(0, len(frame), step))
        self.something_to_send.set()

    def sendMessage(self, payload, isBinary=False, fragmentSize=None, **_):
        data, opcode = octets(payload), 2 if isBinary else 1
        size = fragmentSize or self.autoFragmentSize or max(len(data), 1)
        starts = range(0, max(len(data), 1), size)
        for start in starts:
            self.sendFrame(0 if start else opcode, data[start : start + size], fin=start == starts[-1])

    def beginMessage(self, isBinary=False):
        self.streamed_opcode = 2 if isBinary else 1

    def beginMessageFrame(self, length):
        self._push(self._header(self.streamed_opcode, length, fin=False))
        self.streamed_opcode = 0

    def sendMessageFrameData(self, payload, sync=False):
        self._push(octets(payload))

    def endMessage(self):
        self.sendFrame(0, "", fin=True)

    def sendClose(self, code=None, reason=None):
        if self.state == OPEN:
            self.sendCloseFrame(code, reason)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        payload = (struct.pack(">H", code) if code is not None else b"") + octets(reasonUtf8 or "")
        self.sendFrame(8, payload)
        self.localCloseReason = reasonUtf8
        self.closedByMe = not isReply
        self.state = CLOSING
        self._later(CLOSE_WAIT, self._drop)

    def continueLater(self, delay, function, tag=None):
        self._later(delay, function)

    def closeAfter(self, delay):
        self._later(delay, self.sendClose)

    def killAfter(self, delay):
        self._later(delay, self._fail)

    def enableWirelog(self, _):
        pass

    # What the connection does by itself.

    async def run(self, url):
        host, port = url.hostname, url.port or 80
        reader, writer = await asyncio.open_connection(host, port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = text(base64.b64encode(os.urandom(16)))
        writer.write(octets(
            f"GET {url.path or '/'} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ))
        sender = None
        self.close_socket = writer.transport.abort
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 101"):
                self.trouble = "no upgrade: " + text(answer.split(b"\r\n")[0])
                return
            self.state, self.connectionWasOpen = OPEN, True
            sender = asyncio.create_task(self._send(writer))
            self._call(self.case.onOpen)
            while self.state != CLOSED:
                await self._receive(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the server closed, and the case judges whether it was right to
        finally:
            self.state = CLOSED
            for timer in self.timers:
                timer.cancel()
            if sender:
                sender.cancel()
            writer.transport.abort()

    async def _send(self, writer):
        try:
            while True:
                await self.something_to_send.wait()
                while self.outgoing:
                    writer.write(self.outgoing.popleft())
                    await writer.drain()
                    await asyncio.sleep(0)  # each piece is a write of its own
                self.something_to_send.clear()
        except ConnectionError:
            pass  # the receiving side sees the end too

    async def _receive(self, reader):
        first, second = await reader.readexactly(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", await reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await reader.readexactly(8))
        payload = await reader.readexactly(length)
        fin, opcode = bool(first & 128), first & 15
        if first & 112 or second & 128 or opcode not in (0, 1, 2, 8, 9, 10) or (opcode > 2 and (length > 125 or not fin)):
            return self._refuse(f"the server sent a frame that starts with {first:#04x} {second:#04x}")
        if opcode == 8:
            self._closed_by_server(payload)
        elif opcode == 9:
            self.sendFrame(10, payload)
            self._call(self.case.onPing, text(payload))
        elif opcode == 10:
            self._call(self.case.onPong, text(payload))
        elif (opcode == 0) != (self.message is not None):
            self._refuse("the server sent a continuation of nothing, or a message inside a message")
        else:
            if opcode:
                self.message, self.message_is_binary = b"", opcode == 2
            self.message += payload
            if fin:
                whole, self.message = self.message, None
                if not self.message_is_binary and not is_utf8(whole):
                    return self._refuse("the server sent text that is not UTF-8")
                if not self.failedByMe:
                    self._call(self.case.onMessage, text(whole), self.message_is_binary)

    def _closed_by_server(self, payload):
        if len(payload) >= 2:
            (self.remoteCloseCode,) = struct.unpack(">H", payload[:2])
        if len(payload) == 1 or not is_utf8(payload[2:]):
            return self._refuse("the server sent a malformed close frame")
        if self.state == OPEN:
            self.sendCloseFrame(self.remoteCloseCode, isReply=True)
        self.wasClean = True

    def _header(self, opcode, length, fin=True, rsv=0):
        first = (128 if fin else 0) | rsv << 4 | opcode
        if length < 126:
            return struct.pack(">BB", first, 128 | length) + b"\0\0\0\0"
        if length < 65536:
            return struct.pack(">BBH", first, 128 | 126, length) + b"\0\0\0\0"
        return struct.pack(">BBQ", first, 128 | 127, length) + b"\0\0\0\0"

    def _push(self, data):
        self.outgoing.append(data)
        self.something_to_send.set()

    def _fail(self):
        """The case ran out of patience."""
        self.failedByMe = True
        if self.state == OPEN:
            self.sendCloseFrame(1001)
        else:
            self._drop()

    def _drop(self):
        self.droppedByMe, self.state = True, CLOSED
        self.close_socket()

    def _refuse(self, why):
        self.trouble = why
        self._drop()

    def _later(self, delay, function):
        self.timers.append(asyncio.get_running_loop().call_later(delay, self._call, function))

    def _call(self, function, *arguments):
        if self.state == CLOSED:
            return
        try:
            function(*arguments)
        except Exception as error:  # of a case or of this file, never of the server
            self._refuse(f"harness: {error!r}")


class Utf8Validator:
    """What the cases ask of the suite's own validator when they are made."""

    def reset(self):
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def validate(self, data):
        try:
            self.decoder.decode(octets(data))
        except UnicodeDecodeError:
            return False, False
        return True, not self.decoder.getstate()[0]


def is_utf8(data):
    try:
        data.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def module(name, **contents):
    made = sys.modules[name] = types.ModuleType(name)
    vars(made).update(contents)
    return made


def load_cases(suite):
    """All case classes of CATEGORIES, by their dotted number."""
    for name in ("autobahn", "autobahn.websocket"):
        module(name)
    module("autobahn.websocket.protocol", WebSocketProtocol=Protocol)
    module("autobahn.websocket.utf8validator", Utf8Validator=Utf8Validator)
    module("binascii", b2a_hex=lambda data: text(binascii.b2a_hex(octets(data))))
    sources = read_sources(suite)
    run_source("case", sources["case"])
    sys.modules["case"].Case.compare = lambda self, one, other: one == other
    names = sorted(name for name in sources if name[4:].split("_")[0] in CATEGORIES)
    pending = collections.deque(names)
    while pending:  # some cases are made from others, so their files wait for those
        name = pending.popleft()
        try:
            run_source(name, sources[name])
        except ModuleNotFoundError as missing:
            if missing.name not in pending:
                raise
            pending.append(name)
    cases = {}
    for name in names:
        for value in vars(sys.modules[name]).values():
            for found in value if isinstance(value, list) else [value]:
                number = re.fullmatch(r"Case(\d+(?:_\d+)+)", getattr(found, "__name__", ""))
                if number:
                    cases[number[1].replace("_", ".")] = found
    return dict(sorted(cases.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def read_sources(suite):
    sources = {}
    with tarfile.open(suite) as package:
        for member in package.getmembers():
            name = re.search(r"/autobahntestsuite/case/(case\w*)\.py$", member.name)
            if name:
                sources[name[1]] = text(package.extractfile(member).read())
    return sources


def run_source(name, source):
    source = re.sub(r"^#.*coding[:=].*$", "", source, flags=re.M)
    source = re.sub(r"^( *)print\b.*$", r"\1pass", source, flags=re.M)
    source = source.replace("(object, Case, )", "(Case, )")
    source = source.replace("len(self.payload) / ", "len(self.payload) // ")
    made = types.ModuleType(name)
    vars(made).update(xrange=range)
    exec(compile(source, name + ".py", "exec"), vars(made))
    sys.modules[name] = made


async def run_case(number, case_class, url, slots):
    async with slots:
        protocol = Protocol(case_class)
        try:
            await asyncio.wait_for(protocol.run(url), CASE_WAIT)
        except (OSError, asyncio.TimeoutError) as error:
            protocol.trouble = f"{type(error).__name__} {error}"
        case = protocol.case
        if protocol.trouble is None:
            case.onConnectionLost(protocol.failedByMe)
        good = protocol.trouble is None and case.behavior in PASSED and case.behaviorClose in PASSED
        why = protocol.trouble or f"{case.behavior}: {case.result}; close {case.behaviorClose}: {case.resultClose}"
        return number, good, case.behavior, why


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("--suite", required=True, help="the source package of the test suite")
    arguments.add_argument("--only", help="a number such as 6.4, to run the cases below it")
    arguments.add_argument("--jobs", type=int, default=16)
    options = arguments.parse_args()
    cases = load_cases(options.suite)
    if options.only:
        cases = {number: case for number, case in cases.items() if f"{number}.".startswith(f"{options.only}.")}
    slots, url = asyncio.Semaphore(options.jobs), urllib.parse.urlsplit(options.url)
    results = await asyncio.gather(*(run_case(number, case, url, slots) for number, case in cases.items()))
    for number, good, behavior, why in results:
        if not good:
            print(f"FAILED {number}: {why}")
        elif behavior == "NON-STRICT":
            print(f"non-strict {number}: {why}")
    passed = sum(good for _, good, _, _ in results)
    print(f"{len(results)} cases: {passed} passed, {len(results) - passed} failed")
    return 0 if results and passed == len(results) else 1


sys.exit(asyncio.run(main()))
