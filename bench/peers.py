#!/usr/bin/env python3
"""Times Intact, ONNX Runtime and OpenVINO on the same nets, side by side.

All engines take turns: in every round each of them runs a short burst, so that whatever else the machine does
falls on all of them alike. Load times and memory come from processes of their own. See bench/README.md.
"""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import environment

ENGINES = ["Intact", "ONNX Runtime", "OpenVINO"]
FORMS = ["int8", "dynamic", "float"]  # the files that a net may have
DEFAULT_MODELS = ["mobilenetv2-12-qdq.onnx", "mobilenetv2-12-qoperator.onnx",
                  "mobilenetv2-tv-qdq-perchannel.onnx", "mobilenetv2-12-float.onnx"]


def status_mb(field, pid="self"):
    """A figure of /proc/PID/status in MB; None when the process is gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


# --- a worker: one peer with one model in a process of its own, commanded through pipes


def concrete(name, extents, shapes):
    """Unknown first extents are 1; others must be given with --shape."""
    if name in shapes:
        return shapes[name]
    fixed = [e if isinstance(e, int) and e > 0 else (1 if i == 0 else None) for i, e in enumerate(extents)]
    if None in fixed:
        raise ValueError(f"input '{name}' has unknown extents {extents}; give --shape {name}=1x3x224x224")
    return fixed


def random_input(shape, dtype, generator):
    import numpy as np
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)  # as `intact bench` does
    if dtype.kind == "b":
        return generator.integers(0, 2, shape).astype(dtype)
    return generator.integers(0, 2 if dtype.itemsize > 1 else 127, shape).astype(dtype)


def load_onnxruntime(task):
    import numpy as np
    import onnxruntime
    types = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2", "tensor(bool)": "?",
             "tensor(uint8)": "u1", "tensor(int8)": "i1", "tensor(int32)": "i4", "tensor(int64)": "i8"}

    def load():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = task["threads"]
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(task["model"], options, providers=["CPUExecutionProvider"])

    def prepare(session):
        generator = np.random.default_rng(task["seed"])
        inputs = {i.name: random_input(concrete(i.name, i.shape, task["shapes"]), types[i.type], generator)
                  for i in session.get_inputs()}
        return lambda: session.run(None, inputs)

    return load, prepare, lambda session: {}


def load_openvino(task):
    import numpy as np
    import openvino

    def load():
        core = openvino.Core()
        model = core.read_model(task["model"])
        shapes = {}
        for port in model.inputs:
            extents = [d.get_length() if d.is_static else -1 for d in port.get_partial_shape()]
            shapes[port.get_any_name()] = concrete(port.get_any_name(), extents, task["shapes"])
        if model.is_dynamic():
            model.reshape(shapes)
        settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": task["threads"]}
        if task["float_type"]:
            settings["INFERENCE_PRECISION_HINT"] = task["float_type"]
        return core.compile_model(model, "CPU", settings)

    def prepare(compiled):
        generator = np.random.default_rng(task["seed"])
        inputs = [random_input(list(port.shape), port.element_type.to_dtype(), generator) for port in compiled.inputs]
        request = compiled.create_infer_request()
        for port, values in zip(compiled.inputs, inputs):
            request.set_tensor(port, openvino.Tensor(values))
        return request.infer

    def notes(compiled):
        return {"float_type": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()}

    return load, prepare, notes


def burst(run, runs):
    """Milliseconds of each of `runs` runs after one that warms up, as `intact bench` does it."""
    run()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1000)
    return {"min_ms": min(times), "median_ms": statistics.median(times)}


def work(task):
    """Answers each line of stdin, the number of runs of a burst, with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the engine prints goes elsewhere

    def answer(figures):
        print(json.dumps(figures), file=answers, flush=True)

    try:
        load, prepare, notes = {"ONNX Runtime": load_onnxruntime, "OpenVINO": load_openvino}[task["engine"]](task)
        imported_mb = status_mb("VmRSS")
        begin = time.perf_counter()
        session = load()
        load_ms = (time.perf_counter() - begin) * 1000
        run = prepare(session)
        begin = time.perf_counter()
        run()
        first_ms = (time.perf_counter() - begin) * 1000
    except Exception as error:  # an engine may refuse a model in any way
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        telling = [line for line in lines if not line.startswith("Exception from")]
        return answer({"error": " ".join(telling or lines or [type(error).__name__])[:300]})
    answer({"load_ms": load_ms, "first_ms": first_ms, "imported_mb": imported_mb, **notes(session)})
    for line in sys.stdin:
        answer({**burst(run, int(line)), "peak_mb": status_mb("VmHWM")})


