"""The options of run_baselines.py, and the modes that they select."""

import argparse
import pathlib
import re
import shlex
import sys

import trtexec
from cases import OPTIONS, base_of, known_mode
from protocols import protocols_of

HERE = pathlib.Path(__file__).resolve().parent
PRECISIONS = ["fp32", "tf32", "fp16"]
CUDA_GRAPHS = ["eager", "sequential", "wavefront", "dataflow"]  # measured by one request
MODES = [*CUDA_GRAPHS, "compile", "compile-max-autotune"]
SIDE_BY_SIDE = "compile"  # several may be compiled in parallel, because nothing is tuned by measurement before it runs
SCRIPT = {"pytorch": "torch_baseline.py", "jax": "jax_baseline.py", "tensorrt": "tensorrt_baseline.py"}


def words_of(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def parse(doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opsched", default=str(HERE.parent.parent / "opsched"), help="the opsched program")
    parser.add_argument("--python", default=sys.executable, help="the interpreter with the baselines installed")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="results folder for the records")
    parser.add_argument("--network", type=words_of, default=[],
                        help="as in a,b (default: all, or only those of --graph)")
    parser.add_argument("--graph", type=words_of, default=[],
                        help="graph files, folders of them, or patterns such as 'models/*.onnx', as in a,b")
    parser.add_argument("--precision", type=words_of, default=PRECISIONS, help="as in fp32,fp16 (default: all)")
    parser.add_argument("--batch", type=words_of, default=["1"], help="as in 1,16 (default: 1)")
    parser.add_argument("--image", type=words_of, default=["0"],
                        help="as in 512,480x640 (height first); 0: the network's default (default: 0)")
    parser.add_argument("--baselines", type=words_of, default=list(SCRIPT),
                        help=f"any of {', '.join(SCRIPT)} (default: all)")
    parser.add_argument("--modes", type=words_of, default=[],
                        help=f"modes of PyTorch: {', '.join(MODES)}, graph (= sequential), opara (= dataflow); "
                             f"options may follow, as in compile+mm ({', '.join(OPTIONS)}), then -nchw or -nhwc for "
                             f"the layout; default: all modes except {MODES[-1]}, in both layouts")
    parser.add_argument("--trtexec", default="trtexec", help="TensorRT's program (default: trtexec from the path)")
    parser.add_argument("--aux-streams", default="",
                        help=f"also build TensorRT engines with these numbers of auxiliary streams, as in 0,2, or "
                             f"all (0 to {trtexec.MOST_AUX_STREAMS}); each takes minutes")
    parser.add_argument("--ours", type=words_of, default=["sequential", "dataflow"],
                        help="our schedulers measured before and after, as in sequential,ios-both; '' for none")
    parser.add_argument("--tf32x3", action="store_true",
                        help="next to baselines in fp32, also measure ours in tf32x3, which is as accurate")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="use cpu to try it out")
    parser.add_argument("--runs", type=int, default=60,
                        help="at most this many timed runs of a baseline (default: 60)")
    parser.add_argument("--max-seconds", type=float, default=0.5,
                        help="time for the timed runs of a mode or schedule (default: 0.5); at least 5 runs are timed")
    parser.add_argument("--measure", dest="protocols", type=protocols_of, default=[], metavar="P[,P...]",
                        help="also measure everything with these protocols: replays, lone, cold, rotating, "
                             "in-flight=N, energy (docs/measuring.md)")
    parser.add_argument("--compile-jobs", type=int, default=1,
                        help="number of processes in which torch.compile compiles before anything is timed, each for one "
                             "mode of one case; our schedules are measured once before these cases and once after "
                             "them (default: 1)")
    parser.add_argument("--timeout", type=float, default=900,
                        help="time limit in seconds of a baseline per case (default: 900)")
    parser.add_argument("--retry", action="store_true", help="measure again what failed before")
    args = parser.parse_args()
    try:
        args.modes = [known_mode(m) for m in args.modes]
    except ValueError as error:
        parser.error(str(error))
    for given, known, what in ((args.precision, PRECISIONS, "precision"), (args.baselines, list(SCRIPT), "baseline"),
                               ([base_of(m) for m in args.modes], MODES, "mode")):
        unknown = [word for word in given if word not in known]
        if unknown:
            parser.error(f"unknown {what} {', '.join(unknown)}; there are: {', '.join(known)}")
    if not all(b.isdigit() and int(b) > 0 for b in args.batch):
        parser.error(f"--batch {','.join(args.batch)}: write numbers of at least 1, as in 1,16")
    if not all(re.fullmatch(r"[0-9]+(x[0-9]+)?", i) for i in args.image):
        parser.error(f"--image {','.join(args.image)}: write sizes, as in 512,480x640; 0 is the network's own")
    for option in ("runs", "max_seconds", "compile_jobs"):
        if getattr(args, option) <= 0:
            parser.error(f"--{option.replace('_', '-')} {getattr(args, option)}: write a number above 0")
    numbers = [str(n) for n in range(trtexec.MOST_AUX_STREAMS + 1)]
    args.aux_streams = numbers if args.aux_streams == "all" else words_of(args.aux_streams)
    if unknown := [n for n in args.aux_streams if n not in numbers]:
        parser.error(f"--aux-streams {','.join(unknown)}: write numbers from 0 to {trtexec.MOST_AUX_STREAMS}, or all")
    args.command = shlex.join(["python3", "experiments/baselines/run_baselines.py", *sys.argv[1:]])
    args.batch, args.image = [int(b) for b in args.batch], [int(i) if i.isdigit() else i for i in args.image]
    return args
