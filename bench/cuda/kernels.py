"""Compiles the kernels of the attention module with NVRTC and launches them on torch tensors.

Only libcuda, libnvrtc and PyTorch are needed. Cubins are kept in a folder (CUBINS, else ./cubins), under a hash of
source, options and compiler, so that a machine without a card can compile them beforehand: python3 kernels.py
"""
import ctypes
import glob
import hashlib
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.environ.get("KERNELS") or os.path.join(
    HERE, "../../attention/src/main/resources/dev/gossamer/attention/cuda")
CUBINS = os.environ.get("CUBINS") or os.path.join(HERE, "cubins")
KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(')
C_TYPES = {"int": ctypes.c_int, "i64": ctypes.c_longlong, "float": ctypes.c_float, "double": ctypes.c_double}


def library(name):
    places = [name] + [p for root in sys.path for p in glob.glob(os.path.join(root, "nvidia/*/lib", name + "*"))]
    places += glob.glob("/usr/local/cuda*/lib64/" + name + "*")
    for place in places:
        try:
            return ctypes.CDLL(place)
        except OSError:
            pass
    raise OSError(f"{name} is not on this machine")


def include_folder():
    places = glob.glob("/usr/local/cuda*/include/cuda_bf16.h")
    places += [p for root in sys.path for p in glob.glob(os.path.join(root, "nvidia/*/include/cuda_bf16.h"))]
    return os.path.dirname(places[0])


def read(name):
    with open(os.path.join(SOURCES, name)) as file:
        return file.read()


def compile_source(source, options):
    """NVRTC on one .cu file; the .cuh files beside it are handed over by name."""
    library("libnvrtc-builtins.so.13.0")  # NVRTC looks for it by name
    nvrtc = library("libnvrtc.so.13")
    headers = sorted(os.path.basename(p) for p in glob.glob(os.path.join(SOURCES, "*.cuh")))
    key = hashlib.sha256("\0".join([read(h) for h in headers] + [source] + options).encode()).hexdigest()[:24]
    path = os.path.join(CUBINS, key + ".cubin")
    if os.path.exists(path):
        with open(path, "rb") as file:
            return file.read()
    array = lambda texts: (ctypes.c_char_p * len(texts))(*[t.encode() for t in texts])
    program = ctypes.c_void_p()
    code = nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", len(headers),
                                    array([read(h) for h in headers]), array(headers))
    assert code == 0, code
    all_options = options + ["-I" + include_folder()]
    code = nvrtc.nvrtcCompileProgram(program, len(all_options), array(all_options))
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if code != 0:
        raise RuntimeError(log.value.decode())
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    cubin = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, cubin)
    os.makedirs(CUBINS, exist_ok=True)
    with open(path + str(os.getpid()), "wb") as file:
        file.write(cubin.raw)
    os.replace(path + str(os.getpid()), path)
    return cubin.raw


def signature(source, kernel):
    """Argument types of a kernel, out of its source."""
    start = next(match.end() for match in KERNEL.finditer(source) if match.group(1) == kernel)
    text = source[start:source.index(")", start)]
    types = []
    for parameter in text.split(","):
        types.append(ctypes.c_void_p if "*" in parameter else C_TYPES[parameter.split()[-2]])
    return types


class Kernels:
    """The kernels of some files for one head size, element type and architecture."""

    def __init__(self, files, head_dim, fp16, arch, defines=()):
        import torch
        self.torch = torch
        self.driver = ctypes.CDLL("libcuda.so.1")
        torch.zeros(1, device="cuda")
        self.functions = {}
        for name in files:
            source = read(name)
            cubin = compile_source(source, options(head_dim, fp16, arch, defines))
            module = ctypes.c_void_p()
            self.check(self.driver.cuModuleLoadData(ctypes.byref(module), cubin))
            for kernel in KERNEL.findall(source):
                function = ctypes.c_void_p()
                self.check(self.driver.cuModuleGetFunction(ctypes.byref(function), module, kernel.encode()))
                self.functions[kernel] = (function, signature(source, kernel))

    def check(self, code):
        if code != 0:
            text = ctypes.c_char_p()
            self.driver.cuGetErrorString(code, ctypes.byref(text))
            raise RuntimeError(f"CUDA {code}: {text.value}")

    def launch(self, kernel, grid, block, shared, *arguments):
        function, types = self.functions[kernel]
        assert len(types) == len(arguments), (kernel, len(types), len(arguments))
        values = []
        for kind, argument in zip(types, arguments):
            if kind is ctypes.c_void_p:
                argument = argument.data_ptr() if isinstance(argument, self.torch.Tensor) else argument or 0
            values.append(kind(argument))
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(v) for v in values])
        grid = tuple(grid) + (1,) * (3 - len(grid))
        if shared > 0:
            self.check(self.driver.cuFuncSetAttribute(function, 8, int(shared)))
        stream = ctypes.c_void_p(self.torch.cuda.current_stream().cuda_stream)
        self.check(self.driver.cuLaunchKernel(function, *[int(g) for g in grid], int(block), 1, 1, int(shared), stream,
                                              pointers, None))


def options(head_dim, fp16, arch, defines=()):
    return ["--std=c++17", f"-DHEAD_DIM={head_dim}", f"-DELEMENT_FP16={int(fp16)}", f"--gpu-architecture={arch}"] + ["-D" + d for d in defines]


PORTABLE = ["kmeans.cu", "select.cu", "attention.cu"]
HOPPER = ["kmeans_sm90.cu", "attention_sm90.cu"]


def cubin_size(job):
    return len(compile_source(read(job[0]), job[1]))


def compile_all(archs):
    """Compiles everything, side by side; the Hopper kernels for sm_90a only."""
    jobs = []
    for head_dim in (64, 128):
        for fp16 in (False, True):
            jobs += [(f, options(head_dim, fp16, arch)) for f in PORTABLE for arch in archs]
            jobs += [(f, options(head_dim, fp16, "sm_90a")) for f in HOPPER if "sm_90a" in archs]
    with ProcessPoolExecutor(int(os.environ.get("PROCESSES", "2"))) as pool:
        for (name, flags), size in zip(jobs, pool.map(cubin_size, jobs)):
            print(f"{name:20} {' '.join(flags[1:4])} {size} bytes")


if __name__ == "__main__":
    compile_all(sys.argv[1:] or ["sm_80", "sm_90a"])
