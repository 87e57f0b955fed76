"""The other side of `core.py --vllm`: run by an interpreter that has vLLM. A request a line in, seconds a line out."""

import json
import os
import sys
import time

QUIET = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""The environment in which it stays small and asks nobody."""


def main() -> None:
    os.environ |= QUIET
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    llm = LLM(sys.argv[1], dtype="bfloat16", max_model_len=2048, max_num_seqs=64, enable_prefix_caching=True)
    for line in sys.stdin:
        asked = json.loads(line)
        new, rows = asked["new"], range(asked["rows"])
        fixed = {"max_tokens": new, "min_tokens": new, "ignore_eos": True, "detokenize": False}
        sampling = [SamplingParams(temperature=0.8, top_p=0.95, seed=i, **fixed) for i in rows]
        prompts = [TokensPrompt(prompt_token_ids=asked["prompt"]) for _ in rows]
        start = time.perf_counter()
        llm.generate(prompts, sampling, use_tqdm=False)
        print(f"seconds {time.perf_counter() - start}", flush=True)


if __name__ == "__main__":
    main()
