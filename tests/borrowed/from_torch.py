"""What litmus borrows of torch, TensorBoard and Python."""

import copy
import inspect
import os

import numpy as np
import torch
from borrowed.entry import Borrowed, has_parameters


def lists_move_at_once() -> bool:
    averaged, counters = [torch.zeros(2)], [torch.zeros(1, dtype=torch.int64)]
    torch._foreach_lerp_(averaged, [torch.ones(2)], 0.25)
    torch._foreach_copy_(counters, [torch.tensor([7])])
    return averaged[0].tolist() == [0.25, 0.25] and counters[0].tolist() == [7]


def lists_step_at_once() -> bool:
    weights, gradients = [torch.ones(2)], [torch.tensor([4.0, -4.0])]
    moves = torch._foreach_lerp(weights, gradients, 0.5)
    torch._foreach_sign_(moves)
    torch._foreach_mul_(weights, 0.5)
    torch._foreach_add_(weights, moves, alpha=-0.25)
    return weights[0].tolist() == [0.25, 0.75]


def nvml_is_asked_by_a_variable() -> bool:
    before = os.environ.get("PYTORCH_NVML_BASED_CUDA_CHECK")
    try:
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
        requested = torch.cuda._nvml_based_avail()
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
        return requested and not torch.cuda._nvml_based_avail()
    finally:
        os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK")
        os.environ.update({} if before is None else {"PYTORCH_NVML_BASED_CUDA_CHECK": before})


def a_module_is_called_by_what_is_put_there() -> bool:
    module = torch.nn.Identity()
    module._compiled_call_impl = lambda x: x + 1
    return module(torch.zeros(1)).item() == 1 and copy.deepcopy(module)(torch.zeros(1)).item() == 0


def hooks_are_kept_in_two_lists() -> bool:
    module = torch.nn.Identity()
    before = len(module._forward_hooks) + len(module._forward_pre_hooks)
    module.register_forward_hook(lambda *_: None)
    module.register_forward_pre_hook(lambda *_: None)
    return (before, len(module._forward_hooks), len(module._forward_pre_hooks)) == (0, 1, 1)


def states_are_scanned() -> bool:
    from torch._higher_order_ops.scan import scan

    _, sums = scan(lambda carry, x: (carry + x, (carry + x).clone()), torch.zeros(1), torch.ones(3, 1), dim=0)
    return sums.flatten().tolist() == [1.0, 2.0, 3.0]


def a_record_s_checksum_is_tensorflow_s() -> bool:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    known = 0xE3069283  # CRC-32C of these digits
    return masked_crc32c(b"123456789") == ((known >> 15 | known << 17) + 0xA282EAD8) % 2**32


def the_reader_is_looked_up_when_a_file_is_opened() -> bool:
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

    before, opened = pywrap_tensorflow.PyRecordReader_New, []
    pywrap_tensorflow.PyRecordReader_New = lambda name, *_: opened.append(name) or [name]
    try:
        RawEventFileLoader("events")
    finally:
        pywrap_tensorflow.PyRecordReader_New = before
    return opened == [b"events"]


def numbers_become_tensorboard_s_tensors() -> bool:
    from tensorboard import data_compat
    from tensorboard.util import tensor_util

    from litmus.cli._tensorboard import _to_tensor

    values = [0.25, float("nan"), np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((0, 3), np.float32), [b"text"]]
    looked_up = data_compat.tensor_util is tensor_util  # when it is called
    return looked_up and all(
        np.array_equal(
            tensor_util.make_ndarray(_to_tensor(value)),
            tensor_util.make_ndarray(tensor_util.make_tensor_proto(value)),
            equal_nan=not isinstance(value, list),
        )
        for value in values
    )


def assets_are_packed_by_a_name_of_its_own() -> bool:
    from tensorboard.plugins.core import core_plugin

    return "_gzip" in core_plugin.CorePlugin.get_resource_apps.__code__.co_names


def runs_are_read_by_the_class_that_is_looked_up() -> bool:
    from tensorboard.backend.event_processing import data_ingester, plugin_event_multiplexer

    code = data_ingester.LocalDataIngester.start.__code__
    (reload,) = (each for each in code.co_consts if inspect.iscode(each))
    is_looked_up = data_ingester.plugin_event_multiplexer is plugin_event_multiplexer
    return is_looked_up and {"AddRunsFromDirectory", "Reload"} <= set(reload.co_names)


def the_projector_s_folder_is_ours() -> bool:
    from tensorboard.plugins.projector import metadata

    from litmus.callback._projector import FOLDER

    return f"{metadata.PLUGINS_DIR}/{metadata.PLUGIN_ASSETS_NAME}" == FOLDER


