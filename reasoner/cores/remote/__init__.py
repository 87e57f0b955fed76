"""A core behind HTTP: vLLM, llama.cpp and SGLang with exact token ids, any other OpenAI-compatible server by chat.

core.py      RemoteCore: what the rest of the runtime sees
replicas.py  several servers of one model as one core
probe.py     which server this is and what it can do
vllm.py, llamacpp.py, sglang.py, chat.py    what each server is asked and how its answer is read
exchange.py  the seam between those and the core
row.py       one completion while it grows: exact stops, whatever the server's own are
wire.py      HTTP: retries, deadline, server-sent events, errors that never hold the key
reading.py   values taken out of an answer that nobody vouches for
"""

from reasoner.cores.remote.core import RemoteCore
from reasoner.cores.remote.replicas import Replicas
from reasoner.cores.remote.wire import Retry

__all__ = ["RemoteCore", "Replicas", "Retry"]
