"""What the comparisons with other engines share: their virtual environment, paths, tables."""

import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ["onnxruntime", "openvino", "onnx", "numpy", "pillow", "matplotlib"]


def test_data():
    """The folder with models/ and images/, or None."""
    for folder in (os.environ.get("INTACT_TEST_DATA"), ROOT.parent / "shared"):
        if folder and (pathlib.Path(folder) / "models").is_dir():
            return pathlib.Path(folder)
    return None


def add_venv_argument(parser):
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "build" / "peers-venv",
                        help="virtual environment of the other engines; made when absent")


def add_arguments(parser):
    parser.add_argument("--intact", type=pathlib.Path, help="the program (default: build/release/intact)")
    add_venv_argument(parser)
    parser.add_argument("--json", type=pathlib.Path, help="write all figures")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the table as Markdown")


def find_intact(chosen):
    candidates = [chosen] if chosen else [ROOT / "build/release/intact", ROOT / "build/intact"]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    sys.exit(f"error: no program at {', '.join(map(str, candidates))}; build it, or name it with --intact")


def enter_venv(folder):
    """Runs this script again with the environment's Python unless that is running already."""
    folder = folder.absolute()
    if pathlib.Path(sys.prefix).resolve() == folder.resolve():
        return
    python = folder / "bin" / "python"
    wanted = [name if name != "pillow" else "PIL" for name in PACKAGES]
    script = "import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in sys.argv[1:]))"
    if not python.exists():
        print(f"making {folder}", file=sys.stderr)
        try:
            venv.create(folder, with_pip=True)
        except subprocess.CalledProcessError:
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit("error: this Python cannot make virtual environments; on Debian install python3-venv")
    if subprocess.run([python, "-c", script, *wanted]).returncode != 0:
        print(f"installing {', '.join(PACKAGES)} from PyPI", file=sys.stderr)
        if subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES]).returncode != 0:
            sys.exit(f"error: {', '.join(PACKAGES)} could not be installed from PyPI")
    os.execv(python, [str(python), *sys.argv])


def enter(arguments):
    """Finds the program, goes on in the virtual environment, and returns the conditions."""
    arguments.intact = find_intact(arguments.intact)
    enter_venv(arguments.venv)
    return conditions(arguments.intact)


def add_models_arguments(parser):
    parser.add_argument("models", nargs="*", help="part of the file name (default: all)")
    parser.add_argument("--data", type=pathlib.Path, default=test_data(),
                        help="folder with models/ and images/ (default: INTACT_TEST_DATA)")


def parse_with_data(parser):
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("no test data found; name its folder with --data")
    return arguments


def versions(intact):
    from importlib.metadata import version
    text = subprocess.run([intact, "--version"], capture_output=True, text=True).stdout.strip()
    return {"Intact": text.removeprefix("intact ") or "unknown", "ONNX Runtime": version("onnxruntime"), "OpenVINO": version("openvino")}


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def conditions(intact):
    """Where and when the figures were taken."""
    return {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "cpus": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0], "versions": versions(intact)}


def describe(conditions):
    engines = ", ".join(f"{name} {version}" for name, version in conditions["versions"].items())
    return (f"{conditions['date']}, {conditions['cpu']}, {conditions['cpus']} CPUs "
            f"(load {conditions['load']:.1f} at the start); {engines}.")


def markdown_table(header, rows):
    """First column to the left, figures to the right."""
    width = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                 for i, (c, w) in enumerate(zip(cells, width))) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(width)) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def write_results(arguments, text, figures):
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


class Progress:
    """One line that overwrites itself, on a terminal only."""

    def __init__(self, title, total):
        self.title, self.total, self.done = title, total, 0
        self.shown = sys.stderr.isatty()

    def step(self):
        self.done += 1
        if self.shown:
            end = "\n" if self.done == self.total else ""
            print(f"\r{self.title} {self.done}/{self.total}", end=end, file=sys.stderr, flush=True)
