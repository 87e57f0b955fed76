import pytest

from reasoner.sandboxes.frames import FrameError, Frames, encode


def test_messages_arrive_however_their_bytes_are_cut():
    sent = [{"a": 1}, {"text": "ü\0\udc80"}, {}]
    data = b"".join(map(encode, sent))
    for step in (1, 3, len(data)):
        frames = Frames()
        assert [m for i in range(0, len(data), step) for m in frames.feed(data[i : i + step])] == sent


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\0\0\0\x01{", b"\0\0\0\x02[]", b"\0\0\0\x04null", b"\0\x01\0\0" + b"[" * 65536],
)
def test_a_broken_frame_ends_the_conversation(data):
    with pytest.raises(FrameError):
        Frames(limit=1 << 20).feed(data)
