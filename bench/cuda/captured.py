"""Error of the presets' settings on the captured heads of the small model, against float32 dense attention.

python3 captured.py [qkv.safetensors], by default the benchmark's own copy.
"""
import os
import sys

import torch
from safetensors import safe_open

from kernels import HERE
from pipeline import Clustered

QKV = os.path.join(HERE, "../src/main/resources/dev/gossamer/bench/attention/qkv.safetensors")


def attend(q, k, v, query_clusters, key_clusters, most, tail, vectors, hopper, **selection):
    """A first call: seeds, five iterations on both sides, selection, attention."""
    layer = Clustered(q, query_clusters, key_clusters, most=most, extremes=vectors, hopper=hopper)
    layer.seed(q, layer.queries, 0)
    layer.seed(k, layer.keys, 1)
    for iteration in range(5):
        for x, side, euclidean in ((q, layer.queries, 0), (k, layer.keys, 1)):
            layer.assign(x, side, euclidean)
            layer.sort(side)
            if euclidean and iteration == 4:
                layer.gather(k, v)
            else:
                layer.update(x, side, euclidean)
    (layer.score_vectors if vectors else layer.score)(q, **selection)
    layer.plan(tail)
    out = torch.empty_like(q)
    layer.attend(q, out, None, tail)
    return out, int(layer.pairs) / layer.heads / layer.tokens ** 2


def main(path=QKV, hopper=True):
    torch.manual_seed(1)
    with safe_open(path, "pt", "cuda") as file:
        names = sorted({name[:-2] for name in file.keys()})
        heads = {name: [file.get_tensor(f"{name}.{part}")[None, None] for part in "qkv"] for name in names}
    for name, (q, k, v) in heads.items():
        tokens = q.size(2)
        exact = torch.nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float())
        ours = min(160, max(32, tokens // 36)), max(1, tokens // 16) if tokens <= 8192 else min(1024, tokens // 32)
        limit = 0.15 if tokens < 8192 else 0.10
        base = dict(most=128, tail=True, vectors=False, hopper=hopper, limit=limit)
        runs = {
            "default, no target": (ours, base),
            "default": (ours, base | dict(error_target=0.1)),
            "default, 32 queries speak": (ours, base | dict(error_target=0.1, passes=2)),
            "default, 64 queries speak": (ours, base | dict(error_target=0.1, passes=4)),
            "default, 128 queries speak": (ours, base | dict(error_target=0.1, passes=8)),
            "cluster @.25": ((max(48, tokens // 512), 200), base | dict(limit=0.25, tail=False, scorer=0, most=1 << 30)),
            "paper @.25": ((65, 200), dict(limit=0.25, rule=0, kind=0, tail=False, vectors=True, most=1 << 30,
                                           hopper=hopper)),
        }
        for label, (clusters, options) in runs.items():
            out, density = attend(q, k, v, *clusters, **options)
            error = ((out.float() - exact).norm() / exact.norm()).item()
            print(f"{name:32} {label:28} {clusters[0]:4}/{clusters[1]:<4} density {density:.3f} error {error:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
