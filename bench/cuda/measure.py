"""Times every kernel and the whole warm call against dense attention in the same run.

python3 measure.py [--shapes NAME,..] [--json FILE] [--seconds N]

Rates are TFLOP/s of the products that the selection asks for (4 D per selected query-key pair; pseudo-keys are not
counted), so padding, partial tiles and the tail count as time only.
"""
import argparse
import json
import math
import os
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline import Clustered

SHAPES = {  # heads, tokens, head size
    "wan-1.3b": (12, 32760, 128),
    "cogvideox-2b": (30, 28576, 64),
    "wan-14b": (40, 75600, 128),
    "hunyuan-81": (24, 75856, 128),
    "hunyuan-129": (24, 119056, 128),
    "hunyuan-176k": (24, 176656, 128),
}


def milliseconds(run, least=3, most=20, budget=1.0):
    """Median of event times, after one run to warm up."""
    run()
    torch.cuda.synchronize()
    times, started = [], time.time()
    while len(times) < least or (len(times) < most and time.time() - started < budget):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def video_like(heads, tokens, head_dim, seed):
    """Tokens around centers whose weights follow Dirichlet(2), as clusters of real heads do in size."""
    generator = torch.Generator("cuda").manual_seed(seed)
    new = lambda *shape: torch.randn(*shape, device="cuda", generator=generator)
    weights = -(torch.rand(heads, 256, 2, device="cuda", generator=generator)).log().sum(2)  # Gamma(2)
    part = torch.multinomial(weights, tokens, replacement=True, generator=generator)
    result = []
    for _ in range(3):
        out = torch.empty(1, heads, tokens, head_dim, device="cuda", dtype=torch.bfloat16)
        for h in range(heads):
            out[0, h] = (new(256, head_dim)[part[h]] + 0.7 * new(tokens, head_dim)).to(torch.bfloat16)
        result.append(out)
    return result


def dense_times(q, k, v, budget):
    result = {}
    for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("flash", SDPBackend.FLASH_ATTENTION)):
        try:
            with sdpa_kernel(backend):
                run = lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v)
                result[name] = milliseconds(run, 3, 10, budget)
        except RuntimeError as error:
            result[name] = math.nan
            print(f"  {name}: {error}", flush=True)
    return result


def made_sizes(layer, side, parts):
    """Labels whose sizes follow Dirichlet(2), in place of those that k-means found."""
    weights = -torch.rand(layer.heads, parts, 2, device="cuda").log().sum(2)
    labels = torch.multinomial(weights, layer.tokens, replacement=True)
    side.labels.copy_(labels.to(torch.int16))


def attention_alone(q, k, v, parts, density, dense, budget):
    """The attention kernel over clusters of Dirichlet(2) sizes and random selections, no tail."""
    heads, tokens, D = q.size(1), q.size(2), q.size(3)
    layer = Clustered(q, *parts, most=128)
    layer.seed(q, layer.queries, 0)
    layer.seed(k, layer.keys, 1)
    layer.assign(q, layer.queries, 0)
    layer.assign(k, layer.keys, 1)
    for side, count in zip((layer.queries, layer.keys), parts):
        made_sizes(layer, side, count)
        layer.sort(side)
    layer.gather(k, v)
    layer.score(q, scorer=0, limit=density)
    out = torch.empty_like(q)
    rows = []
    for name, hopper in (("sm90", True), ("portable", False)):
        def run():
            layer.item_count[1] = 0
            layer.attend(q, out, None, False, hopper)
        layer.plan(False)
        ms = milliseconds(run, 3, 10, budget)
        flops = 4 * D * int(layer.pairs)
        rows.append(dict(kernel=name, clusters=parts, density=int(layer.pairs) / heads / tokens ** 2, ms=ms,
                         tflops=flops / ms / 1e9, of_dense=flops / ms / 1e9 / dense))
        print(f"  attention {name:9} {parts[0]}/{parts[1]} density {rows[-1]['density']:.3f}: {ms:8.2f} ms "
              f"{rows[-1]['tflops']:6.0f} TFLOP/s, {rows[-1]['of_dense']:.2f} of dense", flush=True)
    return rows


def assignment(q, budget, counts=(65, 160, 412, 1024)):
    rows = []
    for count in counts:
        layer = Clustered(q, 8, count)
        layer.seed(q, layer.keys, 1)
        layer.assign(q, layer.keys, 1)
        for name, hopper in (("sm90", True), ("portable", False)):
            ms = milliseconds(lambda: layer.nearest(q, layer.keys, hopper), 3, 10, budget)
            rate = 2 * q.numel() * count / ms / 1e9
            rows.append(dict(kernel=name, centroids=count, ms=ms, tflops=rate))
            print(f"  assignment {name:9} {count:5}: {ms:7.3f} ms {rate:6.0f} TFLOP/s", flush=True)
    return rows


