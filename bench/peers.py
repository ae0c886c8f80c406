#!/usr/bin/env python3
"""Times Intact, ONNX Runtime and OpenVINO on the same models, side by side.

All engines take turns: in every round each of them runs a short burst on every model, so that whatever
else the machine does falls on all of them alike. Load times and memory come from processes of their own.
See bench/README.md.
"""

import argparse
import json
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
        if task["f32"]:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
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

    def __init__(self, program, task, folder):
        self.json = pathlib.Path(folder) / "bench.json"
        self.command = [program, "bench", task["model"], "--threads", str(task["threads"]), "--json", self.json]
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


def start_engine(arguments, engine, model, folder):
    task = {"engine": engine, "model": str(model), "threads": arguments.threads, "seed": arguments.seed,
            "shapes": arguments.shapes, "f32": arguments.f32}
    return Intact(arguments.intact, task, folder) if engine == "Intact" else Peer(task)


# --- the session


def measure_start(arguments, engine, model, folder):
    """Load time, time to the first result and peak memory: the least of several fresh processes."""
    samples = []
    for _ in range(arguments.loads):
        running = start_engine(arguments, engine, model, folder)
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


def compare(arguments, folder):
    """Figures by (model, engine); {"error": ...} where an engine refuses the model."""
    pairs = [(model, engine) for model in arguments.models for engine in arguments.engines]
    results, running, bursts = {}, {}, {}
    progress = environment.Progress("starts", len(pairs))
    for pair in pairs:
        try:
            results[pair] = measure_start(arguments, pair[1], pair[0], folder)
            running[pair] = start_engine(arguments, pair[1], pair[0], folder)
            running[pair].start()
            bursts[pair] = []
        except Refused as refusal:
            results[pair] = {"error": str(refusal)}
            running.pop(pair, None)
        progress.step()
    order = random.Random(arguments.seed)
    progress = environment.Progress("rounds", arguments.rounds)
    for _ in range(arguments.rounds):
        for model in arguments.models:
            turn = [pair for pair in running if pair[0] == model]
            order.shuffle(turn)  # nobody always follows the same neighbour
            for pair in turn:
                bursts[pair].append(running[pair].burst(arguments.runs))
        progress.step()
    for pair, times in bursts.items():
        running[pair].close()
        results[pair]["min_ms"] = min(t["min_ms"] for t in times)
        results[pair]["median_ms"] = statistics.median(t["median_ms"] for t in times)
    return results


def table(results):
    rows = []
    for (model, engine), figures in results.items():
        if "error" in figures:
            rows.append([model.stem, engine, "refused", *[""] * 6])
            continue
        own = results.get((model, "Intact"), {})
        ratios = [f"{figures[key] / own[key]:.2f}" if key in own else "" for key in ("min_ms", "median_ms")]
        rows.append([model.stem, engine, f"{figures['min_ms']:.2f}", f"{figures['median_ms']:.2f}", *ratios,
                     f"{figures['load_ms']:.0f}", f"{figures['ready_ms']:.0f}", f"{figures['peak_mb']:.0f}"])
    return environment.markdown_table(["model", "engine", "min ms", "median ms", "min / Intact", "median / Intact",
                                       "load ms", "load + first run ms", "peak MB"], rows)


def parse_shape(text):
    name, _, extents = text.rpartition("=")
    try:
        return name, [int(extent) for extent in extents.split("x")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: NAME=1x3x224x224 is expected")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=pathlib.Path, help="ONNX files, int8 or float")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=25, help="bursts of every engine on every model")
    parser.add_argument("--runs", type=int, default=30, help="runs of a burst")
    parser.add_argument("--loads", type=int, default=3, help="fresh processes for load time and memory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shape", type=parse_shape, action="append", default=[], help="NAME=1x3x224x224")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--f32", action="store_true",
                        help="OpenVINO computes float in f32 (by default in bf16 where the CPU can)")
    parser.add_argument("--cpus", help="run everything on these CPUs only, as 0,1")
    environment.add_arguments(parser)
    arguments = parser.parse_args()
    arguments.shapes = dict(arguments.shape)
    data = environment.test_data()
    if not arguments.models and data:
        arguments.models = [data / "models" / name for name in DEFAULT_MODELS]
    if not arguments.models:
        parser.error("no models given, and no test data found (INTACT_TEST_DATA)")
    for model in arguments.models:
        if not model.is_file():
            parser.error(f"{model} does not exist")
    arguments.models = [model.resolve() for model in arguments.models]
    return arguments


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
    heading = (f"{environment.describe(conditions)} {arguments.threads} thread(s), {arguments.rounds} rounds of "
               f"{arguments.runs} runs, engines taking turns.")
    refusals = [f"{engine} refuses {model.name}: {figures['error']}"
                for (model, engine), figures in results.items() if "error" in figures]
    float_types = {figures["float_type"] for figures in results.values() if "float_type" in figures}
    notes = [f"OpenVINO computes float in {' and '.join(sorted(float_types))}."] if float_types else []
    text = "\n\n".join([heading, table(results), *notes, *refusals])
    figures = [{"model": model.name, "engine": engine, **values} for (model, engine), values in results.items()]
    environment.write_results(arguments, text, {**conditions, "threads": arguments.threads,
                                                "rounds": arguments.rounds, "runs": arguments.runs,
                                                "results": figures})
    own = [values for (_, engine), values in results.items() if engine == "Intact"]
    return 1 if any("error" in values for values in own) else 0


if __name__ == "__main__":
    sys.exit(main())
