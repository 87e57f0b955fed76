"""Attention of a flat, ragged batch over one layer of the pool."""

import torch
import torch.nn.functional as F

from reasoner.cores.local.plan import Batch, Chunk, Own, Shared


def attend(queries: torch.Tensor, pool: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Queries (tokens, heads, size) over the pool (slots, 2, kv heads, size) -> (tokens, heads, size).

    The keys and values of the batch's own tokens are in the pool already.
    """
    if not batch.chunks:
        return _decode(queries, pool, batch)
    out = torch.empty_like(queries)
    if batch.decoding:
        out[: batch.decoding] = _decode(queries[: batch.decoding], pool, batch)
    for chunk in batch.chunks:
        out[chunk.start : chunk.stop] = _prefill(queries[chunk.start : chunk.stop], pool, chunk)
    return out


def _decode(queries: torch.Tensor, pool: torch.Tensor, batch: Batch) -> torch.Tensor:
    """One query a row. Heads that share a key head stand where a sequence would: a group is a short matrix."""
    rows, heads, size = queries.shape
    grouped = queries.view(rows, pool.shape[2], -1, size)
    if not batch.shared:
        out = torch.empty_like(grouped)
        for own in batch.own:
            out[own.rows] = _alone(grouped[own.rows], pool, own)
        return out.view(rows, heads, size)
    total = torch.empty_like(grouped, dtype=torch.float32)
    norms = total.new_empty(grouped.shape[:3])
    for own in batch.own:
        total[own.rows], norms[own.rows] = _alone_with_norms(grouped[own.rows], pool, own)
    for shared in batch.shared:
        _merge(total, norms, shared, *_together(grouped[shared.rows], pool, shared))
    return total.to(queries.dtype).view(rows, heads, size)


def _alone(queries: torch.Tensor, pool: torch.Tensor, own: Own) -> torch.Tensor:
    keys, values = _gather(pool, own)
    mask = None if own.mask is None else own.mask.to(queries.dtype)
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


def _alone_with_norms(queries: torch.Tensor, pool: torch.Tensor, own: Own) -> tuple[torch.Tensor, torch.Tensor]:
    keys, values = _gather(pool, own)
    mask = None if own.mask is None else own.mask.to(queries.dtype).expand(-1, *queries.shape[1:3], -1)
    out, norms = _flash(queries, keys, values, mask)
    return out.float(), norms


def _together(queries: torch.Tensor, pool: torch.Tensor, shared: Shared) -> tuple[torch.Tensor, torch.Tensor]:
    """All rows of one run as one block of queries: (b, kv, group, size) -> the same, and (b, kv, group)."""
    rows, kv, group, size = queries.shape
    block = pool[shared.slots].permute(1, 2, 0, 3)
    stacked = queries.transpose(0, 1).reshape(1, kv, rows * group, size)
    out, norms = _flash(stacked, block[0][None], block[1][None], None)
    return out.view(kv, rows, group, size).transpose(0, 1), norms.view(kv, rows, group).transpose(0, 1)


def _merge(total: torch.Tensor, norms: torch.Tensor, shared: Shared, out: torch.Tensor, extra: torch.Tensor) -> None:
    """Softmax over two disjoint sets of keys from the softmax over each (FlashAttention, section 3.1)."""
    before = norms[shared.rows]
    both = torch.logaddexp(before, extra)
    kept = total[shared.rows] * (before - both).exp()[..., None]
    total[shared.rows] = kept + out * (extra - both).exp()[..., None]
    norms[shared.rows] = both


def _prefill(queries: torch.Tensor, pool: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    tokens, heads, size = queries.shape
    block = pool[chunk.slots]
    kv = block.shape[2]
    group = heads // kv
    keys, values = (block[:, i].transpose(0, 1)[:, None].expand(kv, group, -1, size) for i in (0, 1))
    stacked = queries.view(tokens, kv, group, size).permute(1, 2, 0, 3)
    if chunk.past == 0:
        out = F.scaled_dot_product_attention(stacked, keys, values, is_causal=True)
    else:
        mask = torch.ones(tokens, keys.shape[2], dtype=torch.bool, device=queries.device).tril_(chunk.past)
        out = F.scaled_dot_product_attention(stacked, keys, values, attn_mask=mask)
    return out.permute(2, 0, 1, 3).reshape(tokens, heads, size)


def _gather(pool: torch.Tensor, own: Own) -> tuple[torch.Tensor, torch.Tensor]:
    rows, length = own.slots.shape
    block = pool.index_select(0, own.slots.reshape(-1)).view(rows, length, *pool.shape[1:])
    return block[:, :, 0].transpose(1, 2), block[:, :, 1].transpose(1, 2)


def _flash(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention and the log of its softmax's denominator (float32), which only the CPU kernel gives in one call."""
    out, norms = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        queries, keys, values, 0.0, False, attn_mask=mask
    )
    return out, norms