BORROWED = [
    Borrowed(
        "torch",
        "torch._foreach_lerp_",
        "EMA would move each tensor in a kernel of its own.",
        lists_move_at_once,
    ),
    Borrowed(
        "torch",
        "torch._foreach_copy_",
        "EMA would copy counters, such as batch norm's, one by one.",
        lists_move_at_once,
    ),
    Borrowed(
        "torch",
        "torch._foreach_lerp",
        "Lion would make each tensor's step in kernels of its own.",
        lists_step_at_once,
    ),
    Borrowed(
        "torch",
        "torch._foreach_sign_",
        "Lion would make each tensor's step in kernels of its own.",
        lists_step_at_once,
    ),
    Borrowed(
        "torch",
        "torch._foreach_mul_",
        "Lion would make each tensor's step in kernels of its own.",
        lists_step_at_once,
    ),
    Borrowed(
        "torch",
        "torch._foreach_add_",
        "Lion would make each tensor's step in kernels of its own.",
        lists_step_at_once,
    ),
    Borrowed(
        "torch",
        "torch._higher_order_ops.scan:scan",
        "An exported LSTM would take only texts and series of the example's length.",
        states_are_scanned,
    ),
    Borrowed(
        "torch",
        "PYTORCH_NVML_BASED_CUDA_CHECK",
        "Each step of Adam would look for NVIDIA's library on a machine without a GPU; a sweep's server would set up "
        "CUDA before it forks.",
        nvml_is_asked_by_a_variable,
    ),
    Borrowed(
        "torch",
        "torch.hub:download_url_to_file's hash_prefix",
        "Downloaded weights would not be checked against the hash in their file name.",
        lambda: has_parameters("torch.hub:download_url_to_file", "url", "dst", "hash_prefix"),
    ),
    Borrowed(
        "torch",
        "torch.nn.utils:get_total_norm",
        "Meter would not log the gradient's norm.",
        lambda: float(torch.nn.utils.get_total_norm([torch.tensor([3.0, 4.0])])) == 5.0,
    ),
    Borrowed(
        "torch",
        "torch.utils.tensorboard:SummaryWriter._get_file_writer",
        "The logger could not write many curves' points as one event after Lightning has closed its writer.",
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.compat.tensorflow_stub.pywrap_tensorflow:masked_crc32c",
        "compare could not write its mean curves for TensorBoard without TensorFlow.",
        a_record_s_checksum_is_tensorflow_s,
    ),
    Borrowed(
        "torch",
        "torch.ops.mkldnn._is_mkldnn_bf16_supported",
        "model=lstm trainer.precision=bf16-mixed would fail on CPUs without AVX-512.",
        lambda: torch.ops.mkldnn._is_mkldnn_bf16_supported() in (True, False),
    ),
    Borrowed(
        "torch",
        "torch.nn.Module._compiled_call_impl",
        "trainer.compile would compile nothing.",
        a_module_is_called_by_what_is_put_there,
    ),
    Borrowed(
        "torch",
        "torch.nn.Module._call_impl",
        "trainer.compile could not run the network as it is.",
        lambda: callable(torch.nn.Module()._call_impl),
    ),
    Borrowed(
        "torch",
        "torch.nn.Module._forward_hooks, torch.nn.Module._forward_pre_hooks",
        "The doctor and the dashboard would see nothing of a compiled network.",
        hooks_are_kept_in_two_lists,
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.compat.proto.event_pb2:Event",
        "compare could not frame its mean curves as TensorBoard's events.",
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.compat.proto.summary_pb2:Summary",
        "The logger could not write points of curves for TensorBoard, nor compare those of its mean curves.",
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.compat.tensorflow_stub.pywrap_tensorflow:PyRecordReader_New",
        "litmus dashboard would read event files with TensorBoard's own reader: 40 runs take twice as long.",
        the_reader_is_looked_up_when_a_file_is_opened,
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.util.tensor_util:make_tensor_proto",
        "litmus dashboard would read 40 runs in 1.5 times the time.",
        numbers_become_tensorboard_s_tensors,
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.plugins.core.core_plugin:_gzip",
        "litmus dashboard would pack TensorBoard's page for a network, which takes 0.15 s.",
        assets_are_packed_by_a_name_of_its_own,
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.backend.event_processing.plugin_event_multiplexer:EventMultiplexer",
        "litmus dashboard would show no runs, or not know when they are read.",
        runs_are_read_by_the_class_that_is_looked_up,
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.compat.tensorflow_stub.errors:DataLossError",
        "litmus dashboard could not say that an event file is not whole yet.",
    ),
    Borrowed(
        "tensorboard",
        "tensorboard.plugins.projector.metadata:PLUGIN_ASSETS_NAME",
        "The projector would not find the features of a run.",
        the_projector_s_folder_is_ours,
    ),
    Borrowed(
        "python",
        "atexit:_clear",
        "A job of a sweep would run, at its end, what the process it was forked from had registered.",
    ),
    Borrowed(
        "python",
        "atexit:_run_exitfuncs",
        "A job of a sweep would leave its temporary folders behind: it ends by os._exit.",
    ),
]