# --- what competes


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One engine on one file of a net."""

    net: str
    form: str  # of FORMS; empty for a model that was named alone
    engine: str
    model: pathlib.Path
    threads: int
    float_type: str = ""  # of OpenVINO; empty: its default

    def label(self):
        return " ".join(word for word in (self.engine, self.float_type or self.form) if word)


def contestants(arguments):
    """All that run, net by net: {net: [Contestant]}. Float files run in OpenVINO as bf16 and as f32."""
    nets = {}
    for net, files in arguments.nets.items():
        for form, model in files.items():
            for engine in arguments.engines:
                float_types = [""]
                if engine == "OpenVINO" and (form == "float" or arguments.f32):
                    float_types = ["f32"] if arguments.f32 else ["bf16", "f32"]
                for threads in arguments.threads:
                    nets.setdefault(net, []).extend(
                        Contestant(net, form, engine, model, threads, float_type) for float_type in float_types)
    return nets


# --- engines as the session sees them: start() gives load figures, burst(runs) gives times


class Refused(Exception):
    pass


class Peer:
    def __init__(self, task):
        self.process = subprocess.Popen([sys.executable, __file__, "--worker", json.dumps(task)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def read(self):
        line = self.process.stdout.readline()
        figures = json.loads(line) if line else {"error": "the process ended unexpectedly"}
        if "error" in figures:
            self.close()
            raise Refused(figures["error"])
        return figures

    def start(self):
        return self.read()

    def burst(self, runs):
        print(runs, file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Intact:
    """Every burst is a process of its own: it loads, runs once, and then `runs` times with the clock on."""

    def __init__(self, arguments, task, folder):
        self.json = pathlib.Path(folder) / "bench.json"
        self.command = [arguments.intact, "bench", task["model"], "--threads", str(task["threads"]), "--json", self.json]
        if arguments.isa:
            self.command += ["--isa", arguments.isa]
        for name, extents in task["shapes"].items():
            self.command += ["--shape", f"{name}={'x'.join(map(str, extents))}"]

    def start(self):
        return {}

    def burst(self, runs):
        self.json.unlink(missing_ok=True)
        process = subprocess.Popen([*self.command, "--runs", str(runs)], text=True, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        peak = 0.0
        # The peak that the program itself could ask for may be that of the process that started it.
        while process.poll() is None:
            peak = max(peak, status_mb("VmHWM", process.pid) or 0.0)
            time.sleep(0.005)
        if process.returncode != 0:
            raise Refused(process.stderr.read().strip().removeprefix("error: "))
        return {**json.loads(self.json.read_text()), "peak_mb": peak}

    def close(self):
        pass


def start_engine(arguments, contestant, folder):
    task = {"engine": contestant.engine, "model": str(contestant.model), "threads": contestant.threads,
            "seed": arguments.seed, "shapes": arguments.shapes, "float_type": contestant.float_type}
    return Intact(arguments, task, folder) if contestant.engine == "Intact" else Peer(task)


# --- the session


def measure_start(arguments, contestant, folder):
    """Load time, time to the first result and peak memory: the least of several fresh processes."""
    samples = []
    for _ in range(arguments.loads):
        running = start_engine(arguments, contestant, folder)
        figures = running.start()
        figures |= running.burst(5)
        running.close()
        figures["ready_ms"] = figures["load_ms"] + figures["first_ms"]
        samples.append(figures)
    result = {key: min(sample[key] for sample in samples) for key in ("load_ms", "ready_ms", "peak_mb")}
    for key in ("imported_mb", "float_type", "isa"):
        if key in samples[0]:
            result[key] = samples[0][key]
    return result


def compare_net(arguments, competing, folder):
    """Figures by contestant; {"error": ...} where an engine refuses the file."""
    results, running, bursts = {}, {}, {}
    for contestant in competing:
        try:
            results[contestant] = measure_start(arguments, contestant, folder)
            running[contestant] = start_engine(arguments, contestant, folder)
            running[contestant].start()
            bursts[contestant] = []
        except Refused as refusal:
            results[contestant] = {"error": str(refusal)}
            running.pop(contestant, None)
    order = random.Random(arguments.seed)
    turn = list(running)
    for _ in range(arguments.rounds):
        order.shuffle(turn)  # nobody always follows the same neighbour
        for contestant in turn:
            bursts[contestant].append(running[contestant].burst(arguments.runs))
    for contestant, times in bursts.items():
        running[contestant].close()
        results[contestant]["min_ms"] = min(t["min_ms"] for t in times)
        results[contestant]["median_ms"] = statistics.median(t["median_ms"] for t in times)
    return results


def compare(arguments, folder):
    """One net after the other, so that only one net's processes hold memory."""
    nets = contestants(arguments)
    results = {}
    progress = environment.Progress("nets", len(nets))
    for competing in nets.values():
        results |= compare_net(arguments, competing, folder)
        progress.step()
    return results


