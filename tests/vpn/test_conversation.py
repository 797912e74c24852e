"""A strongSwan that answers nonsense is one that does not answer."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from enid.vpn.conversation import Conversation


@pytest.mark.parametrize(
    "answers",
    [
        [b""],
        [b"\x07"],
        [b"\x05", b"\x07\x07list-sa\xff\xff"],
        [b"\x05", b"\x07\x07list-sa\x01\x04name\x03\x05state\x00\x01x\x02"],
        [b"\x05", b"\x07\x07list-sa\x01\x04name\x02"],
        [b"\x05", b"\x07\x07list-sa\x03\x04name\x00\x01x"],
        [b"\x01"],
        [b"\x05", b"\x05"],
    ],
    ids=lambda answers: b"/".join(answers).hex(),
)
def test_nonsense_is_no_answer(answers: list[bytes]) -> None:
    ours, theirs = socket.socketpair()

    def answer() -> None:
        for each in answers:
            theirs.recv(1 << 16)
            theirs.sendall(struct.pack("!I", len(each)) + each)
        theirs.close()

    strongswan = threading.Thread(target=answer)
    strongswan.start()
    conversation = Conversation(ours)
    try:
        with pytest.raises(OSError, match=r"strongSwan|closed|Broken pipe|reset by peer"):
            conversation.tunnels()
    finally:
        conversation.close()
        strongswan.join()
