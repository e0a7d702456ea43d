"""What litmus borrows of the libraries that its networks come from."""

import inspect
import subprocess
import sys
from typing import Any

import torch
from borrowed.entry import Borrowed, has_parameters
from helpers import SCENES, composed

from litmus.config.instantiate import build


def yolo() -> Any:
    return build(composed("model=yolo")["model"], SCENES)


def a_head_decodes_its_outputs() -> bool:
    net = yolo().eval()
    return callable(net.network.model[-1]._inference)


def a_head_scores_classes_in_cv3() -> bool:
    return isinstance(yolo().network.model[-1].cv3, torch.nn.ModuleList)


def a_loss_of_two_heads_moves_between_them() -> bool:
    from litmus.model import _ultralytics
    from litmus.model.yolo import GAINS

    net = build(composed("model=yolo", "model.arch=yolo26n")["model"], SCENES)
    criterion = _ultralytics.make_criterion(net.network, GAINS)
    names = ("decay", "updates", "o2m", "o2o", "final_o2m", "total")
    return all(hasattr(criterion, name) for name in names) and hasattr(criterion.one2one.hyp, "epochs")


def a_loss_matches_boxes_by_its_assigner() -> bool:
    from litmus.model import _ultralytics
    from litmus.model.yolo import GAINS

    net = build(composed("model=yolo", "model.arch=yolo26n")["model"], SCENES)
    criterion = _ultralytics.make_criterion(net.network, GAINS)
    parts = (criterion.one2many, criterion.one2one)
    return all(isinstance(part.assigner, torch.nn.Module) and "loss" in vars(type(part).__base__) for part in parts)


def files_are_read_without_running_them() -> bool:
    from litmus.model import _ultralytics

    tasks = _ultralytics.package()
    return "safe_only" in inspect.signature(tasks.torch_safe_load).parameters and callable(tasks.guess_model_task)


def the_package_is_silent_by_its_switches() -> bool:
    from litmus.model import _ultralytics

    _ultralytics.package()
    from ultralytics import utils

    return utils.ONLINE is False and utils.AUTOINSTALL is False and utils.VERBOSE is False


def torchvision_imports_no_compiler() -> bool:
    """In a process of its own: here the compiler is imported already."""
    code = (
        "import sys; from litmus.model import _torchvision; _torchvision.models(); "
        "roi_align = sys.modules['torchvision.ops.roi_align']; "
        "early = 'torch._dynamo' in sys.modules; roi_align.is_compile_supported('cpu'); "
        "print(early, 'torch._dynamo' in sys.modules)"
    )
    return (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False True\n"
    )


def encoders_are_found_by_their_configuration() -> bool:
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, MODEL_MAPPING, AutoConfig

    kind = type(AutoConfig.for_model("bert"))
    made = MODEL_MAPPING[kind]
    return kind in MODEL_FOR_MASKED_LM_MAPPING and "add_pooling_layer" in inspect.signature(made).parameters


def a_classifier_has_an_inner_network_and_a_head() -> bool:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    sizes = dict.fromkeys(("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"), 1)
    made = AutoModelForSequenceClassification.from_config(AutoConfig.for_model("bert", **sizes, intermediate_size=1))
    return made.base_model_prefix == "bert" and made.bert.pooler is not None and made.classifier.in_features == 1


def a_layer_of_bert_has_these_parts() -> bool:
    from transformers import AutoConfig, AutoModel
    from transformers.models.bert.modeling_bert import BertLayer

    sizes = dict.fromkeys(("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"), 1)
    (layer,) = AutoModel.from_config(AutoConfig.for_model("bert", **sizes, intermediate_size=1)).encoder.layer
    own = layer.attention.self
    products = (own.query, own.key, own.value, layer.attention.output.dense)
    is_named = type(layer) is BertLayer and own.num_attention_heads == 1 and own.scaling == 1.0
    return is_named and callable(layer.feed_forward_chunk) and all(product.in_features == 1 for product in products)


def what_a_folder_lacks_is_reported() -> bool:
    from transformers import AutoConfig, AutoModel

    sizes = dict.fromkeys(("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"), 1)
    AutoModel.from_config(AutoConfig.for_model("bert", **sizes, intermediate_size=1)).save_pretrained("tiny")
    _, report = AutoModel.from_pretrained("tiny", output_loading_info=True, local_files_only=True)
    return len(report["missing_keys"]) == 0


BORROWED = [
    Borrowed(
        "torchvision",
        "torch._dynamo.utils.is_compile_supported",
        "A ResNet would answer a second later: torchvision would import torch's compiler.",
        torchvision_imports_no_compiler,
    ),
    Borrowed(
        "ultralytics",
        "Detect._inference",
        "In evaluation, boxes would be decoded in bf16, where an edge may be pixels off.",
        a_head_decodes_its_outputs,
    ),
    Borrowed(
        "ultralytics",
        "Detect.cv3",
        "Weights for other classes could not be loaded: the head would not be recognized.",
        a_head_scores_classes_in_cv3,
    ),
    Borrowed(
        "ultralytics",
        "E2ELoss.decay, .updates, .o2m, .o2o, .final_o2m, .total, .one2one.hyp",
        "YOLO26 would train with fixed weights of its two heads, and its validation losses would not be comparable.",
        a_loss_of_two_heads_moves_between_them,
    ),
    Borrowed(
        "ultralytics",
        "v8DetectionLoss.loss, .assigner, E2ELoss(loss_fn)",
        "In several processes, a detector's loss would be divided by what is matched in a part of the batch.",
        a_loss_matches_boxes_by_its_assigner,
    ),
    Borrowed(
        "ultralytics",
        "tasks.torch_safe_load, tasks.guess_model_task",
        "A .pt of somebody else's would run what it holds, or could not be read.",
        files_are_read_without_running_them,
    ),
    Borrowed(
        "ultralytics",
        "YOLO_OFFLINE, YOLO_AUTOINSTALL, YOLO_VERBOSE",
        "The package would ask for a network, install packages and print.",
        the_package_is_silent_by_its_switches,
    ),
    Borrowed(
        "ultralytics",
        "ultralytics.utils.nms:non_max_suppression",
        "Predictions would depend on how busy the machine is: the time limit could not be lifted.",
        lambda: has_parameters("ultralytics.utils.nms:non_max_suppression", "multi_label", "max_det", "max_time_img"),
    ),
    Borrowed(
        "transformers",
        "MODEL_FOR_MASKED_LM_MAPPING, MODEL_MAPPING",
        "model=bert could not tell an encoder from other networks.",
        encoders_are_found_by_their_configuration,
    ),
    Borrowed(
        "transformers",
        "PreTrainedModel.base_model_prefix, .classifier, .pooler",
        "export --to huggingface would not find where the weights go.",
        a_classifier_has_an_inner_network_and_a_head,
    ),
    Borrowed(
        "transformers",
        "bert.modeling_bert:BertLayer.attention.self, .output, .feed_forward_chunk",
        "BERT could not compute the first token alone in its last layer.",
        a_layer_of_bert_has_these_parts,
    ),
    Borrowed(
        "transformers",
        "from_pretrained(output_loading_info=True)[1]['missing_keys']",
        "A folder that lacks most weights would be taken for a pretrained network.",
        what_a_folder_lacks_is_reported,
    ),
    Borrowed(
        "huggingface_hub",
        "huggingface_hub.constants:HF_HUB_OFFLINE",
        "Without a connection, each load would wait half a minute.",
    ),
]