def warm_call(q, k, v, dense_ms, budget, name, query_clusters, key_clusters, limit, tail, scorer, passes=1, most=128):
    heads, tokens, D = q.size(1), q.size(2), q.size(3)
    layer = Clustered(q, query_clusters, key_clusters, most=most)
    layer.seed(q, layer.queries, 0)
    layer.seed(k, layer.keys, 1)
    out = torch.empty_like(q)
    for _ in range(3):
        layer.call(q, k, v, out, None, tail, scorer=scorer, limit=limit, passes=passes)
    stages = {
        "prepare": lambda: layer.prepare((layer.queries, 0), (layer.keys, 1)),
        "nearest q": lambda: layer.nearest(layer.part(q), layer.queries),
        "nearest k": lambda: layer.nearest(layer.part(k), layer.keys),
        "sort": lambda: layer.sort(layer.queries, layer.keys),
        "update": lambda: layer.update_both(q, k, v),
        "reseed": lambda: layer.reseed((q, layer.queries, 0), (k, layer.keys, 1)),
        "score": lambda: layer.score(q, scorer=scorer, limit=limit, passes=passes),
        "plan": lambda: layer.plan(tail),
    }
    parts = {stage: milliseconds(run, 3, 5, budget / 10) for stage, run in stages.items()}

    def attend():
        layer.item_count[1] = 0
        layer.attend(q, out, None, tail)
    layer.score(q, scorer=scorer, limit=limit, passes=passes)
    layer.plan(tail)
    parts["attention"] = milliseconds(attend, 3, 5, budget / 2)
    call = lambda: layer.call(q, k, v, out, None, tail, scorer=scorer, limit=limit, passes=passes)
    whole = milliseconds(call, 3, 10, budget)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    replayed = milliseconds(graph.replay, 3, 10, budget)
    density = int(layer.pairs) / heads / tokens ** 2
    exact = torch.nn.functional.scaled_dot_product_attention(q[:, :1], k[:, :1], v[:, :1])
    error = ((out[:, :1].float() - exact.float()).norm() / exact.float().norm()).item()
    sizes = (layer.keys.offsets[:, 1:] - layer.keys.offsets[:, :-1]).float()
    row = dict(preset=name, clusters=(query_clusters, key_clusters), density=density, ms=whole, replayed_ms=replayed,
               stages=parts, times_dense=dense_ms / whole, rate=4 * D * int(layer.pairs) / parts["attention"] / 1e9, error=error,
               largest=sizes.max().item(), empty=(sizes == 0).float().mean().item())
    print(f"  {name:8} {query_clusters}/{key_clusters} density {density:.3f}: {whole:7.2f} ms, "
          f"{row['times_dense']:.2f}x dense; as a graph {replayed:.2f} ms, {dense_ms / replayed:.2f}x; attention {row['rate']:.0f} TFLOP/s, error {error:.3f}, "
          f"largest cluster {row['largest']:.0f}, empty {row['empty']:.2f}\n    "
          + ", ".join(f"{stage} {ms:.3f}" for stage, ms in parts.items()) + " ms", flush=True)
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--json")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for one figure")
    options = parser.parse_args()
    properties = torch.cuda.get_device_properties(0)
    result = dict(card=properties.name, processors=properties.multi_processor_count, torch=torch.__version__, shapes=[])
    print(f"{properties.name}, {properties.multi_processor_count} multiprocessors, torch {torch.__version__}")
    for name in options.shapes.split(","):
        heads, tokens, D = SHAPES[name]
        q, k, v = video_like(heads, tokens, D, len(name))
        flops = 4 * D * heads * tokens ** 2
        times = dense_times(q, k, v, options.seconds)
        best = min(ms for ms in times.values() if ms == ms)
        row = dict(name=name, heads=heads, tokens=tokens, head_dim=D, dense_ms=times)
        print(f"{name}: {heads} x {tokens} x {D}; dense " + ", ".join(
            f"{key} {ms:.2f} ms {flops / ms / 1e9:.0f} TFLOP/s" for key, ms in times.items()), flush=True)
        dense = flops / best / 1e9
        row["attention"] = []
        for parts in ((65, 412), (128, 512)):
            row["attention"] += attention_alone(q, k, v, parts, 0.2, dense, options.seconds)
        row["assignment"] = assignment(q, options.seconds / 2)
        key_clusters = min(1024, max(512, tokens // 32))
        row["calls"] = [
            warm_call(q, k, v, best, options.seconds, "default", 160, key_clusters, 0.10, True, 1),
            warm_call(q, k, v, best, options.seconds, "default, 64 queries speak", 160, key_clusters, 0.10, True, 1, 4),
            warm_call(q, k, v, best, options.seconds, "cluster", min(160, max(48, tokens // 512)), 412, 0.20, False, 0),
            warm_call(q, k, v, best, options.seconds, "cluster", 128, 512, 0.20, False, 0, most=1 << 30),
        ]
        result["shapes"].append(row)
        del q, k, v
        torch.cuda.empty_cache()
        if options.json:
            with open(options.json, "w") as file:
                json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
