"""One call of clustered attention by the kernels, stage by stage, on tensors [batch, heads, tokens, head size].

The launch contract, in executable form: shapes of the buffers, order of the kernels, grids and shared memory.
"""
import math

import torch

from kernels import HOPPER, PORTABLE, Kernels

TILE_ROWS = 128


def up(x, step):
    return (x + step - 1) // step * step


def attention_bytes(row, tile, stages):
    """Shared memory of attend_sm90: two tiles of queries, stages of keys and values, 6 plans, what is merged, barriers."""
    return up(2 * 128 * row + 2 * stages * tile * row + 6 * (272 + 4 * tile + 16) + 40 + 512 + 64 + 32 * stages + 1024,
              128)


def view(x):
    """Strides of a view as the kernels take them."""
    return x, x.stride(0), x.stride(1), x.stride(2), x.size(1)


def view_without_heads(x):
    return x, x.stride(0), x.stride(1), x.stride(2)


class Side:
    """Centroids and clusters of queries or keys."""

    def __init__(self, heads, tokens, head_dim, centroids, text, dtype, device):
        self.C = centroids
        self.K = centroids + int(text)
        self.CP, self.KP = up(self.C, 32), up(self.K, 32)
        new = lambda *shape, kind=torch.int32: torch.empty(shape, dtype=kind, device=device)
        self.centroids = new(heads, self.C, head_dim, kind=torch.float32)
        self.operand = new(heads, self.CP, head_dim, kind=dtype)
        self.bias = new(heads, self.CP, kind=torch.float32)
        self.center = new(heads, head_dim, kind=torch.float32)
        self.labels = torch.zeros(heads, tokens, dtype=torch.int16, device=device)
        self.chunks = (tokens + 2047) // 2048
        self.counts = new(heads, self.chunks, self.K)
        self.offsets = new(heads, self.K + 1)
        self.block_starts = new(heads, self.KP + 1)
        self.order = new(heads, tokens)
        self.far_distance = new(heads, self.C, kind=torch.float32)
        self.far_token = new(heads, self.C)


