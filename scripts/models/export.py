"""Exports the architecture of Depth Anything V2 Small with random weights to ONNX: the true operators at their true
size, without a download of the true weights. Usage: export.py DIRECTORY"""

import builtins
import pathlib
import sys

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config
from transformers.models.depth_anything import modeling_depth_anything


def network():
    """The network as its published configuration describes it, with weights that are the same every time."""
    torch.manual_seed(20)
    backbone = Dinov2Config(
        image_size=518, patch_size=14, hidden_size=384, num_attention_heads=6, num_hidden_layers=12,
        out_indices=[3, 6, 9, 12], apply_layernorm=True, reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=384, patch_size=14, neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64, head_in_index=-1, head_hidden_size=32,
    )
    config._attn_implementation = "eager"
    net = DepthAnythingForDepthEstimation(config).eval()
    # Random heads mostly end below zero, where the last ReLU would flatten them.
    torch.nn.init.constant_(net.head.conv3.bias, 1.0)
    return net


class DepthOnly(torch.nn.Module):
    """The network with one plain output."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, pixel_values):
        return self.net(pixel_values).predicted_depth


def export(net, path):
    """Writes the network with dynamic shapes. The library's int() would fix the traced size: a traced size stays one."""
    modeling_depth_anything.int = lambda v: v if isinstance(v, torch.Tensor) else builtins.int(v)
    axes = {"pixel_values": {0: "batch_size", 2: "height", 3: "width"}, "predicted_depth": {0: "batch_size", 1: "height", 2: "width"}}
    torch.onnx.export(
        DepthOnly(net), (torch.randn(1, 3, 518, 518),), str(path), input_names=["pixel_values"], output_names=["predicted_depth"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )
    onnx.checker.check_model(str(path))


def check(net, path):
    """The exported network must say what the network itself says, also at another size than it was traced at."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = torch.randn(1, 3, 280, 504)
    with torch.no_grad():
        want = net(x).predicted_depth.numpy()
    (got,) = session.run(None, {"pixel_values": x.numpy()})
    off = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-9))
    print(f"exported {path.name}: {path.stat().st_size / 1e6:.1f} MB, off by {off:.1e} of the largest value at 504x280")
    if got.shape != want.shape or off > 1e-3:
        sys.exit("the exported network differs from the network")


def main(directory):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    net = network()
    print(f"{sum(p.numel() for p in net.parameters()) / 1e6:.1f} million parameters")
    whole = directory / "random-small.onnx"
    export(net, whole)
    check(net, whole)
    quantize_dynamic(str(whole), str(directory / "random-small-quantized.onnx"), weight_type=QuantType.QUInt8)


if __name__ == "__main__":
    main(sys.argv[1])
