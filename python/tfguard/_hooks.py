"""Hooks that beat from Keras and TensorFlow without a change to the program.

A hook waits on ``sys.meta_path`` for the one module it belongs to, and wraps a few functions there after the module has
been executed. The names are private to Keras and TensorFlow, so each hook may fail: then it does nothing, and the slot
says so. Imports of other modules cost one dictionary look-up.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, Dict, List, Tuple

from . import _beats
from ._beats import Beats

# A hook's place here is its bit in HOOKS_ARMED and HOOKS_FAILED; guard/beats/format.go has the same list.
NAMES = (
    "keras3.callbacks",
    "keras3.trainer",
    "keras3.save",
    "keras2.callbacks",
    "keras2.model",
    "session.run",
    "tf.function",
    "tf.checkpoint",
    "tf.checkpoint-manager",
    "tf.saver",
    "tf.saved-model",
    "tf.data",
)

Hook = Callable[[Any, Beats], None]
_MARK = "_tfguard_wrapped"


def _wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = vars(owner)[name]
    if getattr(original, _MARK, False):
        return
    wrapped = functools.wraps(original)(make(original))
    setattr(wrapped, _MARK, True)
    setattr(owner, name, wrapped)


def _around(beats: Beats, kind: int, after: int = 0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Opens a call of that kind around a function; counts it in the word ``after`` when it returns."""
    begin, end, count = beats.begin, beats.end, beats.count

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            token = begin(kind)
            try:
                result = original(*args, **kwargs)
            finally:
                end(token)
            if after:
                count(after)
            return result

        return call

    return make


