"""Times plain ONNX Runtime, as StereoSpot configures it, for internal/tools/bench to compare with. For every line with a
number on its input it runs the network that often and answers with the seconds that took,
on the clock and of all cores.
Usage: time.py MODEL THREADS WIDTH HEIGHT"""

import sys
import time

import numpy as np
import onnxruntime


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main(path, threads, width, height):
    net = session(path, int(threads))
    name = net.get_inputs()[0].name
    pictures = np.random.default_rng(1).standard_normal((1, 3, int(height), int(width)), dtype=np.float32)
    net.run(None, {name: pictures})
    for line in sys.stdin:
        begin, used = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            net.run(None, {name: pictures})
        print(time.perf_counter() - begin, time.process_time() - used, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
