"""Checks and times the kernels of the tensor module that work row by row against PyTorch's operations, of which the
Java side makes the same chain. Exit code 1 if any is wrong.

python3 rows.py [--quick | small]

--quick checks numbers only; small too, at a few odd shapes and the row kernels alone, for compute-sanitizer.
"""
import os
import sys

os.environ["KERNELS"] = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                     "../../tensor/src/main/resources/dev/gossamer/tensor/nn")

import torch

from kernels import Kernels

F = torch.nn.functional
FAILED = []
SHAPES = {"wan-1.3b": (32760, 1536, 128, 8960), "cogvideox-2b": (28576, 1920, 64, 7680), "wan-14b": (75600, 5120, 128, 13824),
          "hunyuan": (75856, 3072, 128, 12288)}
ODD = {"one row": (1, 128, 64, 0), "less than a block": (3, 384, 128, 0), "not whole chunks": (5, 1088, 64, 0), "long": (37, 5120, 128, 0)}


def milliseconds(*runs, times=9):
    """Median of each, in turn, so that all meet the same clocks."""
    found = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(times):
        for run, ms in zip(runs, found):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            run()
            end.record()
            torch.cuda.synchronize()
            ms.append(begin.elapsed_time(end))
    return [sorted(ms)[times // 2] for ms in found]


def relative(a, b):
    return ((a.float() - b.float()).norm() / b.float().norm()).item()


def rotate(x, table):
    turned = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * torch.view_as_complex(table.unflatten(-1, (-1, 2)))[:, None]
    return torch.view_as_real(turned).flatten(-2)


class Rows:
    def __init__(self, width, head_dim, dtype):
        self.width, self.head_dim, self.dtype = width, head_dim, dtype
        self.kernels = Kernels(["rows.cu"], head_dim, dtype == torch.float16, "sm_90a", (f"WIDTH={width}",))

    def add_layer_norm(self, x, y, gate, weight, bias, eps, out):
        self.kernels.launch("add_layer_norm", (x.size(0),), 128, 0, x, x.stride(0), y, 0 if y is None else y.stride(0),
                            gate, weight, bias, eps, out, out.stride(0))

    def project_heads(self, x, norm, weight, bias, eps, table, out):
        """out: [heads, rows, head_dim]"""
        self.kernels.launch(f"project_heads_{self.head_dim}", (x.size(0),), 128, 0, x, x.stride(0), norm, weight, bias, eps, table, out,
                            out.stride(0), out.stride(1))


def run(name, tokens, width, head_dim, inner, dtype, measured):
    new = lambda *shape, kind=torch.float32: torch.randn(*shape, device="cuda", dtype=kind)
    rows, heads, eps = Rows(width, head_dim, dtype), width // head_dim, 1e-6
    x, y = new(tokens, width) * 3 + 1, new(tokens, width, kind=dtype)
    gate, weight, bias = new(width), new(width), new(width)
    angles = new(tokens, head_dim // 2)
    table = torch.stack([angles.cos(), angles.sin()], -1).flatten(1)
    out, out_heads = torch.empty_like(y), torch.empty(heads, tokens, head_dim, device="cuda", dtype=dtype)
    lines = []

    def compare(what, plain, fused, plain_result, fused_result, limit):
        plain()
        fused()
        found = relative(fused_result(), plain_result())
        good = found <= limit
        if not good:
            FAILED.append(f"{name} {what}")
        text = f"{what} {found:.2g}" + ("" if good else " WRONG")
        if measured:
            text += " {:.3f} to {:.3f} ms".format(*milliseconds(plain, fused))
        lines.append(text)

    limit = 3e-3 if dtype == torch.bfloat16 else 4e-4
    kept = {}
    compare("norm", lambda: kept.update(a=F.layer_norm(x, (width,), weight, bias, eps).to(dtype)),
            lambda: rows.add_layer_norm(x, None, None, weight, bias, eps, out), lambda: kept["a"], lambda: out, limit)
    for g in (gate, None):
        first, second = x.clone(), x.clone()

        def plain():
            if not measured:
                first.copy_(x)
            first.addcmul_(y, g) if g is not None else first.add_(y)
            kept["a"] = F.layer_norm(first, (width,), weight, bias, eps).to(dtype)

        def fused():
            if not measured:
                second.copy_(x)
            rows.add_layer_norm(second, y, g, weight, bias, eps, out)
        compare("gate, norm" if g is not None else "add, norm", plain, fused, lambda: kept["a"], lambda: out,
                limit)
        if not measured:
            compare("sum", plain, fused, lambda: first, lambda: second, 1e-6)
    head_weight, head_bias = new(head_dim), new(head_dim)
    split = lambda t: t.unflatten(-1, (heads, head_dim))
    chains = {
        "heads": (0, None, None, lambda: split(y)),
        "rms of row, turned": (1, weight, None, lambda: rotate(split(F.rms_norm(y.float(), (width,), weight, eps)), table)),
        "rms of head, turned": (2, head_weight, None,
                                lambda: rotate(F.rms_norm(split(y).float(), (head_dim,), head_weight, eps), table)),
        "norm of head, turned": (3, head_weight, head_bias,
                                 lambda: rotate(F.layer_norm(split(y).float(), (head_dim,), head_weight, head_bias, eps), table)),
    }
    for what, (norm, w, b, chain) in chains.items():
        wanted = torch.empty_like(out_heads)
        compare(what, lambda: wanted.copy_(chain().transpose(0, 1)),
                lambda: rows.project_heads(y, norm, w, b, eps, table if norm else None, out_heads), lambda: wanted,
                lambda: out_heads, limit)
    # The activation behind a product: as libtorch's product does it at its end.
    if inner:
        check_activation(y, inner, compare, limit, lines, measured)
    print(f"{name} {dtype}: " + ", ".join(lines), flush=True)


def check_activation(y, inner, compare, limit, lines, measured):
    new = lambda *shape: torch.randn(*shape, device="cuda", dtype=y.dtype)
    width, kept = y.size(1), {}
    up, up_bias = new(inner, width) * width ** -0.5, new(inner)
    compare("gelu", lambda: kept.update(a=F.gelu(F.linear(y, up, up_bias), approximate="tanh")),
            lambda: kept.update(b=torch._addmm_activation(up_bias, y, up.t(), use_gelu=True)), lambda: kept["a"],
            lambda: kept["b"], 2 * limit)
    if measured:
        both, chain, alone = milliseconds(lambda: torch._addmm_activation(up_bias, y, up.t(), use_gelu=True),
                                          lambda: F.gelu(F.linear(y, up, up_bias), approximate="tanh"),
                                          lambda: F.linear(y, up, up_bias))
        lines.append(f"in turn: at once {both:.3f}, chain {chain:.3f}, product alone {alone:.3f} ms")


def main(quick, small):
    torch.manual_seed(1)
    for dtype in (torch.bfloat16, torch.float16):
        for name, (tokens, width, head_dim, inner) in (ODD if small else SHAPES).items():
            run(name, tokens if small else 333, width, head_dim, inner, dtype, False)
    if not quick and not small:
        for name in ("wan-1.3b", "cogvideox-2b", "hunyuan", "wan-14b"):
            run(name, *SHAPES[name], torch.bfloat16, True)
            torch.cuda.empty_cache()
    print("all good" if not FAILED else f"WRONG: {FAILED}")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main("--quick" in sys.argv, "small" in sys.argv))