# --- tables


def own_runs(results):
    """Intact's successful int8 and dynamic runs; of a net without such files, those that there are."""
    own = [c for c, figures in results.items() if c.engine == "Intact" and "error" not in figures]
    quantized = {c.net for c in own if c.form in ("int8", "dynamic")}
    return [c for c in own if c.form != "float" or c.net not in quantized]


def best_peer(results, own):
    """The fastest run of any other engine on the net with as many threads; None when all refuse it."""
    peers = [c for c, figures in results.items() if c.net == own.net and c.threads == own.threads
             and c.engine != "Intact" and "error" not in figures]
    return min(peers, key=lambda c: results[c]["min_ms"], default=None)


def table(results):
    first_own = {(c.net, c.threads): results[c] for c in reversed(own_runs(results))}
    rows = []
    for contestant, figures in results.items():
        name = [contestant.net, contestant.label(), str(contestant.threads)]
        if "error" in figures:
            rows.append([*name, "refused", *[""] * 6])
            continue
        own = first_own.get((contestant.net, contestant.threads), {})
        ratios = [f"{figures[key] / own[key]:.2f}" if key in own else "" for key in ("min_ms", "median_ms")]
        rows.append([*name, f"{figures['min_ms']:.2f}", f"{figures['median_ms']:.2f}", *ratios,
                     f"{figures['load_ms']:.0f}", f"{figures['ready_ms']:.0f}", f"{figures['peak_mb']:.0f}"])
    return environment.markdown_table(["net", "engine", "threads", "min ms", "median ms", "min / Intact",
                                       "median / Intact", "load ms", "load + first run ms", "peak MB"], rows)


def summary(results):
    """Best peer / Intact of each net, and the geometric mean for each number of threads."""
    rows, ratios = [], {}
    for own in own_runs(results):
        best = best_peer(results, own)
        if best is None:
            continue
        by_min, by_median = (results[best][key] / results[own][key] for key in ("min_ms", "median_ms"))
        ratios.setdefault(own.threads, []).append(by_min)
        rows.append([own.net, own.form, str(own.threads), f"{results[own]['min_ms']:.2f}", best.label(),
                     f"{results[best]['min_ms']:.2f}", f"{by_min:.2f}", f"{by_median:.2f}"])
    means = [f"Geometric mean of best peer / Intact with {threads} thread(s), by minimum: "
             f"{math.exp(statistics.mean(map(math.log, values))):.2f}." for threads, values in ratios.items()]
    return "\n\n".join([environment.markdown_table(["net", "form", "threads", "Intact ms", "best peer", "its ms",
                                                    "ratio of minima", "ratio of medians"], rows), *means])


