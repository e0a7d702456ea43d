"""A network's graph for TensorBoard: its layers, and what flows between them.

Layers are watched in one pass, rather than traced: tracing gives every operation of each, and fails where the way
depends on values. What a network computes between its layers, as an addition, is a node of its own where several layers
meet in it, and otherwise left out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from litmus.config.protocols import Net

if TYPE_CHECKING:
    from tensorboard.compat.proto.graph_pb2 import GraphDef

INPUT, OUTPUT = "input", "output"
FEWEST = 8  # boxes that the graph opens on, where the network has so many layers


@dataclass
class Node:
    """A layer, or an operation between layers.

    Attributes:
        kind: the layer's class, or the operation's name.
        sources: the nodes whose outputs it takes.
        shapes: of its outputs.
        facts: what else is shown of it.
    """

    kind: str
    sources: list[str] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


def graph_of(net: Net, x: Tensor) -> "GraphDef":
    """The graph of a network in evaluation.

    Args:
        net: any; it is left as it was.
        x: an input, on its device.
    """
    training, watch = net.training, _Watch(net)
    net.eval()
    try:
        with torch.no_grad():
            nodes = watch(x)
    finally:
        net.train(training)
    return _as_graph(nodes, watch.kinds)


def layers_of(net: Net) -> "GraphDef":
    """The layers of a network without what flows between them, for one that cannot be watched."""
    nodes = {name: _described(module) for name, module in net.named_modules() if name and _is_layer(module)}
    return _as_graph(nodes, {})


class _Watch(TorchFunctionMode):
    """Notes of each tensor which layer it comes from, while a network computes."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.names = {id(module): name for name, module in net.named_modules()}
        self.nodes: dict[str, Node] = {}
        self.kinds: dict[str, str] = {}  # the classes of modules that hold layers, by name
        self.calls: Counter[str] = Counter()
        self.inside: list[tuple[nn.Module, str]] = []  # the modules that are computing, each with its name
        # By the tensor's id; it is kept, so that no other one gets that id.
        self.made: dict[int, tuple[Tensor, str]] = {}

    def __call__(self, x: Tensor) -> dict[str, Node]:
        """The nodes by name, in the order in which they were computed."""
        self._add(INPUT, Node(INPUT), x)
        hooks = []
        for module in dict(self.net.named_modules()).values():
            hooks.append(module.register_forward_pre_hook(self._begin))
            hooks.append(module.register_forward_hook(self._end, with_kwargs=True))
        try:
            with self:
                outputs = self.net(x)
        finally:
            for hook in hooks:
                hook.remove()
        self._add(OUTPUT, Node(OUTPUT, self._sources(outputs)), ())
        return self.nodes

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        if self.inside and not _is_layer(self.inside[-1][0]):
            name = getattr(func, "__name__", "operation")
            in_place = name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))
            changed = [each for each in _tensors(outputs) if in_place or id(each) not in self.made]
            if changed and (sources := self._sources((args, kwargs or {}))):
                self._flow(name.strip("_").removeprefix("i" * name.startswith("__i")), sources, changed)
        return outputs

    def _flow(self, name: str, sources: list[str], outputs: list[Tensor]) -> None:
        """An operation: a node where several nodes meet, else it counts as a part of the one before it."""
        if len(sources) == 1:
            self.made |= {id(each): (each, sources[0]) for each in outputs}
        else:
            scope = self.inside[-1][1]
            self._add(f"{scope}.{name}" if scope else name, Node(name, sources), outputs)

    def _begin(self, module: nn.Module, args: object) -> None:  # torch's signature
        name = self.names[id(module)]
        if self.inside:  # a module may have several places, of which `named_modules` knows the first
            parent, scope = self.inside[-1]
            own = next((key for key, child in parent.named_children() if child is module), None)
            name = name if own is None else f"{scope}.{own}" if scope else own
        if not isinstance(module, nn.Sequential) and not _is_layer(module):
            self.kinds[name] = type(module).__name__
        self.inside.append((module, name))

    def _end(self, module: nn.Module, args: object, kwargs: object, outputs: object) -> None:
        _, name = self.inside.pop()
        fresh = [each for each in _tensors(outputs) if id(each) not in self.made]
        sources = self._sources((args, kwargs))
        if _is_layer(module):
            if not isinstance(module, nn.Identity):
                node = _described(module)
                node.sources = sources
                self._add(name, node, outputs)
        elif fresh and sources and self.inside:  # made by what no mode sees, such as a `torch.autograd.Function`
            self._flow(name.rpartition(".")[2], sources, fresh)

    def _add(self, name: str, node: Node, outputs: object) -> None:
        self.calls[name] += 1
        name = name if self.calls[name] == 1 else f"{name} ({self.calls[name]})"
        node.shapes = [tuple(each.shape) for each in _tensors(outputs)]
        self.nodes[name] = node
        self.made |= {id(each): (each, name) for each in _tensors(outputs)}

    def _sources(self, inputs: object) -> list[str]:
        return list(dict.fromkeys(self.made[id(each)][1] for each in _tensors(inputs) if id(each) in self.made))