def _then(do: Callable[[], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            do()
            return result

        return call

    return make


def _first(do: Callable[[], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            do()
            return original(*args, **kwargs)

        return call

    return make


def _callbacks(module: Any, beats: Beats) -> None:
    # A callback may take long (a checkpoint in on_train_batch_end), so the step ends before the callbacks run.
    c = module.CallbackList
    for what, counter in (
        ("train", _beats.TRAIN_STEPS),
        ("test", _beats.EVAL_STEPS),
        ("predict", _beats.PREDICT_STEPS),
    ):
        _wrap(c, f"on_{what}_batch_begin", _then(beats.step_begin))
        _wrap(c, f"on_{what}_batch_end", _first(functools.partial(beats.step_end, counter)))
    _wrap(c, "on_epoch_begin", _first(beats.epoch_begin))
    _wrap(c, "on_epoch_end", _then(beats.epoch_end))
    _wrap(c, "on_train_end", _then(beats.beat))


def _trainer(owner: Any, beats: Beats) -> None:
    for name, kind, after in (
        ("fit", _beats.TRAIN, 0),
        ("evaluate", _beats.EVAL, 0),
        ("predict", _beats.PREDICT, _beats.PREDICTS),
        ("predict_on_batch", _beats.PREDICT, _beats.PREDICTS),
        ("train_on_batch", _beats.TRAIN, _beats.TRAIN_STEPS),
        ("test_on_batch", _beats.EVAL, _beats.EVAL_STEPS),
    ):
        _wrap(owner, name, _around(beats, kind, after))


def _keras3_trainer(module: Any, beats: Beats) -> None:
    for name in ("TensorFlowTrainer", "JAXTrainer", "TorchTrainer"):
        if hasattr(module, name):
            _trainer(getattr(module, name), beats)
            return
    raise AttributeError("no trainer class")


def _save(owner: Any, beats: Beats, *names: str) -> None:
    for name in names:
        _wrap(owner, name, _around(beats, _beats.CHECKPOINT, _beats.CHECKPOINTS))


def _keras2_model(module: Any, beats: Beats) -> None:
    _trainer(module.Model, beats)
    _save(module.Model, beats, "save", "save_weights")


def _session(module: Any, beats: Beats) -> None:
    _wrap(module.BaseSession, "run", _around(beats, _beats.SESSION, _beats.SESSION_RUNS))


def _function(module: Any, beats: Beats) -> None:
    count = functools.partial(beats.count, _beats.FUNCTION_CALLS)

    # Written out, because this one is called most often.
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            count()
            return result

        return __call__

    _wrap(module.Function, "__call__", make)


def _data(module: Any, beats: Beats) -> None:
    _wrap(module.OwnedIterator, "__next__", _around(beats, _beats.DATA, _beats.DATA_ITEMS))


# Module name -> the bit of NAMES, the hook. TF before 2.11 has def_function; Keras before 2.13 has no "src".
TARGETS: Dict[str, Tuple[int, Hook]] = {
    "keras.src.callbacks.callback_list": (0, _callbacks),
    "keras.src.backend.tensorflow.trainer": (1, _keras3_trainer),
    "keras.src.backend.jax.trainer": (1, _keras3_trainer),
    "keras.src.backend.torch.trainer": (1, _keras3_trainer),
    "keras.src.models.model": (2, lambda m, b: _save(m.Model, b, "save", "save_weights")),
    "keras.src.engine.training": (4, _keras2_model),
    "keras.engine.training": (4, _keras2_model),
    "keras.callbacks": (3, _callbacks),
    "tf_keras.src.callbacks": (3, _callbacks),
    "tf_keras.src.engine.training": (4, _keras2_model),
    "tensorflow.python.client.session": (5, _session),
    "tensorflow.python.eager.polymorphic_function.polymorphic_function": (6, _function),
    "tensorflow.python.eager.def_function": (6, _function),
    "tensorflow.python.checkpoint.checkpoint": (7, lambda m, b: _save(m.Checkpoint, b, "save", "write")),
    "tensorflow.python.checkpoint.checkpoint_management": (8, lambda m, b: _save(m.CheckpointManager, b, "save")),
    "tensorflow.python.training.saver": (9, lambda m, b: _save(m.Saver, b, "save")),
    "tensorflow.python.saved_model.save": (10, lambda m, b: _save(m, b, "save")),
    "tensorflow.python.data.ops.iterator_ops": (11, _data),
}


def _keras2_or_3(module: Any, beats: Beats) -> None:
    """keras.src.callbacks is Keras 2's module, and in Keras 3 a package, whose callback_list has a hook of its own."""
    if not hasattr(module, "__path__"):
        _callbacks(module, beats)


TARGETS["keras.src.callbacks"] = (3, _keras2_or_3)
# In Keras 3 keras.callbacks, and in TF 2.13-2.15 too, only names what another module defines.
TARGETS["keras.callbacks"] = (3, _keras2_or_3)


class _Loader:
    """Stands in for a module's loader for the one call of exec_module, then puts the real one back."""

    def __init__(self, loader: Any, done: Callable[[Any], None]) -> None:
        self._loader = loader
        self._done = done

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._done(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class Finder:
    """Meta-path finder that lets the other finders find a target, and hooks it after it ran."""

    def __init__(self, beats: Beats) -> None:
        self.beats = beats
        self._targets = dict(TARGETS)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self._targets:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    self._targets.pop(name, None)
                    spec.loader = _Loader(spec.loader, functools.partial(self.apply, name))
                return spec
        return None

    def apply(self, name: str, module: Any) -> None:
        bit, hook = TARGETS[name]
        try:
            hook(module, self.beats)
        except Exception:  # the names are private, and change
            self.beats.hook(bit, False)
        else:
            versions = sys.modules.get("tensorflow.python.framework.versions")
            if versions is not None:
                self.beats.text(1, "tensorflow " + str(getattr(versions, "VERSION", "")))
            if hook is not _keras2_or_3 or not hasattr(module, "__path__"):
                self.beats.hook(bit, True)


_installed: List[Finder] = []


def install(beats: Beats) -> Finder:
    """Hooks what is imported from now on, and what has been imported already. A second call changes nothing."""
    if _installed:
        return _installed[0]
    finder = Finder(beats)
    for name in TARGETS:
        module = sys.modules.get(name)
        if module is not None:
            finder.apply(name, module)
    sys.meta_path.insert(0, finder)
    _installed.append(finder)
    return finder
