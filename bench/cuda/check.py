"""Checks every kernel against plain float32 arithmetic on fresh random input. Prints one line a case; exit code 1 if
any fails. Names of cases as arguments: only those."""
import math
import sys
import traceback

import torch

from pipeline import Clustered

FAILED = []


def expect(name, value, limit):
    good = value <= limit
    if not good:
        FAILED.append(name)
    return f"{name} {value:.3g}" + ("" if good else f" > {limit:g} WRONG")


def relative(a, b):
    return ((a.float() - b.float()).norm() / b.float().norm().clamp_min(1e-20)).item()


def rows_of(images, count, head_dim):
    """Rows out of block images [..., blocks, 8 D] or the same memory in another shape."""
    atoms = images.reshape(-1, head_dim // 64, 8, 8, 8)  # block, atom, row, chunk place, element
    row = torch.arange(8, device=images.device)
    place = row[None, :] ^ row[:, None]  # [row, chunk] -> place
    picked = torch.gather(atoms, 3, place[None, None, :, :, None].expand_as(atoms))
    return picked.permute(0, 2, 1, 3, 4).reshape(-1, head_dim)[:count]


def made_up(shape, dtype, spread=0.6, offset=0.5):
    """Queries, keys, values with clusters of uneven size, keys off the origin."""
    batch, heads, tokens, head_dim = shape
    parts = max(1, tokens // 100)
    device = "cuda"
    weights = torch.distributions.Gamma(2.0, 1.0).sample((batch * heads, parts)).to(device)
    part = torch.multinomial(weights, tokens, replacement=True)
    result = []
    for scale, shift in ((1.0, 0.0), (1.0, offset), (1.0, 0.0)):
        centers = torch.randn(batch * heads, parts, head_dim, device=device) * scale
        x = torch.gather(centers, 1, part[..., None].expand(-1, -1, head_dim))
        x = x + spread * torch.randn_like(x) + shift * torch.randn(head_dim, device=device)
        result.append(x.view(shape).to(dtype))
    return result


def check_assignment(layer, x, side, euclidean, hopper):
    layer.assign(x, side, euclidean, hopper)
    part = layer.part(x).flatten(0, 1).float()
    c = side.centroids
    worst, differ = 0.0, 0.0
    for h in range(layer.heads):
        scores = part[h] @ c[h].T - (c[h].square().sum(1) / 2 if euclidean else 0)
        best, index = scores.max(1)
        label = side.labels[h, layer.video[0]:layer.video[1]].long() & 0xffff
        assert label.max() < side.C
        loss = (best - scores.gather(1, label[:, None])[:, 0]) / (scores.abs().max() + 1e-9)
        worst = max(worst, loss.max().item())
        differ = max(differ, (label != index).float().mean().item())
    return worst, differ


def check_sort(layer, side):
    layer.sort(side)
    labels = side.labels.long() & 0xffff
    if layer.text:
        labels[:, :layer.video[0]] = side.K - 1
        labels[:, layer.video[1]:] = side.K - 1
    order = torch.argsort(labels, dim=1, stable=True)
    sizes = torch.zeros(layer.heads, side.K, device="cuda", dtype=torch.long)
    sizes.scatter_add_(1, labels, torch.ones_like(labels))
    starts = torch.cat([torch.zeros_like(sizes[:, :1]), sizes.cumsum(1)], 1)
    wrong = (order != side.order).sum() + (starts != side.offsets).sum()
    blocks = torch.cat([torch.zeros_like(sizes[:, :1]), ((sizes + 7) // 8).cumsum(1)], 1)
    wrong += (blocks != side.block_starts[:, :side.K + 1]).sum()
    return labels, sizes, wrong.item()


def means(x, labels, sizes):
    sums = torch.zeros(*sizes.shape, x.size(-1), device="cuda")
    sums.scatter_add_(1, labels[..., None].expand(-1, -1, x.size(-1)), x)
    return sums / sizes.clamp_min(1)[..., None]


def check_clusters(layer, q, k, v, text):
    """Labels are what they are; everything that follows from them."""
    keys, D, lines = layer.keys, layer.D, []
    labels, sizes, wrong = check_sort(layer, keys)
    lines.append(expect("sort", wrong, 0))
    before = keys.centroids.clone()
    for buffer in (layer.key_blocks, layer.value_blocks, layer.tail_keys, layer.tail_values, layer.variances):
        buffer.fill_(float("nan"))
    layer.update_both(k, k, v, False)
    kf, vf = k.flatten(0, 1).float(), v.flatten(0, 1).float()
    mean, mean_value = means(kf, labels, sizes), means(vf, labels, sizes)
    spread = means((kf - torch.gather(mean, 1, labels[..., None].expand_as(kf))).square(), labels, sizes)
    full = sizes > 0
    lines.append(expect("mean", relative(torch.where(full[:, :keys.C, None], keys.centroids, 0 * before),
                                         mean[:, :keys.C]), 1e-5))
    kept = torch.where(full[:, :keys.C, None], before * 0, keys.centroids - before).abs().max().item()
    lines.append(expect("kept", kept, 0))
    worst = 0.0
    for h in range(layer.heads):
        count = int(layer.keys.block_starts[h, keys.K]) * 8
        rows = rows_of(layer.key_blocks[h], count, D)
        value_rows = rows_of(layer.value_blocks[h], count, D)
        wanted, wanted_values = torch.zeros_like(rows), torch.zeros_like(rows)
        order = keys.order[h].long()
        cluster = labels[h][order]
        place = keys.block_starts[h].long()[cluster] * 8 + torch.arange(layer.tokens, device="cuda") \
            - keys.offsets[h].long()[cluster]
        wanted[place], wanted_values[place] = k.flatten(0, 1)[h][order], v.flatten(0, 1)[h][order]
        if not (torch.equal(rows, wanted) and torch.equal(value_rows, wanted_values)):
            worst = 1.0
    lines.append(expect("gather", worst, 0))
    points = torch.stack([rows_of(layer.tail_keys[h], keys.KP + 8, D) for h in range(layer.heads)])
    center = points[:, 0].float() + points[:, 1].float()
    lines.append(expect("center", relative(center, keys.center), 1e-3))
    tail = points[:, 8:8 + keys.K].float() + keys.center[:, None]
    lines.append(expect("tail", relative(tail * full[..., None], mean), 4e-3))
    tail_values = torch.stack([rows_of(layer.tail_values[h], keys.KP + 8, D) for h in range(layer.heads)])
    lines.append(expect("tailv", relative(tail_values[:, 8:8 + keys.K], mean_value), 4e-3))
    variance = torch.stack([rows_of(layer.variances[h], keys.KP, D) for h in range(layer.heads)])
    lines.append(expect("var", relative(variance[:, :keys.K], spread), 4e-3))
    if layer.extremes is not None:
        top = torch.full((layer.heads, keys.K, D), -math.inf, device="cuda").scatter_reduce_(
            1, labels[..., None].expand_as(kf), kf, "amax")
        found = layer.extremes[:, 0, :keys.K].float() + keys.center[:, None]
        lines.append(expect("max", relative(found * full[..., None], torch.where(full[..., None], top, 0 * top + 0)
                                            .nan_to_num(0, 0, 0)), 4e-3))
    return labels, sizes, mean, mean_value, spread, lines


def check_queries(layer, q):
    side = layer.queries
    labels, sizes, wrong = check_sort(layer, side)
    before = side.centroids.clone()
    layer.kernels.launch("update_centroids", (side.C, layer.heads), 256, 0, q, *q.stride()[:3], q.size(1),
                         layer.tokens, side.order, side.offsets, side.K, 0, side.C, side.centroids, side.far_distance,
                         side.far_token)
    unit = torch.nn.functional.normalize(q.flatten(0, 1).float(), dim=-1, eps=1e-6)
    direction = torch.nn.functional.normalize(means(unit, labels, sizes), dim=-1)[:, :side.C]
    wanted = torch.where(sizes[:, :side.C, None] > 0, direction, before)
    return labels, [expect("qsort", wrong, 0), expect("qmean", relative(side.centroids, wanted), 1e-5)]


def groups_of(layer, heads_labels):
    starts = layer.group_starts.long()
    positions = torch.arange(layer.tokens, device="cuda")
    group = torch.stack([torch.searchsorted(starts[h, 1:], positions, right=True) for h in range(layer.heads)])
    result = torch.empty_like(group)
    result.scatter_(1, layer.queries.order.long(), group)
    return result


def selected(layer):
    bits = torch.arange(32, device="cuda")
    expanded = (layer.selection.long()[..., None] >> bits & 1).flatten(2)
    return expanded[..., :layer.keys.K].bool()


def check_selection(layer, q, labels, sizes, mean, spread, limit, scorer, rule=0, least=0.0, target=0.0):
    """The same selection by whole matrices; near ties may fall otherwise."""
    scale = 1 / math.sqrt(layer.D)
    layer.selection.fill_(-1)
    layer.score(q, scorer=scorer, rule=rule, limit=limit, least=least, error_target=target)
    chosen = selected(layer)
    qf = q.flatten(0, 1).float()
    different, count, bad = 0, 0, 0
    for h in range(layer.heads):
        groups = int(layer.group_counts[h])
        starts = layer.group_starts[h, :groups + 1].long()
        size = starts[1:] - starts[:-1]
        bad += int((size <= 0).sum()) + int((size > layer.most).sum()) + int(starts[-1] != layer.tokens)
        sample = torch.arange(16, device="cuda")
        at = starts[:-1, None] + (2 * sample + 1) * size[:, None] // 32
        sorted_q = qf[h][layer.queries.order[h].long()]
        logits = scale * sorted_q[at] @ mean[h].T + sizes[h].float().log()
        weight = logits.softmax(-1).mean(1)
        sums = torch.cat([torch.zeros(1, layer.D, device="cuda"), sorted_q.double().square().cumsum(0).float()])
        squares = (sums[starts[1:]] - sums[starts[:-1]]) / size[:, None] * scale ** 2
        error = weight * (squares @ spread[h].T)
        score = weight if scorer == 0 else error / sizes[h].clamp_min(1)
        score = torch.where(sizes[h] > 0, score, -math.inf)
        if layer.text:
            score[:, -1] = -math.inf
        ranked, index = score.sort(dim=1, descending=True, stable=True)
        ranked_sizes = torch.where(ranked > -math.inf, sizes[h][index], 0)
        real = ranked > -math.inf
        before = lambda x: (x := torch.where(real, x, 0)).cumsum(1) - x
        place = torch.arange(len(sizes[h]), device="cuda")
        ranked_error, ranked_weight = error.gather(1, index), weight.gather(1, index)
        candidates = int(real[0].sum())
        taken = [before(ranked_sizes) < math.floor(limit * layer.tokens + 0.5), (place < limit).expand_as(real),
                 (place < max(1, math.floor(limit * candidates + 0.5))).expand_as(real),
                 (before(ranked_weight) < limit) | (place < math.floor(least * candidates + 0.5))][rule] & real
        if target > 0:
            taken &= torch.where(real, ranked_error, 0).sum(1, keepdim=True) - before(ranked_error) > target
        taken[:, 0] = True
        wanted = torch.zeros_like(taken).scatter_(1, index, taken)
        if layer.text:
            wanted[:, -1] = True
            wanted[starts[:-1] >= layer.queries.offsets[h, layer.queries.K - 1]] = sizes[h] > 0
        mine = chosen[h, :groups]
        # Density of what differs: clusters of nearly equal score may change places.
        different += ((mine != wanted).float() @ sizes[h].float()).sum().item()
        count += (wanted.float() @ sizes[h].float()).sum().item()
        bad += int((layer.group_keys[h, :groups] != (mine * sizes[h]).sum(1)).sum())
        bad += int((layer.group_blocks[h, :groups] != (mine * ((sizes[h] + 7) // 8)).sum(1)).sum())
        bad += int((mine & (sizes[h] == 0)).sum())
    return [expect("select", different / count, 0.06 if layer.tokens > 2000 else 0.4), expect("counts", bad, 0)]


def reference(layer, q, k, v, labels, sizes, mean, mean_value, tail):
    """Dense attention under the selection, pseudo-keys for the rest, float32."""
    group = groups_of(layer, labels)
    chosen = selected(layer)
    scale = 1 / math.sqrt(layer.D)
    outs, sums = [], []
    for h in range(layer.heads):
        qf, kf, vf = (x.flatten(0, 1)[h].float() for x in (q, k, v))
        allowed = chosen[h][group[h]]  # [tokens, K]
        logits = (scale * qf @ kf.T).masked_fill(~allowed[:, labels[h]], -math.inf)
        values = vf
        if tail:
            points = scale * qf @ mean[h].T + sizes[h].float().log()
            logits = torch.cat([logits, points.masked_fill(allowed, -math.inf)], 1)
            values = torch.cat([vf, mean_value[h]])
        sums.append(logits.logsumexp(1))
        outs.append((logits.softmax(1) @ values).nan_to_num(0))
    return torch.stack(outs).view(q.shape), torch.stack(sums)


def check_attention(layer, q, k, v, found, tail, name):
    labels, sizes, mean, mean_value = found
    wanted, wanted_sums = reference(layer, q, k, v, labels, sizes, mean, mean_value, tail)
    layer.plan(tail)
    groups = [int(c) for c in layer.group_counts]
    pairs = sum(int(((layer.group_starts[h, 1:] - layer.group_starts[h, :-1])[:g].long()
                     * layer.group_keys[h, :g].long()).sum()) for h, g in enumerate(groups))
    lines = [expect("pairs", abs(pairs - int(layer.pairs)), 0)]
    for hopper in ([False, True] if layer.hopper else [False]):
        layer.plan(tail)
        out = torch.full_like(q, float("nan"))
        lse = torch.full((layer.heads, layer.tokens), float("nan"), device="cuda")
        layer.attend(q, out, lse, tail, hopper)
        torch.cuda.synchronize()
        label = name + (".sm90" if hopper else "")
        lines.append(expect(label, relative(out, wanted), 6e-3))
        lines.append(expect("lse", (lse - wanted_sums).nan_to_num(0).abs().max().item()
                            + lse.isnan().sum().item(), 0.02))
        again = torch.full_like(q, float("nan"))
        layer.plan(tail)
        layer.attend(q, again, None, tail, hopper)
        lines.append(expect("again", 0.0 if torch.equal(out, again) else 1.0, 0))
    return lines


def check_call(layer, q, k, v, tail):
    """A whole warm call: both sides at once equal one after the other; captured in a graph it does the same on new
    input."""
    sides = (layer.queries, layer.keys)
    before = [side.centroids.clone() for side in sides]
    settings = dict(scorer=1, limit=0.2)

    def again():
        for side, centroids in zip(sides, before):
            side.centroids.copy_(centroids)

    def call(out):
        layer.call(q, k, v, out, None, tail, **settings)
        return out, [side.centroids.clone() for side in sides], layer.facts.clone()

    out, moved, facts = call(torch.full_like(q, float("nan")))
    filled = [(s.offsets[:, 1:] > s.offsets[:, :-1]).float().sum(1).mean().item() for s in sides]
    wanted = [int(layer.pairs) / layer.heads / layer.tokens ** 2, filled[1] / layer.tokens if tail else 0, *filled]
    lines = [expect("facts", max(abs(a - b) / max(b, 1e-9) for a, b in zip(facts.tolist(), wanted)), 1e-5)]
    again()
    layer.assign(q, layer.queries, 0)
    layer.sort(layer.queries)
    layer.update(q, layer.queries, 0)
    layer.assign(k, layer.keys, 1)
    layer.sort(layer.keys)
    layer.gather(k, v)
    layer.score(q, **settings)
    layer.plan(tail)
    single = torch.full_like(q, float("nan"))
    layer.attend(q, single, None, tail)
    same = torch.equal(out, single) and all(torch.equal(m, s.centroids) for m, s in zip(moved, sides))
    lines.append(expect("both", 0.0 if same else 1.0, 0))

    captured = torch.full_like(q, float("nan"))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        layer.call(q, k, v, captured, None, tail, **settings)
    for x in (q, k, v):
        x.copy_(torch.roll(x, 17, 2) * 1.25)
    again()
    out, moved, _ = call(torch.full_like(q, float("nan")))
    for _ in range(2):
        again()
        captured.fill_(float("nan"))
        graph.replay()
        torch.cuda.synchronize()
        same = torch.equal(out, captured) and all(torch.equal(m, s.centroids) for m, s in zip(moved, sides))
        lines.append(expect("graph", 0.0 if same else 1.0, 0))
    return lines


def case(shape, dtype, query_clusters, key_clusters, text=(0, 0), limit=0.2, most=128, hopper=True, layout="bhnd",
         labels=None, extremes=True):
    q, k, v = made_up(shape, dtype)
    if layout == "bnhd":
        q, k, v = (x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v))
    layer = Clustered(q, query_clusters, key_clusters, *text, most=most, hopper=hopper, extremes=extremes)
    layer.seed(q, layer.queries, 0)
    layer.seed(k, layer.keys, 1)
    lines = []
    for side, x, euclidean in ((layer.queries, q, 0), (layer.keys, k, 1)):
        for fast in ([False, True] if hopper else [False]):
            worst, differ = check_assignment(layer, x, side, euclidean, fast)
            lines.append(expect("qassign" if not euclidean else "kassign", worst, 0.05) + f"({differ:.3f})")
    if labels is not None:
        layer.keys.labels.copy_(labels.to(torch.int16).expand_as(layer.keys.labels))
    _, more = check_queries(layer, q)
    lines += more
    *found, spread, more = check_clusters(layer, q, k, v, text)
    lines += more
    lines += check_selection(layer, q, *found[:3], spread, limit, 1)
    for tail in (True, False):
        lines += check_attention(layer, q, k, v, found, tail, "tail" if tail else "plain")
    lines += check_selection(layer, q, *found[:3], spread, limit, 0)
    for rule, limit_of_rule, least, target in ((1, 12, 0, 0), (2, 0.15, 0, 0), (3, 0.5, 0.1, 0), (0, 0.3, 0, 0.02)):
        lines += check_selection(layer, q, *found[:3], spread, limit_of_rule, 1, rule, least, target)
    # Everything selected equals dense attention, and how far torch's own is from it.
    layer.score(q, scorer=0, rule=0, limit=1.0)
    lines += check_attention(layer, q, k, v, found, False, "all")
    exact = torch.nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float())
    out = torch.empty_like(q)
    layer.plan(False)
    layer.attend(q, out, None, False)
    sdpa = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    lines.append(expect("dense", relative(out, exact), max(6e-3, 1.3 * relative(sdpa, exact)))
                 + f" (sdpa {relative(sdpa, exact):.3g})")
    if extremes:
        layer.score_vectors(q)
        lines += check_attention(layer, q, k, v, found, False, "quest")
    for tail in (True, False):
        lines += check_call(layer, q, k, v, tail)
    torch.cuda.synchronize()
    return lines


def ragged(tokens, sizes):
    labels = torch.cat([torch.full((s,), j) for j, s in enumerate(sizes)])
    labels = torch.cat([labels, torch.full((tokens - len(labels),), len(sizes))])
    return labels[torch.randperm(tokens)].cuda()


def main(names):
    torch.manual_seed(torch.seed() % (1 << 31))
    bf16, fp16 = torch.bfloat16, torch.float16
    mixed = [1, 7, 0, 8, 9, 0, 0, 127, 128, 129, 1000, 0, 63, 64, 65] + [3] * 30
    cases = {
        "128": dict(shape=(1, 2, 5003, 128), dtype=bf16, query_clusters=65, key_clusters=160),
        "64": dict(shape=(1, 3, 4097, 64), dtype=bf16, query_clusters=48, key_clusters=412),
        "text, batch 2, bnhd": dict(shape=(2, 2, 3001, 128), dtype=bf16, query_clusters=40, key_clusters=100,
                                    text=(226, 0), layout="bnhd"),
        "text behind, fp16": dict(shape=(1, 2, 3077, 64), dtype=fp16, query_clusters=33, key_clusters=129,
                                  text=(0, 77)),
        "fp16 128": dict(shape=(1, 1, 2500, 128), dtype=fp16, query_clusters=65, key_clusters=96),
        "mixed sizes": dict(shape=(1, 2, 5000, 128), dtype=bf16, query_clusters=65, key_clusters=100,
                            labels=ragged(5000, mixed)),
        "one cluster": dict(shape=(1, 1, 3000, 128), dtype=bf16, query_clusters=8, key_clusters=64,
                            labels=torch.full((3000,), 17).cuda()),
        "whole clusters": dict(shape=(1, 2, 5003, 128), dtype=bf16, query_clusters=20, key_clusters=412, most=1 << 30),
        "small": dict(shape=(1, 2, 700, 128), dtype=bf16, query_clusters=9, key_clusters=33, text=(20, 0),
                      labels=ragged(700, [1, 7, 0, 8, 9, 127, 129])),
        "1 token": dict(shape=(1, 1, 1, 64), dtype=bf16, query_clusters=1, key_clusters=1),
        "many short": dict(shape=(1, 3, 4001, 64), dtype=bf16, query_clusters=90, key_clusters=200, extremes=False),
        "many short, 128": dict(shape=(1, 2, 4001, 128), dtype=fp16, query_clusters=80, key_clusters=300,
                                extremes=False),
        "many heads": dict(shape=(2, 9, 4001, 64), dtype=bf16, query_clusters=60, key_clusters=500, extremes=False),
        "many heads, 128": dict(shape=(1, 13, 4001, 128), dtype=bf16, query_clusters=129, key_clusters=300,
                                text=(0, 40), extremes=False),
        "2,000 clusters": dict(shape=(1, 1, 8200, 64), dtype=bf16, query_clusters=160, key_clusters=2000),
    }
    for name, options in cases.items():
        if names and name not in names:
            continue
        try:
            print(f"{name}: " + ", ".join(case(**options)), flush=True)
        except Exception:
            FAILED.append(name)
            print(f"{name}: {traceback.format_exc(-1)}", flush=True)
            torch.cuda.synchronize()
    print("all good" if not FAILED else f"WRONG: {FAILED}")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