def draw(results, path):
    """A group of bars for each net: the least time of every engine relative to Intact's."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    nets = list(dict.fromkeys((c.net, c.threads) for c in results))
    labels = list(dict.fromkeys(c.label() for c in results))
    own = {(c.net, c.threads): results[c]["min_ms"] for c in reversed(own_runs(results))}
    height = 0.8 / len(labels)
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.16 * len(labels) * len(nets)), layout="constrained")
    for index, label in enumerate(labels):
        bars = [(row + index * height, figures["min_ms"] / own[net]) for row, net in enumerate(nets)
                for c, figures in results.items()
                if (c.net, c.threads) == net and c.label() == label and "error" not in figures and net in own]
        if bars:
            axes.barh(*zip(*bars), height=height, label=label)
    axes.set_yticks([row + 0.4 for row in range(len(nets))],
                    [f"{net} ({threads})" for net, threads in nets])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time relative to Intact (threads in brackets), shorter is faster")
    axes.legend(fontsize="small")
    figure.savefig(path)


def parse_shape(text):
    name, _, extents = text.rpartition("=")
    try:
        return name, [int(extent) for extent in extents.split("x")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: NAME=1x3x224x224 is expected")


def read_nets(folder, wanted):
    """The manifest that bench/nets.py writes: {net: {form: file}}."""
    manifest = folder / "nets.json"
    if not manifest.is_file():
        sys.exit(f"error: {manifest} does not exist; bench/nets.py writes it")
    nets = {net: {form: (folder / files[form]).resolve() for form in FORMS if form in files}
            for net, files in json.loads(manifest.read_text()).items()}
    unknown = set(wanted or []) - set(nets)
    if unknown:
        sys.exit(f"error: {manifest} has no {', '.join(sorted(unknown))}; it has {', '.join(nets)}")
    return {net: nets[net] for net in wanted or nets}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=pathlib.Path, help="ONNX files, int8 or float, each a net of its own")
    parser.add_argument("--nets", type=pathlib.Path, metavar="DIR", help="the nets of bench/nets.py, in all their forms")
    parser.add_argument("--net", action="append", metavar="NAME", help="of these nets only this one (repeatable)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=25, help="bursts of every engine")
    parser.add_argument("--runs", type=int, default=30, help="runs of a burst")
    parser.add_argument("--loads", type=int, default=3, help="fresh processes for load time and memory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shape", type=parse_shape, action="append", default=[], help="NAME=1x3x224x224")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--isa", help="greatest instruction set of Intact")
    parser.add_argument("--f32", action="store_true",
                        help="OpenVINO computes float in f32 only (by default in bf16 where the CPU can)")
    parser.add_argument("--cpus", help="run everything on these CPUs only, as 0,1")
    parser.add_argument("--chart", type=pathlib.Path, help="draw the times as SVG, PNG or PDF")
    environment.add_arguments(parser)
    arguments = parser.parse_args()
    arguments.shapes = dict(arguments.shape)
    data = environment.test_data()
    models = arguments.models
    if not models and not arguments.nets and data:
        models = [data / "models" / name for name in DEFAULT_MODELS]
    if not models and not arguments.nets:
        parser.error("no models given, and no test data found (INTACT_TEST_DATA)")
    for model in models:
        if not model.is_file():
            parser.error(f"{model} does not exist")
    folder = arguments.nets
    arguments.nets = {model.stem: {"": model.resolve()} for model in models}
    if folder:
        arguments.nets |= read_nets(folder, arguments.net)
    return arguments


def report(arguments, conditions, results):
    threads = " and ".join(map(str, arguments.threads))
    heading = (f"{environment.describe(conditions)} {threads} thread(s), {arguments.rounds} rounds of "
               f"{arguments.runs} runs, engines taking turns.")
    refusals = [f"{c.label()} refuses {c.model.name}: {figures['error']}"
                for c, figures in results.items() if "error" in figures]
    defaults = {figures["float_type"] for c, figures in results.items() if "float_type" in figures and not c.float_type}
    notes = [f"OpenVINO computes float in {' and '.join(sorted(defaults))} where the table names no type."] if defaults else []
    text = "\n\n".join([heading, summary(results), table(results), *notes, *refusals])
    figures = [{"net": c.net, "form": c.form, "engine": c.label(), "threads": c.threads, "model": c.model.name, **values}
               for c, values in results.items()]
    environment.write_results(arguments, text, {**conditions, "rounds": arguments.rounds, "runs": arguments.runs,
                                                "results": figures})
    if arguments.chart:
        draw(results, arguments.chart)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        return work(json.loads(sys.argv[2]))
    arguments = parse_arguments()
    arguments.intact = environment.find_intact(arguments.intact)
    environment.enter_venv(arguments.venv)
    if arguments.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in arguments.cpus.split(",")})
    conditions = environment.conditions(arguments.intact)
    with tempfile.TemporaryDirectory() as folder:
        results = compare(arguments, folder)
    report(arguments, conditions, results)
    return 1 if any("error" in figures for c, figures in results.items() if c.engine == "Intact") else 0


if __name__ == "__main__":
    sys.exit(main())