class Clustered:
    """State and scratch of one layer's attention."""

    def __init__(self, q, query_clusters, key_clusters, text_before=0, text_after=0, most=TILE_ROWS, hopper=True,
                 arch="sm_90a", extremes=False):
        batch, per_batch, tokens, head_dim = q.shape
        self.heads, self.tokens, self.D = batch * per_batch, tokens, head_dim
        self.text = int(text_before + text_after > 0)
        self.video = (text_before, tokens - text_after)
        self.hopper = hopper
        self.kernels = Kernels(PORTABLE + (HOPPER if hopper else []), head_dim, q.dtype == torch.float16, arch)
        device, dtype = q.device, q.dtype
        self.queries = Side(self.heads, tokens, head_dim, query_clusters, self.text, dtype, device)
        self.keys = Side(self.heads, tokens, head_dim, key_clusters, self.text, dtype, device)
        keys = self.keys
        new = lambda *shape, kind=torch.int32: torch.empty(shape, dtype=kind, device=device)
        self.blocks = (tokens + 7) // 8 + keys.K
        self.key_blocks = new(self.heads, self.blocks, 8 * head_dim, kind=dtype)
        self.value_blocks = new(self.heads, self.blocks, 8 * head_dim, kind=dtype)
        self.tail_keys = new(self.heads, keys.KP + 8, head_dim, kind=dtype)
        self.tail_values = new(self.heads, keys.KP + 8, head_dim, kind=dtype)
        self.log_sizes = new(self.heads, keys.KP, kind=torch.float32)
        self.variances = new(self.heads, keys.KP, head_dim, kind=dtype)
        self.extremes = new(self.heads, 2, keys.KP, head_dim, kind=dtype) if extremes else None
        self.most = most
        self.groups = (tokens + most - 1) // most + self.queries.K
        self.words = keys.KP // 32
        self.group_starts = new(self.heads, self.groups + 1)
        self.group_counts = new(self.heads)
        self.selection = torch.zeros(self.heads, self.groups, self.words, dtype=torch.int32, device=device)
        self.group_blocks = new(self.heads, self.groups)
        self.group_keys = new(self.heads, self.groups)
        self.item_bound = self.heads * ((tokens + TILE_ROWS - 1) // TILE_ROWS + self.groups)
        self.items = new(self.item_bound, 4)
        self.item_count = new(2)
        self.pairs = new(1, kind=torch.int64)
        self.facts = new(5, kind=torch.float32)
        self.flags = torch.zeros(1, dtype=torch.int32, device=device)
        self.processors = torch.cuda.get_device_properties(device).multi_processor_count

    def part(self, x):
        return x[:, :, self.video[0]:self.video[1]]

    def seed(self, x, side, euclidean):
        starts = torch.rand(self.heads, dtype=torch.float64, device=x.device)
        part = self.part(x)
        self.kernels.launch("seed_centroids", (side.C, self.heads), self.D, 0, *view(part), part.size(2), starts,
                            euclidean, side.C, side.centroids)

    def prepare(self, *sides):
        """Centroids of one side or two, each with whether distances count, as right operands."""
        parts = [(s.centroids, None, s.C, s.CP, euclidean, s.operand, s.bias, s.center) for s, euclidean in sides]
        self.kernels.launch("prepare_centroids", (self.heads, len(sides)), 1024, 0, *parts[0], *parts[-1])

    def assign(self, x, side, euclidean, hopper=None, closeness=None):
        self.prepare((side, euclidean))
        self.nearest(self.part(x), side, hopper, closeness)

    def nearest(self, part, side, hopper=None, closeness=None):
        row, count = 2 * self.D, part.size(2)
        labels = side.labels[:, self.video[0]:]
        arguments = (*view(part), count, side.operand, side.bias, side.C, side.CP, labels, self.tokens, closeness,
                     self.flags)
        if self.hopper if hopper is None else hopper:
            stages = 4 if self.D == 64 else 2
            shared = 512 * row + stages * (128 * row + 512 + 16) + 1024
            self.kernels.launch("nearest_centroid_sm90", (self.processors,), 544, shared, self.heads, *arguments)
        else:
            self.kernels.launch("nearest_centroid", ((count + 127) // 128, self.heads), 256, 256 * row, *arguments)

    def sort(self, *sides):
        """One side or two; where queries are the first, they are grouped too."""
        first, second = sides[0], sides[-1]
        clusters, grid = max(s.K for s in sides), (first.chunks, self.heads, len(sides))
        common = (self.tokens, self.tokens, *self.video)
        self.kernels.launch("sort_count", grid, 256, 4 * clusters, *common, first.labels, first.K, first.counts,
                            second.labels, second.K, second.counts)
        groups = (self.group_starts, self.group_counts) if first is self.queries else (None, None)
        parts = [(s.counts, s.K, s.KP, s.offsets, s.block_starts) for s in sides]
        self.kernels.launch("sort_offsets", (self.heads, len(sides)), 1024, 0, first.chunks, *parts[0], *parts[-1],
                            self.most, self.groups, *groups)
        parts = [(s.labels, s.K, s.counts, s.order) for s in sides]
        self.kernels.launch("sort_scatter", grid, 256, 16 * clusters, *common, *parts[0], *parts[-1])

    def update(self, x, side, euclidean):
        self.kernels.launch("update_centroids", (side.C, self.heads), 256, 0, *view(x), self.tokens, side.order,
                            side.offsets, side.K, euclidean, side.C, side.centroids, side.far_distance,
                            side.far_token)
        self.reseed((x, side, euclidean))

    def reseed(self, *sides):
        parts = [(*view_without_heads(x), s.offsets, s.K, euclidean, s.C, s.centroids, s.far_distance, s.far_token)
                 for x, s, euclidean in sides]
        self.kernels.launch("reseed", (self.heads, len(sides)), 256, 0, sides[0][0].size(1), self.tokens, *parts[0],
                            *parts[-1])

    def update_both(self, q, k, v, with_queries=True):
        keys, queries = self.keys, self.queries
        name = "update_both" if self.extremes is None else "update_both_extremes"
        first = queries.C if with_queries else 0
        self.kernels.launch(name, (first + keys.KP, self.heads), 256, 0, *view_without_heads(q), queries.order,
                            queries.offsets, queries.K, 0, first, queries.centroids, queries.far_distance,
                            queries.far_token, *view_without_heads(k), *view_without_heads(v), k.size(1), self.tokens,
                            keys.order, keys.offsets, keys.block_starts, keys.center, keys.C, keys.K, keys.KP,
                            keys.centroids, self.blocks, self.key_blocks, self.value_blocks, self.tail_keys,
                            self.tail_values, self.log_sizes, self.variances, self.extremes, keys.far_distance,
                            keys.far_token)

    def gather(self, k, v):
        """The last update of keys alone."""
        self.update_both(k, k, v, False)
        self.reseed((k, self.keys, 1))

    def score(self, q, scorer=1, rule=0, limit=0.1, least=0.0, error_target=0.0, passes=1, together=4):
        keys = self.keys
        row = 2 * self.D
        shared = together * (max(16 * row, 4 * keys.KP) + 8 * keys.KP) + 16 * row + 4 * keys.KP
        self.kernels.launch("score_queries" if together == 4 else "score_queries_one",
                            ((self.groups + together - 1) // together, self.heads), 256, shared, *view(q), self.tokens,
                            self.queries.order, self.group_starts, self.group_counts, self.groups,
                            self.queries.offsets, self.queries.K, self.text, self.tail_keys, self.log_sizes,
                            self.variances, keys.offsets, keys.K, keys.KP, 1 / math.sqrt(self.D), passes, scorer,
                            rule, limit, least, error_target, self.selection, self.group_blocks, self.group_keys)

    def score_vectors(self, q, kind=0, rule=2, limit=0.15, least=0.0):
        keys = self.keys
        shared = 12 * keys.KP
        self.kernels.launch("score_vectors", (self.groups, self.heads), 256, shared, *view(q), self.tokens,
                            self.queries.order, self.group_starts, self.group_counts, self.groups,
                            self.queries.offsets, self.queries.K, self.text, kind, self.extremes, self.tail_keys,
                            self.log_sizes, keys.center, keys.offsets, keys.K, keys.KP, 1 / math.sqrt(self.D), rule,
                            limit, least, self.selection, self.group_blocks, self.group_keys)

    def plan(self, tail):
        self.kernels.launch("plan_items", (1,), 1024, 0, self.group_starts, self.group_counts, self.groups, self.heads,
                            self.group_blocks, self.group_keys, TILE_ROWS, self.keys.KP // 8 + 1 if tail else 0,
                            self.queries.offsets, self.queries.K, self.keys.offsets, self.keys.K, self.tokens,
                            self.items, self.item_count, self.pairs, self.facts)

    def attend(self, q, out, lse=None, tail=True, hopper=None):
        keys, row = self.keys, 2 * self.D
        tail_parts = (self.tail_keys, self.tail_values, self.log_sizes) if tail else (None, None, None)
        arguments = (*view(q), self.tokens, self.queries.order, self.key_blocks, self.value_blocks, self.blocks,
                     keys.offsets, keys.block_starts, keys.K, keys.KP, *tail_parts, self.selection, self.groups,
                     self.group_blocks, self.items, self.item_count, 1 / math.sqrt(self.D),
                     *view_without_heads(out), lse)
        if self.hopper if hopper is None else hopper:
            tile = 128 if self.D == 128 else 192
            shared = attention_bytes(row, tile, 2)
            self.kernels.launch("attend_sm90", (self.processors,), 384, shared, *arguments)
        else:
            self.kernels.launch("attend", (self.item_bound,), 256, 384 * row, *arguments)

    def call(self, q, k, v, out, lse=None, tail=True, **selection):
        """A warm call: one iteration on both sides, selection, attention."""
        self.prepare((self.queries, 0), (self.keys, 1))
        self.nearest(self.part(q), self.queries)
        self.nearest(self.part(k), self.keys)
        self.sort(self.queries, self.keys)
        self.update_both(q, k, v)
        self.reseed((q, self.queries, 0), (k, self.keys, 1))
        self.score(q, **selection)
        self.plan(tail)
        self.attend(q, out, lse, tail)