def _is_layer(module: nn.Module) -> bool:
    """Whether it is shown as a whole."""
    return not any(True for _ in module.children())


def _described(module: nn.Module) -> Node:
    facts = {"settings": module.extra_repr(), "parameters": f"{sum(p.numel() for p in module.parameters()):,}"}
    return Node(type(module).__name__, facts={key: value for key, value in facts.items() if value not in ("", "0")})


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _opened(names: list[str]) -> dict[str, list[str]]:
    """The boxes of each name from the outermost on, by which TensorBoard shows it: a box opens on a click.

    Boxes are opened here, that of the most layers first, until there are enough, so that the graph shows layers at
    first sight, and not the network as one box.
    """
    depth = dict.fromkeys(names, 1)  # how many parts of the name are its outermost box

    def box(name: str) -> str:
        return ".".join(name.split(".")[: depth[name]])

    while True:
        counts = Counter(map(box, names))
        largest, number = max(counts.items(), key=lambda each: each[1], default=("", 0))
        if number <= 1 or len(counts) >= FEWEST:
            break
        depth |= {name: depth[name] + 1 for name in names if box(name) == largest}
    alone = {name for name in names if counts[box(name)] == 1}
    return {name: [name] if name in alone else [box(name), *name.split(".")[depth[name] :]] for name in names}


def _as_graph(nodes: Mapping[str, Node], kinds: Mapping[str, str]) -> "GraphDef":
    from tensorboard.compat.proto.attr_value_pb2 import AttrValue
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.compat.proto.node_def_pb2 import NodeDef
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.versions_pb2 import VersionDef

    opened = _opened(list(nodes))
    short = _shortened({boxes[0] for boxes in opened.values()}, {*kinds, *nodes})
    paths = {
        name: "/".join(_with_kinds(boxes, nodes[name].kind, kinds, short[boxes[0]])) for name, boxes in opened.items()
    }
    graph = GraphDef(versions=VersionDef(producer=22))
    for name, node in nodes.items():
        made = NodeDef(name=paths[name], op=node.kind, input=[paths[each] for each in node.sources])
        shapes = [TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in shape]) for shape in node.shapes]
        made.attr["_output_shapes"].CopyFrom(AttrValue(list=AttrValue.ListValue(shape=shapes)))
        for key, value in {"name": name, **node.facts}.items():
            made.attr[key].CopyFrom(AttrValue(s=value.encode()))
        graph.node.append(made)
    return graph


def _shortened(boxes: set[str], have_kinds: set[str]) -> dict[str, str]:
    """By box the end of its name, long enough to be that of no other: TensorBoard cuts long ones short."""
    found = {}
    for box in boxes:
        parts = box.split(".")
        least = 1 if box in have_kinds else 2
        ends = [".".join(parts[-number:]) for number in range(min(least, len(parts)), len(parts) + 1)]
        unique = (end for end in ends if not any(f".{each}".endswith(f".{end}") for each in boxes - {box}))
        found[box] = next(unique, box)
    return found


def _with_kinds(boxes: list[str], kind: str, kinds: Mapping[str, str], first: str) -> Iterator[str]:
    """Each box with the class of what it holds in front.

    Args:
        boxes: from the outermost to the layer.
        kind: of the layer.
        kinds: the classes of boxes, by the modules' names.
        first: the outermost box, as it is shown.
    """
    for number, box in enumerate([first, *boxes[1:]], start=1):
        own = kind if number == len(boxes) else kinds.get(".".join(boxes[:number]), "")
        yield box if own in box else f"{own} {box}"
